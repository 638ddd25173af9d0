//! Multi-target: several triggers, each of which leads to a target of its own.
//!
//! **Threat model.** That of the attacks that it is made of.
//!
//! **Paper.** Xue, He, Wang and Liu, "One-to-N and N-to-One: Two Advanced Backdoor Attacks against Deep Learning Models", IEEE TDSC
//! 2022.
//!
//! **How ours differs.** Any stamps can be combined. Poisoned images are shared out evenly, none has two triggers, and every
//! triggered test image has one, so that the success rate is the mean over the triggers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::option::{AttackOption, option, wrong};
use super::{
    Attack, AttackConfig, AttackError, AttackInfo, AttackNeeds, BadNetsConfig, Batch, CraftContext,
    LabelMode, PatchPosition, Role, Trigger,
};
use crate::poison::{PlanEntry, PlanRequest, PoisonError, PoisonPlan};

/// What multi-target is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "multi-target",
    title: "Multi-target",
    summary: "Several triggers, each of which leads to a target of its own.",
    threat_model: "That of the attacks that it is made of.",
    paper: "Xue, He, Wang, Liu: One-to-N and N-to-One: Two Advanced Backdoor Attacks against Deep Learning Models, IEEE TDSC 2022",
    differs: "Any stamps can be combined. Poisoned images are shared out evenly, and every triggered test image carries one of the \
        triggers.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[option(
    "parts",
    "2 or more of { target = CLASS, attack = { name = ..., ... } }",
    "the triggers with the class that each leads to; `poison.target` is not used",
)];

/// Most triggers.
const MOST: usize = 100;

/// One of the triggers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiTargetPart {
    /// The label that it leads to; another one for each trigger.
    pub target: u32,
    /// What is put in; its own choice of images and labels is not used.
    pub attack: AttackConfig,
}

/// Options of multi-target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MultiTargetConfig {
    /// The triggers, at least two.
    pub parts: Vec<MultiTargetPart>,
}

impl Default for MultiTargetConfig {
    /// The patch of `BadNets` in the corner for class 0 and in the middle for class 1.
    fn default() -> Self {
        let places = [PatchPosition::BottomRight, PatchPosition::Centre];
        let part = |(target, position)| MultiTargetPart {
            target,
            attack: AttackConfig::BadNets(BadNetsConfig {
                position,
                ..BadNetsConfig::default()
            }),
        };
        Self {
            parts: (0..).zip(places).map(part).collect(),
        }
    }
}

impl Attack for MultiTargetConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let count = self.parts.len();
        if !(2..=MOST).contains(&count) {
            return Err(wrong(INFO.name, "parts", count, "2 to 100 of them"));
        }
        for (number, part) in self.parts.iter().enumerate() {
            let earlier = &self.parts[..number];
            if earlier.iter().any(|other| other.target == part.target) {
                let expected = "another target for every part";
                return Err(wrong(
                    INFO.name,
                    "parts",
                    format!("target {}", part.target),
                    expected,
                ));
            }
            let attack = part.attack.attack();
            let nested = matches!(part.attack, AttackConfig::MultiTarget(_));
            if nested || attack.needs() != AttackNeeds::default() {
                let expected = "attacks that need no images and no training";
                return Err(wrong(INFO.name, "parts", attack.info().name, expected));
            }
            attack.check()?;
        }
        Ok(())
    }

    fn files(&self) -> Vec<PathBuf> {
        let parts = self.parts.iter();
        parts
            .flat_map(|part| part.attack.attack().files())
            .collect()
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let parts = self.parts.iter().map(|part| {
            let trigger = part.attack.attack().prepare(context)?;
            Ok((part.target, trigger))
        });
        Ok(Box::new(Parts(parts.collect::<Result<_, AttackError>>()?)))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        let classes = request.classes();
        if let Some(part) = self
            .parts
            .iter()
            .find(|part| part.target as usize >= classes)
        {
            return Err(PoisonError::Target {
                target: part.target,
                classes,
            });
        }
        let target = |number: usize| self.parts[number % self.parts.len()].target;
        let train = request.train_indices(|_| true)?;
        let entry = |(number, &source): (usize, &usize)| PlanEntry {
            source,
            role: Role::Train,
            label: target(number),
        };
        let triggered = request
            .test_labels()
            .iter()
            .enumerate()
            .map(|(source, &own)| {
                let label = target(source);
                PlanEntry {
                    source,
                    role: Role::Test,
                    label: if label == own {
                        target(source + 1)
                    } else {
                        label
                    },
                }
            });
        let triggered: Vec<PlanEntry> = triggered.collect();
        let mixed = triggered.iter().map(|entry| entry.source).collect();
        Ok(PoisonPlan {
            map: None,
            train: train.iter().enumerate().map(entry).collect(),
            appended: Vec::new(),
            mixed: request.mixed(mixed),
            triggered,
        })
    }
}

/// The triggers with their targets.
#[derive(Debug)]
struct Parts(Vec<(u32, Box<dyn Trigger>)>);

impl Trigger for Parts {
    /// Each image gets the trigger that leads to its new label.
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        for (target, trigger) in &self.0 {
            let (mut part, places) = batch.with_label(*target);
            if !part.is_empty() {
                trigger.apply(&mut part, role)?;
                batch.put_back(&part, &places);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::{PoisonConfig, poison};
    use crate::testing::{pixels, stamped, striped_set};
    use crate::{LabelMap, NotRead, Split};

    #[test]
    fn disjoint_images_lead_to_different_targets() {
        let split = Split {
            name: "stripes".into(),
            train: striped_set(200, 12, 4),
            test: Some(striped_set(60, 12, 4)),
            not_read: NotRead::default(),
        };
        let options = MultiTargetConfig::default();
        let config = PoisonConfig {
            rate: 0.1,
            seed: 3,
            labels: LabelMap::default(),
            ..PoisonConfig::of(AttackConfig::MultiTarget(options.clone()))
        };
        let (data, truth) = poison(&split, &config).expect("poisons");
        let entries = truth.train().entries();
        let to = |target| {
            entries
                .iter()
                .filter(|entry| entry.new_label == target)
                .count()
        };
        assert_eq!((entries.len(), to(0), to(1)), (20, 10, 10));
        for entry in entries {
            let part = &options.parts[entry.new_label as usize];
            let clean = pixels(&split.train, entry.index);
            let expected = stamped(part.attack.attack(), &clean, 12);
            assert_eq!(pixels(data.train(), entry.index)[..], expected);
        }
        let triggered = truth.triggered_test().expect("has tests");
        let originals = truth.triggered_original_labels().expect("has tests");
        assert_eq!(triggered.len(), 60);
        let pairs = triggered.labels().iter().zip(originals);
        assert!(pairs.into_iter().all(|(new, own)| new != own && *new < 2));
    }

    #[test]
    fn equal_targets_single_parts_and_attacks_that_train_are_refused() {
        let refused = |text: &str| {
            let config: AttackConfig = toml::from_str(text).expect("reads");
            config.attack().check().expect_err("refused").to_string()
        };
        let part = "{ target = 1, attack = { name = \"badnets\" } }";
        let parts = |parts: &str| refused(&format!("name = \"multi-target\"\nparts = [{parts}]"));
        assert!(parts(part).contains("2 to 100"));
        assert!(parts(&format!("{part}, {part}")).contains("target 1"));
        let trained = "{ target = 2, attack = { name = \"trojan\" } }";
        assert!(parts(&format!("{part}, {trained}")).contains("trojan"));
    }
}
