//! The file of sets, and every set that it asks for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cd_data::{AttackConfig, DatasetConfig, LabelMap, PoisonConfig};
use serde::Deserialize;

/// A file of configs/verdict: every source with every variant and every poison.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sets {
    /// Heading.
    pub(super) title: String,
    /// What a reader should know.
    pub(super) note: String,
    /// Where images come from.
    #[serde(rename = "source")]
    pub(super) sources: Vec<Source>,
    /// Clean sets.
    clean: Vec<Clean>,
    /// Poisoned sets.
    poisoned: Vec<Poisoned>,
}

/// Images, and how sets of them are scanned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// First part of the name of its sets.
    pub(super) name: String,
    /// The images; those of a test set are not used.
    pub(super) dataset: DatasetConfig,
    /// Images of a set.
    pub(super) count: usize,
    /// Options of `scan`.
    pub(super) scan: Vec<String>,
    /// Pixels a side of the patch of `badnets`, where pictures are so large that the published one is a speck.
    #[serde(default)]
    patch: Option<usize>,
}

/// How a set differs from images drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Variant {
    /// Not at all.
    Plain,
    /// Half as many.
    Small,
    /// Classes of all sizes, from all of their images to a quarter.
    Skewed,
    /// 5 % of the labels are wrong.
    Noisy,
    /// A tenth are near copies of others.
    Duplicates,
    /// Every second class is part of the first one, a class of other things.
    Other,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clean {
    variant: Variant,
    seeds: Vec<u64>,
}

/// An attack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Poisoned {
    /// Last part of the name of its sets.
    name: String,
    attack: AttackConfig,
    /// The planted kind that stands for it: `patch`, `blend`, `clean-label`, `sticker`, `filter`, `warp`; none where nothing does.
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    labels: LabelMap,
    rates: Vec<f64>,
    #[serde(default = "first_seed")]
    seeds: Vec<u64>,
}

fn first_seed() -> Vec<u64> {
    vec![0]
}

/// One set.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) source: &'a Source,
    pub(super) variant: Variant,
    pub(super) poisoned: Option<(&'a Poisoned, f64)>,
    pub(super) seed: u64,
}

impl Sets {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Every set; those of the sources in turn, so that parts of the list hold some of each.
    pub(super) fn cases(&self) -> Vec<Case<'_>> {
        let mut cases = Vec::new();
        for clean in &self.clean {
            for &seed in &clean.seeds {
                cases.extend(self.sources.iter().map(|source| Case {
                    source,
                    variant: clean.variant,
                    poisoned: None,
                    seed,
                }));
            }
        }
        for poisoned in &self.poisoned {
            for &rate in &poisoned.rates {
                for &seed in &poisoned.seeds {
                    cases.extend(self.sources.iter().map(|source| Case {
                        source,
                        variant: Variant::Plain,
                        poisoned: Some((poisoned, rate)),
                        seed,
                    }));
                }
            }
        }
        cases
    }
}

impl Case<'_> {
    /// Its name, fit for a file.
    pub(super) fn name(&self) -> String {
        let kind = match self.poisoned {
            Some((poisoned, rate)) => format!("{}-{rate}", poisoned.name),
            None => format!("{:?}", self.variant).to_lowercase(),
        };
        let role = if self.poisoned.is_some() {
            "poisoned"
        } else {
            "clean"
        };
        format!("{role}-{}-{kind}-s{}", self.source.name, self.seed)
    }

    /// How its images are poisoned.
    pub(super) fn poison(&self) -> Option<PoisonConfig> {
        let (poisoned, rate) = self.poisoned?;
        let mut attack = poisoned.attack.clone();
        if let AttackConfig::BadNets(patch) = &mut attack {
            patch.size = patch.size.or(self.source.patch);
        }
        let mut config = PoisonConfig {
            rate,
            labels: poisoned.labels,
            seed: self.seed,
            ..PoisonConfig::of(attack)
        };
        config.select.fewer = true;
        Some(config)
    }
}
