//! Cascade: one pass over everything, Cognitive Distillation for what it raises and for a random share.
//!
//! Threat model: that of the fusion. What the search adds: masks of the images that matter, and a second opinion on each class that
//! falls apart, for a group whose images carry their class along to other images is poisoned, and a natural one is not.
//!
//! Ours, after Huang, Ma, Erfani, Bailey: *Distilling Cognitive Backdoor Patterns within an Image*, ICLR 2023.

use std::collections::BTreeSet;

use cd_core::{Key, random};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::fusion::gap::Split;
use super::fusion::{Fusion, Judged, is_unnatural};
use super::transplant::{CARRIED, MASKS, NORMS, Transplant};
use super::{Detector, DetectorInfo};
use crate::compute::{Compute, Shard};
use crate::decide::{SearchFinding, Testimony, is_separate};
use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::masks::Masks;
use crate::needs::Needs;
use crate::statistics::ranks;
use crate::sweep::{Batch, Kind, Sweep};

/// A gap of this share of the border raises a class, of those below it the widest.
const RAISED: f64 = 0.75;
/// Below this many times the border a class falls apart narrowly: it is no target where the search, by small masks and by confidence on hosts,
/// both, says nothing for it; nor is a handful of images where not both speak for it.
const NARROW: f64 = 1.5;
/// A group is a handful below this many times the probes of a group: as many as a series of pictures of one thing has.
const HANDFUL: usize = 2;
/// Chance that a probe of the suspicious group looks more suspicious than one of the other, from which a group is confirmed; where the mean of
/// both chances is at most one less it, and neither speaks for the group, the other one is the suspicious one. By small masks and by confidence on hosts, both: what is easy to recognise carries
/// its class as well as a trigger does, but not in a small part. Of 16 equal probes each comes so far once in 40 times.
const CONFIRMED: f64 = 0.7;
/// The mean of both chances that makes a group below its border a suspicious one, where it is no handful: with nothing but the search to speak
/// for it.
const ALONE: f64 = 0.85;
/// So many of the raised classes below their border are searched, the widest: a fine-tuned network raises nearly every class.
const LOWER: usize = 3;
/// Fewer probes of a group say nothing.
const FEWEST_PROBES: usize = 8;

/// Settings of the cascade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cascade {
    /// What looks at everything.
    pub first: Fusion,
    /// How the raised images are searched.
    pub search: Transplant,
    /// Images of each group of a raised class that are searched; at least 8.
    pub probes: usize,
    /// Share of all images that is searched because it is the most suspicious, from 0 to 1.
    pub share: f64,
    /// Of these images at least so many, for their pictures.
    pub shown: usize,
    /// Share of all images that is searched at random, to compare with; above 0, at most 1.
    pub random: f64,
    /// Chooses the probes and the random share.
    pub seed: u64,
}

impl Default for Cascade {
    fn default() -> Self {
        Self {
            first: Fusion::default(),
            search: Transplant {
                hosts: 16,
                ..Transplant::default()
            },
            probes: 16,
            share: 0.01,
            shown: 48,
            random: 0.01,
            seed: 0,
        }
    }
}

impl Cascade {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "cascade",
        title: "Cascade of fusion and transplanted patterns",
        summary: "Looks at all images with the fusion, and with CD-L and hosts at some of each group of the classes that fall apart, at the most suspicious images and at a random share; what the search confirms is suspicious.",
        threat_model: "As the fusion; the search tells a poisoned group from a natural one without clean images, and which of two groups is the poisoned one.",
        paper: "ours, after Huang, Ma, Erfani, Bailey: Distilling Cognitive Backdoor Patterns within an Image, ICLR 2023",
        source: "none",
        notes: "A class is raised from three quarters of the fusion's border on, of those below it the three widest; between there and the border it is a target when random probes of its groups confirm it by small masks and by confidence on hosts, both clearly: images that are easy to recognise carry their class as well as a trigger does, but in large masks; a group smaller than its probes is none there. From the border to half as much more it is none when neither speaks for it; nor, for a group smaller than its probes, when their mean does not.",
        judges_clean: false,
        rule: Some(
            "the fusion's rule, with groups turned round where the search says so, and with raised classes below its border whose group, of 32 images or more, the search confirms, without those narrowly above it for which the search finds nothing",
        ),
    };

    /// The same flags without the pictures: what is searched besides the probes changes scores and masks alone.
    #[must_use]
    pub fn for_flags(&self) -> Self {
        Self {
            share: 0.0,
            shown: 0,
            // One image.
            random: f64::MIN_POSITIVE,
            ..self.clone()
        }
    }

    /// The images to search: probes of raised classes, the most suspicious ones, and some at random.
    fn chosen(&self, judged: &Judged) -> Chosen {
        let count = judged.witness.len();
        let mut probes = vec![[Vec::new(), Vec::new()]; judged.splits.len()];
        for (class, split) in self.raised(&judged.splits) {
            let images = &judged.of_class[class];
            for second in [false, true] {
                let group = (0..images.len()).filter(|&at| (split.odds[at] > 0.0) == second);
                let group: Vec<usize> = group.map(|at| images[at]).collect();
                let purpose =
                    random::named("probes").wrapping_add(2 * class as u64 + u64::from(second));
                probes[class][usize::from(second)] = self.drawn(group, self.probes, purpose);
            }
        }
        let mut all: BTreeSet<usize> = probes.iter().flatten().flatten().copied().collect();
        let of_all = |share: f64| (share * count as f64).ceil() as usize;
        let first = judged.detection(&self.first, |_, split| self.first.is_target(split));
        let suspicious = of_all(self.share).max(self.shown);
        all.extend(first.ranking().into_iter().take(suspicious));
        let everything = (0..count).collect();
        all.extend(self.drawn(everything, of_all(self.random), random::named("null")));
        Chosen { all, probes }
    }

    fn drawn(&self, mut from: Vec<usize>, wanted: usize, purpose: u64) -> Vec<usize> {
        from.shuffle(&mut random::stream(self.seed, purpose));
        from.truncate(wanted);
        from
    }

    /// The classes that are searched: those at their border, and the widest below it.
    fn raised<'a>(&self, splits: &'a [Option<Split>]) -> Vec<(usize, &'a Split)> {
        let splits = splits.iter().enumerate();
        let raised = splits.filter_map(|(class, split)| Some((class, split.as_ref()?)));
        let raised = raised.filter(|(_, split)| self.is_raised(split));
        let (mut searched, mut lower): (Vec<_>, Vec<_>) =
            raised.partition(|(_, split)| split.gap >= self.first.border_of(split));
        lower.retain(|(_, split)| is_unnatural(split));
        let width = |split: &Split| split.gap / self.first.border_of(split);
        lower.sort_by(|(_, a), (_, b)| width(b).total_cmp(&width(a)));
        searched.extend(lower.into_iter().take(LOWER));
        searched
    }

    fn is_raised(&self, split: &Split) -> bool {
        split.gap >= RAISED * self.first.border_of(split)
    }

    /// The place of each searched image among them by small norm and by confidence on the hosts, and the masks of those images; `None`
    /// when parts of other shards are missing.
    fn searched(
        &self,
        evidence: &Evidence<'_>,
        chosen: &BTreeSet<usize>,
    ) -> Result<Option<Search>, DetectError> {
        let predictions = evidence.predictions()?;
        let method = self
            .search
            .method()
            .scaled_to(evidence.images.height(), evidence.images.width());
        let chosen_key = Key::of("raised").with("images", chosen).finish();
        let settings = format!("{:?} {chosen_key}", self.search);
        // Few images: whoever has the whole first pass searches them all.
        let compute = Compute {
            shard: Shard::WHOLE,
            ..evidence.compute
        };
        let chosen: Vec<usize> = chosen.iter().copied().collect();
        let images = evidence.images.select(&chosen);
        let sweep = Sweep {
            name: "searched",
            task: "distilling what was raised",
            settings: &settings,
            images: images.pixels(),
            columns: &[
                (NORMS, Kind::Numbers),
                (CARRIED, Kind::Numbers),
                (MASKS, Kind::Bytes),
            ],
        };
        let swept = sweep.run(&compute, |Batch { numbers, images }| {
            let numbers = numbers.iter().map(|&place| chosen[place as usize] as u64);
            let numbers: Vec<u64> = numbers.collect();
            let search = &self.search;
            search.transplanted(evidence, predictions, &method, &numbers, &images)
        })?;
        let Some(mut swept) = swept else {
            return Ok(None);
        };
        let (norms, carried) = (swept.numbers(NORMS), swept.numbers(CARRIED));
        let mut places = vec![None; predictions.len()];
        let small = ranks(&norms.iter().map(|norm| -norm).collect::<Vec<f64>>());
        for ((&image, small), carried) in chosen.iter().zip(small).zip(ranks(&carried)) {
            places[image] = Some([small, carried]);
        }
        let masks = swept.masks(MASKS).with_images(chosen);
        Ok(Some(Search { places, masks }))
    }

    /// What the search makes of the classes: groups turned round, and for each class whether it is a target, and what was found
    /// of the group that is then the suspicious one.
    fn verdicts(
        &self,
        judged: &mut Judged,
        chosen: &Chosen,
        searched: &[Option<Places>],
    ) -> Vec<Searched> {
        let mut classes = vec![Searched::default(); judged.splits.len()];
        for (class, split) in judged.splits.iter_mut().enumerate() {
            let Some(split) = split.as_mut().filter(|split| self.is_raised(split)) else {
                continue;
            };
            let mut chances = chosen.chances(class, searched);
            let is_sure = self.first.is_target(split);
            // Trusted images know where a class lies, so they are not overruled.
            let mean = f64::midpoint(chances[0], chances[1]);
            if is_sure
                && mean <= 1.0 - CONFIRMED
                && chances.iter().all(|&chance| chance < 0.5)
                && split.trusted.is_empty()
            {
                for odds in &mut split.odds {
                    *odds = -*odds;
                }
                chances = chances.map(|chance| 1.0 - chance);
            }
            let [smaller_mask, carries_further] = chances;
            let confirms = chances.iter().all(|&chance| chance >= CONFIRMED);
            let mean = f64::midpoint(smaller_mask, carries_further);
            // Large parts that stand out are no odd images, and what lies in all of an image has no small mask.
            let is_narrow = split.own.is_none() && split.gap < NARROW * self.first.border_of(split);
            let says_nothing = chances.iter().all(|&chance| chance < CONFIRMED);
            // A handful of images, narrowly apart, is an odd view of what the class shows, or one series of pictures: dark ones have small masks,
            // and clear ones carry their class. Below the border not even both speak for it: the clearest views of a plain object have both.
            let is_handful = split.group() < HANDFUL * self.probes;
            let is_enough = confirms && mean >= ALONE && !is_handful;
            let is_refuted = is_narrow
                && chosen.is_probed(class)
                && !stays_out(split)
                && (says_nothing || (is_handful && !confirms));
            classes[class] = Searched {
                is_target: (is_sure && !is_refuted) || (is_enough && is_unnatural(split)),
                found: Some(SearchFinding {
                    smaller_mask,
                    carries_further,
                    confirms,
                })
                .filter(|_| chosen.is_probed(class)),
            };
        }
        classes
    }
}

/// Whether trusted images stay out of the suspicious group, where chance would put some into a natural one.
fn stays_out(split: &Split) -> bool {
    let [count, inside] = split.trusted_inside();
    is_separate(count, inside, split.share())
}

/// The place of a searched image among them by small norm and by confidence on the hosts, from 0 to 1.
type Places = [f64; 2];

/// What the search gives.
struct Search {
    /// Of every image, where it was searched.
    places: Vec<Option<Places>>,
    masks: Masks,
}

/// What the search has shown of a class.
#[derive(Debug, Clone, Copy, Default)]
struct Searched {
    is_target: bool,
    found: Option<SearchFinding>,
}

/// The images that are searched.
struct Chosen {
    all: BTreeSet<usize>,
    /// Of each class those drawn from either group, the suspicious one second. They alone judge the class: what is searched because it
    /// looks suspicious is suspicious in a clean class, too.
    probes: Vec<[Vec<usize>; 2]>,
}

impl Chosen {
    /// The chances that a probe of the suspicious group of `class` has a smaller mask, and more confidence on hosts, than one of the
    /// other; one half where they are too few to tell.
    fn chances(&self, class: usize, searched: &[Option<Places>]) -> [f64; 2] {
        [0, 1].map(|by| {
            let places = |group: &Vec<usize>| -> Vec<f64> {
                let found = group.iter().filter_map(|&image| searched[image]);
                found.map(|places| places[by]).collect()
            };
            let [other, suspicious] = self.probes[class].each_ref().map(places);
            match other.len().min(suspicious.len()) {
                0..FEWEST_PROBES => 0.5,
                _ => chance_above(&suspicious, &other),
            }
        })
    }

    /// Whether enough probes of both groups were drawn to tell.
    fn is_probed(&self, class: usize) -> bool {
        self.probes[class]
            .iter()
            .all(|group| group.len() >= FEWEST_PROBES)
    }

    /// What was searched, and what the probes of each class have shown.
    fn words(&self, searched: &[Option<Places>]) -> String {
        let probed = self.probes.iter().enumerate();
        let probed = probed.filter(|(_, groups)| groups.iter().any(|group| !group.is_empty()));
        let chances = probed.map(|(class, _)| {
            let [small, carried] = self.chances(class, searched);
            format!("{small:.2} and {carried:.2} in class {class}")
        });
        let chances: Vec<String> = chances.collect();
        let count = self.all.len();
        if chances.is_empty() {
            return format!("{count} images were searched");
        }
        format!(
            "{count} images were searched; chances that masks are smaller and carry the class further than in the other group: {}",
            chances.join(", ")
        )
    }
}

/// The chance that a value of `these` lies above one of `those`, ties counting half; one half without values.
fn chance_above(these: &[f64], those: &[f64]) -> f64 {
    let pairs = these.iter().flat_map(|a| those.iter().map(move |b| (a, b)));
    let wins = pairs.map(|(a, b)| {
        if a > b {
            1.0
        } else if a < b {
            0.0
        } else {
            0.5
        }
    });
    match these.len() * those.len() {
        0 => 0.5,
        count => wins.sum::<f64>() / count as f64,
    }
}

impl Detector for Cascade {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        self.first.check()?;
        self.search.check()?;
        let wrong = |key, value: String, expected| {
            Err(DetectError::Config {
                key,
                value,
                expected,
            })
        };
        if self.probes < FEWEST_PROBES {
            return wrong("probes", self.probes.to_string(), "at least 8");
        }
        if !(0.0..=1.0).contains(&self.share) {
            return wrong("share", self.share.to_string(), "a number from 0 to 1");
        }
        if !(self.random > 0.0 && self.random <= 1.0) {
            return wrong(
                "random",
                self.random.to_string(),
                "a number above 0 and at most 1",
            );
        }
        Ok(())
    }

    fn revision(&self) -> u32 {
        3
    }

    fn needs(&self) -> Needs {
        self.first.needs().and(self.search.needs())
    }

    fn testimony(&self) -> Testimony {
        Testimony::Classes
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let Some(mut judged) = self.first.judge(evidence)? else {
            return Ok(None);
        };
        let chosen = self.chosen(&judged);
        let Some(Search {
            places: searched,
            masks,
        }) = self.searched(evidence, &chosen.all)?
        else {
            return Ok(None);
        };
        let words = chosen.words(&searched);
        let classes = self.verdicts(&mut judged, &chosen, &searched);
        for (witness, searched) in judged.witness.iter_mut().zip(&searched) {
            // The search knows better than the members where it has looked.
            *witness = searched.map_or(*witness, |[small, carried]| {
                f64::midpoint(*witness, f64::midpoint(small, carried))
            });
        }
        let mut found = judged.detection(&self.first, |class, _| classes[class].is_target);
        for found in &mut found.classes {
            found.search = classes[found.class as usize].found;
        }
        if let Some(own) = &mut found.own {
            own.explanation = format!("{}; {words}", own.explanation);
        }
        found.masks = Some(masks);
        Ok(Some(found))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn chances_count_pairs_and_halve_ties() {
        assert!((chance_above(&[1.0, 3.0], &[2.0]) - 0.5).abs() < 1e-12);
        assert!((chance_above(&[2.0], &[2.0, 1.0]) - 0.75).abs() < 1e-12);
        assert!((chance_above(&[], &[2.0]) - 0.5).abs() < 1e-12);
    }

    /// One whose border is the same for groups of all sizes.
    fn level() -> Cascade {
        Cascade {
            first: Fusion {
                rise: 0.0,
                ..Fusion::default()
            },
            ..Cascade::default()
        }
    }

    /// A class of 40 images in two groups, the last ten the suspicious one.
    fn judged(gap: f64, trusted: Vec<f64>) -> Judged {
        let odds = (0..40).map(|image| if image < 30 { -3.0 } else { 3.0 });
        Judged {
            splits: vec![Some(Split {
                view: "in the features",
                gap,
                own: None,
                odds: odds.collect(),
                trusted,
                learned: vec![true; 40],
            })],
            witness: vec![0.5; 40],
            of_class: vec![(0..40).collect()],
            unfit: Vec::new(),
        }
    }

    /// Whether the class is a target, and whether its last image is suspicious, where the search gives the last ten these places, the
    /// others lie evenly from 0 to 1, and `probes` images of the suspicious group are probes.
    fn verdict_of(probes: usize, gap: f64, last: Places, trusted: Vec<f64>) -> (bool, bool) {
        verdict_by(&level(), probes, gap, last, trusted)
    }

    fn verdict_by(
        cascade: &Cascade,
        probes: usize,
        gap: f64,
        last: Places,
        trusted: Vec<f64>,
    ) -> (bool, bool) {
        let mut judged = judged(gap, trusted);
        let even = (0..30).map(|image| Some([f64::from(image) / 29.0; 2]));
        let searched: Vec<Option<Places>> = even.chain([Some(last); 10]).collect();
        let chosen = Chosen {
            all: (0..40).collect(),
            probes: vec![[(0..30).collect(), (30..30 + probes).collect()]],
        };
        let targets = cascade.verdicts(&mut judged, &chosen, &searched);
        let split = judged.splits[0].as_ref().expect("there is one");
        (targets[0].is_target, split.odds[39] > 0.0)
    }

    fn verdict(gap: f64, last: f64, trusted: Vec<f64>) -> (bool, bool) {
        verdict_of(10, gap, [last; 2], trusted)
    }

    /// Where ten images are no handful.
    fn of_ten() -> Cascade {
        Cascade {
            probes: 5,
            ..level()
        }
    }

    #[test]
    fn the_search_confirms_turns_round_and_leaves_alone() {
        let found = verdict_by(&of_ten(), 10, 4.0, [2.0; 2], Vec::new());
        assert_eq!(found, (true, true));
        assert_eq!(verdict(4.0, 0.5, Vec::new()), (false, true));
        assert_eq!(verdict(4.0, -1.0, Vec::new()), (false, true));
        // Far apart they are a target, whatever the search says; hardly apart they are none; between them it is enough that one witness of
        // the search speaks for it, where it is no handful.
        assert_eq!(verdict(8.0, -1.0, Vec::new()), (true, false));
        assert_eq!(verdict(8.0, 0.5, Vec::new()), (true, true));
        assert_eq!(verdict(6.0, 0.5, Vec::new()), (false, true));
        for places in [[0.5, 2.0], [2.0, 0.5]] {
            let found = verdict_by(&of_ten(), 10, 6.0, places, Vec::new());
            assert_eq!(found, (true, true));
            assert_eq!(verdict_of(10, 6.0, places, Vec::new()), (false, true));
        }
        assert_eq!(verdict_of(7, 6.0, [0.5; 2], Vec::new()), (true, true));
        // Enough trusted images that lie in the other group outweigh the search; a few may lie there by chance.
        assert_eq!(verdict(6.0, 0.5, vec![-3.0; 20]), (true, true));
        assert_eq!(verdict(6.0, 0.5, vec![-3.0; 6]), (false, true));
        assert_eq!(verdict(3.0, 2.0, Vec::new()), (false, true));
        // What carries its class in large masks, or does not in small ones, is natural.
        let below = |last| verdict_by(&of_ten(), 10, 4.0, last, Vec::new());
        assert_eq!(below([0.5, 2.0]), (false, true));
        assert_eq!(below([2.0, 0.5]), (false, true));
        assert_eq!(verdict_of(10, 8.0, [0.5, -1.0], Vec::new()), (true, true));
        // Where one speaks clearly against a group, and the other not for it, the other group is the suspicious one.
        assert_eq!(
            verdict_by(&of_ten(), 10, 6.0, [0.33, -1.0], Vec::new()),
            (true, false)
        );
        assert_eq!(verdict_of(10, 8.0, [0.6, -1.0], Vec::new()), (true, true));
        // A handful for which one speaks is none where the other speaks against it; more images are.
        assert_eq!(verdict_of(10, 6.0, [0.1, 0.9], Vec::new()), (false, true));
        let found = verdict_by(&of_ten(), 10, 6.0, [0.1, 0.9], Vec::new());
        assert_eq!(found, (true, true));
        // What both speak for, but not clearly, is none below the border.
        assert_eq!(below([0.8, 0.75]), (false, true));
        assert_eq!(below([0.95, 0.8]), (true, true));
        // Nor is a handful there, however clearly they speak.
        assert_eq!(verdict(4.0, 2.0, Vec::new()), (false, true));
        assert_eq!(verdict_of(10, 6.0, [0.8, 0.75], Vec::new()), (true, true));
        // Trusted images that lie in the other group are not overruled.
        assert_eq!(verdict(8.0, -1.0, vec![-3.0; 6]), (true, true));
        let found = verdict_by(&of_ten(), 10, 4.0, [2.0; 2], vec![3.0; 6]);
        assert_eq!(found, (false, true));
    }

    #[test]
    fn few_probes_and_images_that_are_searched_for_their_looks_confirm_nothing() {
        for (probes, confirms) in [(7, false), (8, true)] {
            let found = verdict_by(&of_ten(), probes, 4.0, [2.0; 2], Vec::new());
            assert_eq!(found, (confirms, true));
        }
        let chosen = Chosen {
            all: (0..40).collect(),
            probes: vec![[(0..8).collect(), (8..16).collect()]],
        };
        let looks: Vec<Option<Places>> = (0..40)
            .map(|image| Some([f64::from(u8::from(image >= 16)); 2]))
            .collect();
        assert_eq!(chosen.chances(0, &looks), [0.5; 2]);
    }

    #[test]
    fn probes_are_of_both_groups_of_raised_classes_alone() {
        let cascade = level();
        let raised = cascade.chosen(&judged(4.0, Vec::new()));
        let [other, suspicious] = &raised.probes[0];
        assert_eq!((other.len(), suspicious.len()), (16, 10));
        assert!(other.iter().all(|&image| image < 30));
        assert!(suspicious.iter().all(|&image| image >= 30));
        let mut many = judged(4.0, Vec::new());
        for gap in [4.1, 5.5, 3.9, 3.8, 4.2] {
            many.splits.extend(judged(gap, Vec::new()).splits);
            many.of_class.extend(judged(gap, Vec::new()).of_class);
        }
        let probed = |class: usize| !cascade.chosen(&many).probes[class][1].is_empty();
        let probed: Vec<usize> = (0..6).filter(|&class| probed(class)).collect();
        assert_eq!(probed, [0, 1, 2, 5]);
        let low = cascade.chosen(&judged(3.0, Vec::new()));
        assert!(low.probes[0].iter().all(Vec::is_empty) && !low.all.is_empty());
        let brief = cascade.for_flags();
        assert!(brief.check().is_ok());
        let probes = brief.chosen(&judged(4.0, Vec::new()));
        assert_eq!(probes.probes, raised.probes);
        assert!((26..=27).contains(&probes.all.len()));
        assert_eq!(brief.chosen(&judged(3.0, Vec::new())).all.len(), 1);
    }
}
