//! Fusion: each class is taken apart in two groups, by the features and by what other detectors suspect.
//!
//! Threat model: poison of a kind lies together in the features of a classifier that has learned it, whatever the trigger looks like,
//! and the classes that get it fall apart. No clean images are needed; trusted ones make the verdict safer.
//!
//! Ours. The idea that a class with poison is a mixture is that of Tang, Wang, Tang, Zhang: *Demon in the Variant*, USENIX Security
//! 2021; here the other classes of the same set, and not clean images, tell how a class varies.

pub(crate) mod gap;
mod halves;
mod mixture;
mod views;
mod witness;

use cd_models::Tap;
use serde::{Deserialize, Serialize};

use super::confidence::Confidence;
use super::{Detector, DetectorConfig, DetectorInfo, bn_density};
use crate::apart;
use crate::decide::{ClassFinding, Decision, Testimony};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::members;
use gap::{Scatter, Split, trusted_share, usual_gap};
use halves::Halves;
use mixture::share;
use views::View;
use witness::Witnesses;

/// Share of trusted images in the suspicious group of a class, beside the group's share of the class, from which the group is natural: a natural
/// one holds as many of them as of the class.
const NATURAL: f64 = 0.5;

/// Share of a group that the classifier takes for their class, at least: a trigger that works is learned, and what it could not learn
/// lies apart by nature.
const LEARNED: f64 = 0.5;

/// Settings of the fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fusion {
    /// The detectors whose suspicions are joined, each with its settings as in the list of detectors. Those that do not fit the
    /// classifier are left out, and the decision says so.
    pub members: Vec<DetectorConfig>,
    /// Whether classes are also taken apart by how rare the values at the BatchNorms are, where the network has some: one more pass,
    /// and a witness.
    pub densities: bool,
    /// Distance between the groups of a class, in standard deviations of a group, from which the class is called a target where the
    /// suspicious group is large; above 0.
    pub border: f64,
    /// By which share of it the border of a group of 8 images, the fewest, lies above that of a large one, with the root of their number
    /// between; from 0 on. In a class of pictures that were taken in a row, or with some odd ones, a few lie far away by nature.
    pub rise: f64,
    /// Distance between two parts of a class along the direction in which its images vary most, each at least a quarter of it, in standard
    /// deviations of a part, from which the class is a target, too: in classes of at least 500 images, and where the parts lie a fifth
    /// further apart than in three quarters of the other classes; above 2, where two parts begin to show. 0 for not looking.
    pub halves: f64,
}

impl Default for Fusion {
    fn default() -> Self {
        Self {
            members: vec![DetectorConfig::Confidence(Confidence::default())],
            densities: true,
            border: 5.0,
            rise: 0.5,
            halves: 2.7,
        }
    }
}

impl Fusion {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "fusion",
        title: "Fusion of features and several detectors",
        summary: "Takes each class apart in two groups of features, from where several detectors suspect something and from where it is widest; a class whose groups lie far apart is a target, and an image of the group that lies away is suspicious.",
        threat_model: "The classifier has learned the trigger: it works. Dirty or clean labels, one target or all; classes of at least 40 images. Trusted images are used where there are some: their group is the clean one, and a group that holds at least half of the share of them that it has of its class is natural.",
        paper: "ours, after Tang, Wang, Tang, Zhang: Demon in the Variant, USENIX Security 2021",
        source: "none",
        notes: "Features are scaled by how they vary within the other classes, so no clean images are needed. Outside of targets the more suspicious of the members' ranks counts.",
        judges_clean: false,
        rule: Some(
            "the images that are more likely of the suspicious group than of the other, in classes whose groups lie at least `border` standard deviations apart (more for groups of few images), or large parts of them at least `halves` along the direction in which they vary most, where the classifier takes most of the group for their class",
        ),
    };

    /// Looks at everything that costs one pass; `None` when parts of other shards are missing.
    pub(crate) fn judge(&self, evidence: &Evidence<'_>) -> Result<Option<Judged>, DetectError> {
        let mut views = vec![views::features(evidence)?];
        let labels = evidence.labels()?;
        let predictions = evidence.predictions()?;
        let learned = labels.iter().enumerate();
        let learned: Vec<bool> = learned
            .map(|(image, &label)| predictions.class(image) == label)
            .collect();
        // Every sweep before what any of them gave: other shards may not have come so far.
        let witnesses = Witnesses::of(&self.members, evidence)?;
        let rarities = if self.densities {
            match views::rarities(Self::INFO.name, evidence) {
                Ok(None) => return Ok(None),
                Err(DetectError::Unfit { .. }) => None,
                other => other?,
            }
        } else {
            None
        };
        let Some(mut witnesses) = witnesses else {
            return Ok(None);
        };
        if let Some((view, densities)) = rarities {
            witnesses.add(&bn_density::rarities(&densities));
            views.push(view);
        }
        let of_class = members(labels, evidence.class_count);
        let trusted = match views::trusted(evidence) {
            Some(clean) => members(clean.labels(evidence.class_count)?, evidence.class_count),
            None => vec![Vec::new(); evidence.class_count],
        };
        let mut splits: Vec<Option<Split>> = vec![None; of_class.len()];
        let mut large = Vec::new();
        for (at, view) in views.iter().enumerate() {
            let scatter = Scatter::of(&view.images, &of_class);
            if at == 0 && self.halves > 0.0 {
                large = self.large_parts(&scatter, view, &of_class, &trusted, &learned);
            }
            for (class, (images, trusted)) in of_class.iter().zip(&trusted).enumerate() {
                let places = &witnesses.places;
                let found = scatter.split(class, view, images, trusted, places, &learned);
                let gap = |split: &Option<Split>| split.as_ref().map_or(0.0, |split| split.gap);
                if gap(&found) > gap(&splits[class]) || splits[class].is_none() {
                    splits[class] = found;
                }
            }
        }
        for (class, found) in large {
            splits[class] = match splits[class].take() {
                Some(wide) if wide.gap >= self.border_of(&wide) => Some(wide),
                before => Some(found.refined_by(before)),
            };
        }
        Ok(Some(Judged {
            splits,
            witness: witnesses.most_suspicious(labels.len()),
            unfit: witnesses.unfit,
            of_class,
        }))
    }

    /// The classes whose large parts stand out and are not natural, in these parts.
    fn large_parts(
        &self,
        scatter: &Scatter,
        view: &View<'_>,
        of_class: &[Vec<usize>],
        trusted: &[Vec<usize>],
        learned: &[bool],
    ) -> Vec<(usize, Split)> {
        let found = halves::standing_out(scatter, &view.images, of_class, self.halves);
        let of = |(class, halves): (usize, Option<Halves>)| {
            let (images, trusted) = (&of_class[class], &trusted[class]);
            let split = scatter.split_by(class, view, images, trusted, halves?, learned);
            Some((class, split.filter(is_unnatural)?))
        };
        found.into_iter().enumerate().filter_map(of).collect()
    }

    /// The distance from which the groups of a class lie far apart.
    pub(crate) fn border_of(&self, split: &Split) -> f64 {
        if let Some(own) = split.own {
            return own.border;
        }
        let group = split.group().max(gap::SMALLEST_GROUP);
        self.border * (1.0 + self.rise * (gap::SMALLEST_GROUP as f64 / group as f64).sqrt())
    }

    /// Whether the groups of a class lie so far apart that it is a target.
    pub(crate) fn is_target(&self, split: &Split) -> bool {
        split.gap >= self.border_of(split) && is_unnatural(split)
    }
}

/// Whether the classifier has learned the suspicious group, and fewer trusted images lie in it than in a natural one.
pub(crate) fn is_unnatural(split: &Split) -> bool {
    split.learned() as f64 >= LEARNED * split.group() as f64
        && trusted_share(split).is_none_or(|share| share < NATURAL * split.share())
}

/// What one pass over the set has shown.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Each class in two groups, where it is large enough.
    pub(crate) splits: Vec<Option<Split>>,
    /// The most suspicious place that a member gives each image, from 0 to 1.
    pub(crate) witness: Vec<f64>,
    /// The images of each class.
    pub(crate) of_class: Vec<Vec<usize>>,
    /// Members that do not fit the classifier.
    pub(crate) unfit: Vec<&'static str>,
}

impl Judged {
    /// Numbers and flags, where `is_target` tells which classes hold poison.
    pub(crate) fn detection(
        &self,
        fusion: &Fusion,
        is_target: impl Fn(usize, &Split) -> bool,
    ) -> Detection {
        let mut raw = self.witness.clone();
        let mut flagged = vec![false; raw.len()];
        let mut targets = Vec::new();
        let mut classes = Vec::new();
        for (class, (split, images)) in self.splits.iter().zip(&self.of_class).enumerate() {
            let Some(split) = split else { continue };
            let target = is_target(class, split);
            let border = fusion.border_of(split);
            // Below the border a gap is a hint, which must not outweigh what a target is.
            let weight = if target {
                2.0
            } else {
                0.5 * (split.gap / border).powi(4).min(1.0)
            };
            let mut count = 0;
            for (&image, &odds) in images.iter().zip(&split.odds) {
                raw[image] += weight * share(odds);
                flagged[image] = target && odds > 0.0;
                count += usize::from(flagged[image]);
            }
            classes.push(found(class, images.len(), split, border, target));
            if target {
                targets.push(format!(
                    "class {class} ({count} of {} images, a gap of {:.1} {})",
                    images.len(),
                    split.gap,
                    split.view
                ));
            }
        }
        Detection {
            own: Some(Decision {
                explanation: self.words(&targets),
                cutoff: None,
                flagged,
            }),
            classes,
            ..Detection::new(
                Measure::high(
                    "share in the suspicious group of the class, and place among the members' numbers",
                ),
                raw,
            )
        }
    }

    fn words(&self, targets: &[String]) -> String {
        let usual = usual_gap(&self.splits);
        let judged = self.splits.iter().flatten().count();
        let words = match (judged, targets.is_empty()) {
            (0, _) => format!(
                "no class has the {} images that are needed to judge it",
                gap::SMALLEST_CLASS
            ),
            (_, true) => format!("no class falls apart (the median gap is {usual:.1})"),
            (_, false) => format!(
                "the suspicious group of {}; the median gap is {usual:.1}",
                targets.join(", ")
            ),
        };
        let skipped = self
            .of_class
            .iter()
            .filter(|images| !images.is_empty())
            .count()
            - judged;
        let skipped = match (judged, skipped) {
            (0, _) | (_, 0) => String::new(),
            _ => format!("; {skipped} classes are too small to be judged"),
        };
        let unfit = match self.unfit.join(" and ") {
            names if names.is_empty() => names,
            names => format!("; without {names}, which does not fit this classifier"),
        };
        words + &skipped + &unfit
    }
}

/// What is known of a class of so many images.
fn found(class: usize, images: usize, split: &Split, border: f64, is_target: bool) -> ClassFinding {
    ClassFinding {
        class: class as u32,
        images,
        group: split.group(),
        gap: split.gap,
        border,
        usual: split.own.map(|own| own.usual),
        learned: Some(split.learned()),
        view: split.view.to_owned(),
        search: None,
        trusted: Some(split.trusted_inside()).filter(|[count, _]| *count > 0),
        is_target,
    }
}

impl Detector for Fusion {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        self.members
            .iter()
            .try_for_each(|member| member.detector().check())?;
        apart::check(self.border, self.rise)?;
        if self.halves == 0.0 || self.halves > 2.0 && self.halves.is_finite() {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "halves",
            value: self.halves.to_string(),
            expected: "0 or a number above 2",
        })
    }

    fn revision(&self) -> u32 {
        2
    }

    fn needs(&self) -> Needs {
        let own = Needs {
            features: vec![Tap::Penultimate],
            labels: true,
            predictions: true,
            trainable: self.densities,
            ..Needs::default()
        };
        let members = self.members.iter();
        members.fold(own, |needs, member| needs.and(member.detector().needs()))
    }

    fn testimony(&self) -> Testimony {
        Testimony::Classes
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let judged = self.judge(evidence)?;
        Ok(judged.map(|judged| judged.detection(self, |_, split| self.is_target(split))))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
