//! From what detectors found to a verdict on the set. Nothing here computes on images, so every line of a verdict can be told from the
//! numbers that a run keeps.

mod evidence;
mod words;

use std::collections::BTreeMap;

pub(crate) use self::evidence::is_separate;
use self::evidence::{Counted, confirms, contradicts_class, interval};
use super::verdict::{Power, Proof, Standing, SuspectClass, Verdict};
use super::{ClassFinding, Testimony};

/// Trusted images of a class that are needed before their place says something.
const ENOUGH_TRUSTED: usize = 8;
/// Groups of a class of which the smaller has this share of the larger are of nearly one size.
const ONE_SIZE: f64 = 0.8;

/// What was found on a set.
#[derive(Debug, Clone)]
pub struct Findings<'a> {
    /// Names of the classes.
    pub class_names: &'a [String],
    /// The class of each image.
    pub labels: &'a [u32],
    /// What the results of the detector are called that [judges classes](Testimony::Classes); `None` where none does.
    pub judge: Option<&'a str>,
    /// The classes as it judged them.
    pub classes: &'a [ClassFinding],
    /// Whether it flags each image.
    pub flagged: &'a [bool],
    /// What others say.
    pub witnesses: &'a [Witness<'a>],
    /// What the recovered trigger of a class does, where one was recovered.
    pub proofs: BTreeMap<u32, Proof>,
    /// What the scan could have seen.
    pub power: Power,
    /// Whether given weights predict the labels of the pictures at all; true where nothing was given.
    pub knows_labels: bool,
    /// What is known to limit the verdict already.
    pub warnings: Vec<String>,
}

/// Another detector that flags images by a rule of its own.
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    /// What its results are called.
    pub label: &'a str,
    /// What its numbers are evidence of.
    pub testimony: Testimony,
    /// Whether it compared the images with trusted ones.
    pub knows_trusted: bool,
    /// Of each class whether it can find [patterns](Testimony::Patterns) in it.
    pub judged: &'a [bool],
    /// Whether it flags each image.
    pub flagged: &'a [bool],
    /// The classes in which it found [patterns](Testimony::Patterns); empty for others.
    pub classes: &'a [ClassFinding],
}

/// A class that a detector raises.
struct Raised<'a> {
    suspect: SuspectClass,
    /// How far its group stands apart, beside the border.
    width: f64,
    /// Whether that is a part that only likelihoods tell from the rest of its class.
    is_part: bool,
    /// What the detector flags.
    flagged: &'a [bool],
}

impl<'a> Raised<'a> {
    fn of(found: &ClassFinding, suspect: SuspectClass, flagged: &'a [bool]) -> Self {
        Self {
            suspect,
            width: found.gap / found.border,
            is_part: found.usual.is_some(),
            flagged,
        }
    }

    fn is_of(&self, class: u32) -> bool {
        self.suspect.class == class
    }
}

impl Findings<'_> {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let mut raised: Vec<Raised<'_>> = Vec::new();
        for found in self.classes.iter().filter(|found| found.is_target) {
            raised.push(Raised::of(found, self.target(found), self.flagged));
        }
        for witness in self.witnesses {
            for found in witness.classes.iter().filter(|found| found.is_target) {
                let new = Raised::of(found, self.patterned(found, witness), witness.flagged);
                let class = raised.iter().position(|one| one.is_of(found.class));
                match class {
                    Some(at) => {
                        let known = raised.swap_remove(at);
                        raised.push(self.joined(known, new));
                    }
                    None => raised.push(new),
                }
            }
        }
        let mut classes: Vec<SuspectClass> = raised.into_iter().map(|one| one.suspect).collect();
        let by_labels = |one: &&Witness<'_>| one.testimony == Testimony::Labels;
        for witness in self.witnesses.iter().filter(by_labels) {
            classes.extend(self.contradicted(witness, &classes));
        }
        classes.sort_by_key(|class| (std::cmp::Reverse(class.standing), class.class));
        let standing = classes.iter().map(|class| class.standing).max();
        let mut verdict = Verdict {
            standing: standing.unwrap_or(Standing::Clean),
            summary: String::new(),
            images: self.judged().into_iter().sum(),
            flagged: 0,
            classes,
            power: self.power.clone(),
            blind: None,
            warnings: self.warnings.clone(),
        };
        let poisoned = self.poisoned(&verdict);
        verdict.flagged = poisoned
            .into_iter()
            .filter(|&is_poisoned| is_poisoned)
            .count();
        if verdict.standing == Standing::Clean {
            verdict.blind = words::blind(&verdict.power, self.knows_labels);
        }
        verdict.warnings.extend(words::limits(&verdict, self));
        verdict.summary = words::summary(&verdict, self.labels.len());
        verdict
    }

    /// How many images there are of each class.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.class_names.len()];
        for &label in self.labels {
            if let Some(size) = sizes.get_mut(label as usize) {
                *size += 1;
            }
        }
        sizes
    }

    /// How many of them were judged: none of a class that is too small.
    fn judged(&self) -> Vec<usize> {
        let is_judged = |class: usize, size: usize| match self.judge {
            Some(_) => self
                .classes
                .iter()
                .any(|found| found.class as usize == class),
            None => self.is_seen(class, size),
        };
        let sizes = self.sizes().into_iter().enumerate();
        sizes
            .map(|(class, size)| if is_judged(class, size) { size } else { 0 })
            .collect()
    }

    /// Whether what looks at pictures or labels alone judges a class of so many images: labels of all, patterns where they can be found.
    fn is_seen(&self, class: usize, size: usize) -> bool {
        let sees = |one: &Witness<'_>| match one.testimony {
            Testimony::Patterns => one.judged[class],
            Testimony::Labels => self.labels.len() > size,
            _ => false,
        };
        self.witnesses.iter().any(sees)
    }

    /// Which images `verdict` takes for poisoned.
    pub fn poisoned(&self, verdict: &Verdict) -> Vec<bool> {
        let is_flagged = |image: usize, label: &str| {
            let own = self.judge.map(|judge| (judge, self.flagged));
            let others = self.witnesses.iter().map(|one| (one.label, one.flagged));
            let mut all = own.into_iter().chain(others);
            all.any(|(name, flagged)| name == label && flagged[image])
        };
        let images = self.labels.iter().enumerate();
        images
            .map(|(image, &class)| {
                verdict.takes_for_poisoned(self.name(class), |label| is_flagged(image, label))
            })
            .collect()
    }

    /// A class that falls apart, with all that speaks for poison in it.
    fn target(&self, found: &ClassFinding) -> SuspectClass {
        let mut evidence = vec![words::apart(found, self.classes)];
        // What lies below the border is a target because the search confirms it, so the search is no second evidence there.
        let mut is_confirmed = false;
        if let Some(search) = &found.search {
            is_confirmed |= search.confirms && found.gap >= found.border;
            evidence.push(words::search(search));
        }
        if let Some([count, inside]) = found.trusted
            && count >= ENOUGH_TRUSTED
        {
            let share = found.group as f64 / found.images.max(1) as f64;
            is_confirmed |= is_separate(count, inside, share);
            evidence.push(words::trusted(count, inside, share));
        }
        let judge = self.judge.unwrap_or_default();
        let mut suspect = self.suspect(found, judge, self.flagged, evidence);
        if is_confirmed {
            suspect.standing = Standing::Backdoored;
        }
        suspect
    }

    /// A class in which images share a pattern.
    fn patterned(&self, found: &ClassFinding, witness: &Witness<'_>) -> SuspectClass {
        let evidence = vec![words::shared(witness.label, found)];
        self.suspect(found, witness.label, witness.flagged, evidence)
    }

    /// A class that two detectors raise. Its images are those of the larger group where the groups confirm each other, since one of them may
    /// hold a part of the poison alone, unless they are of nearly one size: then a part that only likelihoods tell gives way to a group that
    /// shares something. Otherwise they are those of the one that stands apart further beside its border.
    fn joined<'a>(&self, one: Raised<'a>, other: Raised<'a>) -> Raised<'a> {
        let class = one.suspect.class;
        let agree = confirms(&self.counted(class, one.flagged, other.flagged))
            || confirms(&self.counted(class, other.flagged, one.flagged));
        let [size, of_other] = [&one, &other].map(|raised| raised.suspect.images);
        let (less, more) = (size.min(of_other), size.max(of_other));
        let nearly = less < more && less as f64 >= ONE_SIZE * more as f64;
        let is_other_first = match (agree, nearly) {
            (true, false) => of_other > size,
            (true, true) if one.is_part != other.is_part => one.is_part,
            _ => other.width > one.width,
        };
        let (mut first, second) = if is_other_first {
            (other, one)
        } else {
            (one, other)
        };
        first.suspect.standing = first.suspect.standing.max(second.suspect.standing);
        for sentence in second.suspect.evidence {
            if !first.suspect.evidence.contains(&sentence) {
                first.suspect.evidence.push(sentence);
            }
        }
        first
    }

    /// A class that the detector `found_by` has a suspicious `group` in: backdoored where another kind of evidence confirms the group.
    /// That a second detector sees something in the same pictures is no other kind: what a natural group shares may show in both.
    fn suspect(
        &self,
        found: &ClassFinding,
        found_by: &str,
        group: &[bool],
        mut evidence: Vec<String>,
    ) -> SuspectClass {
        let mut is_confirmed = false;
        let mut finder = self.witnesses.iter().filter(|one| one.label == found_by);
        let is_pattern = finder.any(|one| one.testimony == Testimony::Patterns);
        for witness in self.witnesses.iter().filter(|one| one.label != found_by) {
            let counted = self.counted(found.class, group, witness.flagged);
            let is_of_another_kind = match witness.testimony {
                Testimony::Labels => true,
                Testimony::Patterns => !is_pattern,
                Testimony::Classes | Testimony::Images => false,
            };
            if (is_of_another_kind || witness.knows_trusted) && confirms(&counted) {
                is_confirmed = true;
                evidence.push(words::witness(witness, &counted));
            }
        }
        let proof = self.proofs.get(&found.class).cloned();
        if let Some(proof) = &proof {
            is_confirmed |= proof.holds();
            evidence.push(words::proof(proof, self.name(found.class)));
        }
        SuspectClass {
            class: found.class,
            name: self.name(found.class).to_owned(),
            standing: if is_confirmed {
                Standing::Backdoored
            } else {
                Standing::Suspicious
            },
            found_by: found_by.to_owned(),
            images: found.group,
            interval: interval(found.group, found.images),
            evidence,
            proof,
            picture: None,
        }
    }

    /// Classes whose labels are doubted far more often than those of any other, besides `known` ones.
    fn contradicted(&self, witness: &Witness<'_>, known: &[SuspectClass]) -> Vec<SuspectClass> {
        let mut suspects = Vec::new();
        let counts = self.by_class(witness);
        for (class, &[images, flagged]) in counts.iter().enumerate() {
            let others = counts
                .iter()
                .enumerate()
                .filter(|&(other, _)| other != class);
            let others: Vec<[usize; 2]> = others.map(|(_, &count)| count).collect();
            let number = class as u32;
            let is_known = known.iter().any(|one| one.class == number);
            if is_known || !contradicts_class([images, flagged], &others) {
                continue;
            }
            suspects.push(SuspectClass {
                class: number,
                name: self.name(number).to_owned(),
                standing: Standing::Suspicious,
                found_by: witness.label.to_owned(),
                images: flagged,
                interval: interval(flagged, images),
                evidence: vec![words::doubted(witness.label, [images, flagged], &others)],
                proof: None,
                picture: None,
            });
        }
        suspects
    }

    /// Images of each class, and those that the witness flags.
    fn by_class(&self, witness: &Witness<'_>) -> Vec<[usize; 2]> {
        let mut counts = vec![[0; 2]; self.class_names.len()];
        for (&label, &flag) in self.labels.iter().zip(witness.flagged) {
            if let Some([images, flagged]) = counts.get_mut(label as usize) {
                *images += 1;
                *flagged += usize::from(flag);
            }
        }
        counts
    }

    /// What is flagged inside and outside of a group of `class`.
    fn counted(&self, class: u32, group: &[bool], flagged: &[bool]) -> Counted {
        let mut counted = Counted::default();
        let images = self.labels.iter().zip(group).zip(flagged);
        for ((&label, &inside), &flag) in images {
            if label != class {
                continue;
            }
            let part = if inside {
                &mut counted.inside
            } else {
                &mut counted.outside
            };
            part[0] += 1;
            part[1] += usize::from(flag);
        }
        counted
    }

    fn name(&self, class: u32) -> &str {
        self.class_names
            .get(class as usize)
            .map_or("?", String::as_str)
    }
}

#[cfg(test)]
mod tests;
