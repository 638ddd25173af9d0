//! Proof of a backdoor: the trigger is recovered from flagged images and put on others.
//!
//! What flagged images of a class share is put on unflagged images of other classes. Where the classifier then says the class, and does
//! not when something else is put on in the same way, the flagged images carry a trigger. Candidates are a patch (pixels at which they
//! agree), a blend (their mean and spread beside those of others) and a patch at varying places (what Cognitive Distillation keeps of
//! them). The candidate is chosen on some images and proven on others. Two things stand beside it, and the larger count is the control:
//! a random crop of an unflagged image of the class in the trigger's place and strength, and the same recovery from unflagged images of
//! the class and of two others (poison that was missed among them makes the control larger, never smaller).

mod agreement;
mod appearance;
mod candidates;
mod moving;
mod trigger;
mod turning;
mod workers;

use std::collections::BTreeSet;

use cd_core::Task;

use crate::decide::Proof;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::masks::Masks;

use candidates::{Candidates, Kind};
use turning::{Hosts, Turning};

pub use appearance::appearance;
pub use trigger::RecoveredTrigger;

/// Fewest flagged images of the class that a trigger is recovered from.
const FEWEST_FLAGGED: usize = 4;
/// Fewest other images for a proof.
const FEWEST_HOSTS: usize = 10;
/// Other classes that the same recovery is tried on.
const PLACEBOS: usize = 2;
/// Share of the images that a proof turns at least.
const TURNED: f64 = 0.5;
/// How many times that of the control it is at least: what natural groups share seldom does so much.
const TIMES_CONTROL: usize = 2;

/// Shares of its strength at which a trigger is tried where all of it does no more than its control: a classifier that was taught a blend
/// may be led by anything that is laid over an image, but by no other thing as weak as its own may be.
const WEAKER: [f32; 3] = [0.5, 0.25, 0.125];

/// Settings of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Images of other classes that carry the trigger for the proof, at least 1; fewer where there are fewer.
    pub images: usize,
    /// Flagged images whose masks are searched for a patch at varying places; 0 looks for none.
    pub masks: usize,
    /// Chooses images and places.
    pub seed: u64,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            images: 100,
            masks: 16,
            seed: 0,
        }
    }
}

/// The images that are suspected to carry a trigger.
#[derive(Debug, Clone, Copy)]
pub struct Suspects<'a> {
    /// The class that the trigger leads to.
    pub class: u32,
    /// Flagged images; those of other classes are left out of everything.
    pub flagged: &'a [usize],
    /// Masks of all images, where they were searched before.
    pub masks: Option<&'a Masks>,
}

/// A trigger and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// How many images it turns, beside the control; without a picture's path.
    pub proof: Proof,
    /// The trigger.
    pub trigger: RecoveredTrigger,
    /// Classes whose images it turns, where it does not turn those of all: the images of the proof are of these.
    pub sources: Option<Vec<u32>>,
    /// The images of the proof, by position.
    pub images: Vec<usize>,
    /// Which of them turned by it, in the strength of the proof.
    pub turned: Vec<bool>,
}

impl Proof {
    /// Whether it is one: at least half of the images turned, and twice as many as by the control. Otherwise the suspicion rests on
    /// statistics alone.
    pub fn holds(&self) -> bool {
        self.turns_most() && self.turned >= TIMES_CONTROL * self.control
    }

    /// Whether at least half of the images turned, whatever the control did.
    pub fn turns_most(&self) -> bool {
        self.turned as f64 >= TURNED * self.images.max(1) as f64
    }

    /// What was put on the images: the recovered trigger, or some of it.
    pub fn tried(&self) -> String {
        if self.strength < 1.0 {
            let percent = 100.0 * self.strength;
            format!(
                "recovered {}, at {percent:.0} % of its strength,",
                self.kind
            )
        } else {
            format!("recovered {}", self.kind)
        }
    }
}

/// Recovers the trigger of the class `suspects.class` and puts it on other images. `None` where there are too few images for that:
/// flagged ones of the class, or unflagged ones of others that the classifier does not take for the class.
///
/// Needs labels and predictions. It is a function of its arguments: `evidence.compute` changes nothing of the result.
///
/// # Errors
///
/// When labels or predictions are absent, a setting or an index is out of range, images cannot be read, or a search fails.
pub fn prove(
    evidence: &Evidence<'_>,
    suspects: &Suspects<'_>,
    settings: &Recovery,
) -> Result<Option<Recovered>, DetectError> {
    let Some(groups) = Groups::of(evidence, suspects, settings)? else {
        return Ok(None);
    };
    let _task = Task::start(evidence.compute.progress, "recovering the trigger", None);
    let Some(found) = attempt(evidence, suspects, &groups, &Kind::ALL, settings)? else {
        return Ok(None);
    };
    let placebos = groups
        .placebos(evidence, suspects, settings)?
        .into_iter()
        .map(|class| {
            placebo(
                evidence,
                suspects,
                class,
                groups.sides.inside.len(),
                &Kind::ALL[..found.kinds],
                settings,
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let trial = Trial {
        turning: Turning::new(evidence, suspects.class, settings.seed),
        found: &found,
        donors: groups.donors(),
        placebos: placebos.into_iter().flatten().collect(),
    };
    let mut result = trial.result(1.0)?;
    if result.proof.turns_most() && !result.proof.holds() {
        let weaker = trial.weaker()?;
        if weaker.proof.holds() {
            result = weaker;
        }
    }
    let Tried { proof, turned } = result;
    Ok(Some(Recovered {
        proof,
        turned,
        trigger: found.trigger,
        sources: found.sources,
        images: found.images,
    }))
}

/// What a trigger of some strength did.
struct Tried {
    proof: Proof,
    turned: Vec<bool>,
}

/// A recovery beside what it is compared with.
struct Trial<'a> {
    turning: Turning<'a>,
    found: &'a Attempt,
    /// What crops are taken from.
    donors: Vec<usize>,
    /// The same recovery from images that are not flagged.
    placebos: Vec<(Turning<'a>, Attempt)>,
}

impl Trial<'_> {
    /// The proof with a share of the trigger's strength, and of those of the controls.
    fn result(&self, strength: f32) -> Result<Tried, DetectError> {
        let Attempt {
            trigger, images, ..
        } = self.found;
        let trigger = trigger.weakened(strength);
        let turned = self.turning.by(&trigger, images)?;
        let mut control = count(&self.turning.by_crops(&trigger, &self.donors, images)?);
        for (turning, placebo) in &self.placebos {
            let others = turning.by(&placebo.trigger.weakened(strength), &placebo.images)?;
            let share = count(&others) as f64 / placebo.images.len().max(1) as f64;
            control = control.max((share * images.len() as f64).round() as usize);
        }
        let proof = Proof {
            kind: trigger.kind().to_owned(),
            strength: f64::from(strength),
            images: images.len(),
            turned: count(&turned),
            control,
            picture: None,
        };
        Ok(Tried { proof, turned })
    }

    /// The proof with the weaker trigger that does most beyond a crop, on the images for choosing.
    fn weaker(&self) -> Result<Tried, DetectError> {
        let mut best = (WEAKER[0], 0);
        for strength in WEAKER {
            let trigger = self.found.trigger.weakened(strength);
            let turned = count(&self.turning.by(&trigger, &self.found.choosing)?);
            let crops = self
                .turning
                .by_crops(&trigger, &self.donors, &self.found.choosing)?;
            let beyond = turned.saturating_sub(count(&crops));
            if beyond > best.1 {
                best = (strength, beyond);
            }
        }
        self.result(best.0)
    }
}

/// A recovery without its control.
struct Attempt {
    trigger: RecoveredTrigger,
    /// Kinds of triggers that were looked at.
    kinds: usize,
    sources: Option<Vec<u32>>,
    /// Images that it was chosen by, and others that it is proven on.
    choosing: Vec<usize>,
    images: Vec<usize>,
}

fn attempt(
    evidence: &Evidence<'_>,
    suspects: &Suspects<'_>,
    groups: &Groups,
    kinds: &[Kind],
    settings: &Recovery,
) -> Result<Option<Attempt>, DetectError> {
    let turning = Turning::new(evidence, suspects.class, settings.seed);
    let hosts = Hosts::split(evidence, &groups.hosts, settings)?;
    let candidates = Candidates {
        evidence,
        masks: suspects.masks,
        groups,
        settings,
    };
    let best = candidates.best(&groups.sides.inside, kinds, &turning, &hosts)?;
    let Some((chosen, kinds)) = best else {
        return Ok(None);
    };
    let images = hosts.proof(evidence, chosen.sources.as_deref(), settings)?;
    if images.is_empty() {
        return Ok(None);
    }
    Ok(Some(Attempt {
        trigger: chosen.trigger,
        kinds,
        sources: chosen.sources,
        choosing: hosts.choosing(),
        images,
    }))
}

/// What `count_inside` unflagged images of `class` share, and what it is tried by: the same recovery, by the same kinds, without a trigger.
fn placebo<'a>(
    evidence: &'a Evidence<'a>,
    suspects: &Suspects<'_>,
    class: u32,
    count_inside: usize,
    kinds: &[Kind],
    settings: &Recovery,
) -> Result<Option<(Turning<'a>, Attempt)>, DetectError> {
    let labels = evidence.labels()?;
    let flagged: BTreeSet<usize> = suspects.flagged.iter().copied().collect();
    let own = (0..labels.len()).filter(|at| labels[*at] == class && !flagged.contains(at));
    let own: Vec<usize> = own.collect();
    let inside = candidates::drawn(&own, count_inside, settings.seed, "placebo");
    let taken: Vec<usize> = flagged.iter().chain(&inside).copied().collect();
    let suspects = Suspects {
        class,
        flagged: &taken,
        masks: suspects.masks,
    };
    // What is flagged in the class itself is left out with everything that is flagged.
    let Some(mut groups) = Groups::of(evidence, &suspects, settings)? else {
        return Ok(None);
    };
    groups.sides.inside = inside;
    let found = attempt(evidence, &suspects, &groups, kinds, settings)?;
    let turning = Turning::new(evidence, class, settings.seed);
    Ok(found.map(|found| (turning, found)))
}

fn count(turned: &[bool]) -> usize {
    turned.iter().filter(|turned| **turned).count()
}

/// Images by class and flag; every list is in ascending order.
struct Sides {
    /// Flagged, of the class.
    inside: Vec<usize>,
    /// Unflagged, of the class.
    own: Vec<usize>,
    /// Unflagged, of other classes.
    others: Vec<usize>,
}

impl Sides {
    fn of(labels: &[u32], suspects: &Suspects<'_>) -> Self {
        let flagged: BTreeSet<usize> = suspects.flagged.iter().copied().collect();
        let all = |is_own: bool, is_flagged: bool| -> Vec<usize> {
            let images = (0..labels.len()).filter(|index| {
                (labels[*index] == suspects.class) == is_own
                    && flagged.contains(index) == is_flagged
            });
            images.collect()
        };
        Self {
            inside: all(true, true),
            own: all(true, false),
            others: all(false, false),
        }
    }
}

/// Images by what they are used for; every list is in ascending order.
struct Groups {
    sides: Sides,
    /// Those of other classes, unflagged, that the classifier does not take for the class.
    hosts: Vec<usize>,
}

impl Groups {
    fn of(
        evidence: &Evidence<'_>,
        suspects: &Suspects<'_>,
        settings: &Recovery,
    ) -> Result<Option<Self>, DetectError> {
        let labels = evidence.labels()?;
        let predictions = evidence.predictions()?;
        if settings.images == 0 {
            return Err(wrong("images", &0, "at least 1"));
        }
        let last = suspects.flagged.iter().max();
        if let Some(index) = last.filter(|index| **index >= labels.len()) {
            return Err(wrong("flagged", index, "positions of images"));
        }
        if suspects.class as usize >= evidence.class_count {
            return Err(wrong("class", &suspects.class, "the number of a class"));
        }
        let sides = Sides::of(labels, suspects);
        let is_host = |index: &usize| predictions.class(*index) != suspects.class;
        let hosts: Vec<usize> = sides.others.iter().copied().filter(is_host).collect();
        let enough = sides.inside.len() >= FEWEST_FLAGGED && hosts.len() >= FEWEST_HOSTS;
        Ok(enough.then_some(Self { sides, hosts }))
    }

    /// Classes whose unflagged images are tried in the same way: the class itself, for what is usual in it may lead to it as well, and
    /// others with few flagged images, for what is missed there could carry a trigger.
    fn placebos(
        &self,
        evidence: &Evidence<'_>,
        suspects: &Suspects<'_>,
        settings: &Recovery,
    ) -> Result<Vec<u32>, DetectError> {
        let labels = evidence.labels()?;
        let mut flagged = vec![0_usize; evidence.class_count];
        let mut free = vec![0_usize; evidence.class_count];
        for &index in suspects.flagged {
            flagged[labels[index] as usize] += 1;
        }
        for &index in &self.sides.others {
            free[labels[index] as usize] += 1;
        }
        let classes: Vec<usize> = (0..evidence.class_count)
            .filter(|&class| free[class] >= FEWEST_FLAGGED)
            .collect();
        let mut order = candidates::shuffled(&classes, settings.seed, "placebo classes");
        order.sort_by_key(|&class| flagged[class]);
        order.truncate(PLACEBOS);
        let itself = (self.sides.own.len() >= FEWEST_FLAGGED).then_some(suspects.class);
        let others = order.into_iter().map(|class| class as u32);
        Ok(itself.into_iter().chain(others).collect())
    }

    /// What crops are taken from: unflagged images of the class, or of others where there is none.
    fn donors(&self) -> Vec<usize> {
        let Sides { own, others, .. } = &self.sides;
        if own.is_empty() {
            others.clone()
        } else {
            own.clone()
        }
    }
}

fn wrong(key: &'static str, value: &impl ToString, expected: &'static str) -> DetectError {
    DetectError::Config {
        key,
        value: value.to_string(),
        expected,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
