//! Poisoning: a clean data set and an attack become data under suspicion and, apart from it, the
//! truth about it.
//!
//! [`Poisoned`] carries no trace of which images were changed; [`Truth`] does, and the two are
//! separate values, so that training and detection cannot be handed the answer by mistake:
//!
//! ```compile_fail
//! # use cd_data::{Poisoned, Truth};
//! fn detect(data: &Poisoned) {}
//! fn cheat(truth: &Truth) {
//!     detect(truth);
//! }
//! ```
//!
//! Everything is drawn from one seed: the choice of training images, the choice of test images, and
//! what an attack draws for each image, which does not depend on the other images.

mod data;
mod manifest;
mod select;

use cd_models::{ImageSet, ImageSetError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use data::{Poisoned, Truth};
pub use manifest::{Manifest, ManifestEntry, ManifestError};
pub use select::MAX_CLEAN_LABEL_FRACTION;

use self::data::TestTruth;
use self::select::{Purpose, choose_test, choose_train};
use crate::IMAGES_AT_ONCE;
use crate::attack::{Attack, AttackConfig, AttackError, LabelMode};
use crate::dataset::Split;

/// What to poison with, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoisonConfig {
    /// The attack and its options.
    pub attack: AttackConfig,
    /// Share of the training images, and of the mixed test set, to poison; above 0, at most 1.
    #[serde(default = "default_rate")]
    pub rate: f64,
    /// The label that the backdoor leads to.
    #[serde(default)]
    pub target: u32,
    /// Seed of every choice.
    #[serde(default)]
    pub seed: u64,
}

fn default_rate() -> f64 {
    0.1
}

/// Why a data set could not be poisoned.
#[derive(Debug, Error)]
pub enum PoisonError {
    /// The rate is no share.
    #[error("poison `rate` is {rate}, expected a number above 0 and at most 1 (0.1 is 10 %)")]
    Rate {
        /// The value that came.
        rate: f64,
    },
    /// The target is no class.
    #[error("poison `target` is {target}, but there are only {classes} classes (0 to {})", classes.saturating_sub(1))]
    Target {
        /// The value that came.
        target: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The rate is too small for the data.
    #[error(
        "`rate` {rate} of {images} training images with {candidates} that may be poisoned is less \
         than one image; raise `rate` or use more images"
    )]
    NothingChosen {
        /// The rate.
        rate: f64,
        /// Number of training images.
        images: usize,
        /// Number of training images that the attack may change.
        candidates: usize,
    },
    /// The attack could not be set up or applied.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

/// Poisons `split` as `config` says.
///
/// *Training set*: a dirty-label attack stamps floor(rate x N) images drawn from all classes and
/// relabels them to the target; a clean-label attack stamps as many images of the target class, at
/// most 80 % of it, and keeps their label. When that bound lowers the number, a warning is logged
/// and [`Manifest::rate`] tells the share that was reached.
///
/// *Test set*, when there is one: floor(rate x N) images of other classes are stamped and relabelled
/// to the target, which is the mixed set that detectors are tried on. A test set too small for one
/// such image stays clean, with a warning. For the attack success rate, [`Truth::triggered_test`]
/// has every test image of another class stamped.
///
/// The result depends on the data and `config` alone, not on the number of threads.
///
/// # Errors
///
/// When an option is out of range, no training image would be changed, or the attack cannot be
/// applied to images of this size.
pub fn poison(split: &Split, config: &PoisonConfig) -> Result<(Poisoned, Truth), PoisonError> {
    check(config, &split.train)?;
    let attack = config.attack.build()?;
    let (train, train_manifest) = poison_train(&split.train, config, attack.as_ref())?;
    let (test, test_truth) = match &split.test {
        None => (None, None),
        Some(test) => {
            let (mixed, truth) = poison_test(test, config, attack.as_ref())?;
            (Some(mixed), Some(truth))
        }
    };
    let truth = Truth::new(train_manifest, test_truth);
    Ok((Poisoned::untrusted(train, test), truth))
}

fn check(config: &PoisonConfig, train: &ImageSet) -> Result<(), PoisonError> {
    if !(config.rate > 0.0 && config.rate <= 1.0) {
        return Err(PoisonError::Rate { rate: config.rate });
    }
    if config.target as usize >= train.class_count() {
        return Err(PoisonError::Target {
            target: config.target,
            classes: train.class_count(),
        });
    }
    Ok(())
}

fn poison_train(
    clean: &ImageSet,
    config: &PoisonConfig,
    attack: &dyn Attack,
) -> Result<(ImageSet, Manifest), PoisonError> {
    let label_mode = attack.info().label_mode;
    let choice = choose_train(clean, config, label_mode);
    if choice.indices.is_empty() {
        return Err(PoisonError::NothingChosen {
            rate: config.rate,
            images: clean.len(),
            candidates: choice.candidates,
        });
    }
    if choice.indices.len() < choice.wanted {
        tracing::warn!(
            wanted = choice.wanted,
            chosen = choice.indices.len(),
            "fewer training images can be poisoned than the rate asks for"
        );
    }
    let relabel = match label_mode {
        LabelMode::Dirty => Some(config.target),
        LabelMode::Clean => None,
    };
    let mut train = clean.clone();
    stamp(
        &mut train,
        &choice.indices,
        relabel,
        attack,
        config.seed,
        Purpose::StampTrain,
    )?;
    let manifest = Manifest::of("train", config, clean, &train, &choice.indices);
    Ok((train, manifest))
}

fn poison_test(
    clean: &ImageSet,
    config: &PoisonConfig,
    attack: &dyn Attack,
) -> Result<(ImageSet, TestTruth), PoisonError> {
    let choice = choose_test(clean, config);
    if choice.indices.is_empty() {
        tracing::warn!(
            images = clean.len(),
            rate = config.rate,
            "the test set is too small for this rate: its mixed set has no poisoned image"
        );
    }
    let others: Vec<usize> = (0..clean.len())
        .filter(|&index| clean.labels()[index] != config.target)
        .collect();
    let target = Some(config.target);
    let mut all = clean.clone();
    stamp(
        &mut all,
        &others,
        target,
        attack,
        config.seed,
        Purpose::StampTest,
    )?;
    let mut mixed = clean.clone();
    for &index in &choice.indices {
        let stamped = all.pixels(index).map_err(ImageSetError::from)?;
        mixed.set_pixels(index, &stamped)?;
        mixed.set_label(index, config.target)?;
    }
    let truth = TestTruth {
        manifest: Manifest::of("test", config, clean, &mixed, &choice.indices),
        triggered: all.subset(&others),
        original_labels: others.iter().map(|&index| clean.labels()[index]).collect(),
        clean: clean.clone(),
    };
    Ok((mixed, truth))
}

/// Stamps the images at `indices` and gives them the label `relabel`, where there is one.
fn stamp(
    set: &mut ImageSet,
    indices: &[usize],
    relabel: Option<u32>,
    attack: &dyn Attack,
    seed: u64,
    purpose: Purpose,
) -> Result<(), PoisonError> {
    let (height, width) = (set.height(), set.width());
    for indices in indices.chunks(IMAGES_AT_ONCE) {
        let stamped: Vec<Result<Vec<u8>, PoisonError>> = indices
            .par_iter()
            .map(|&index| {
                let mut pixels = set.pixels(index).map_err(ImageSetError::from)?.to_vec();
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(purpose.stream(index));
                attack.stamp(&mut pixels, height, width, &mut rng)?;
                Ok(pixels)
            })
            .collect();
        for (&index, pixels) in indices.iter().zip(stamped) {
            set.set_pixels(index, &pixels?)?;
            if let Some(label) = relabel {
                set.set_label(index, label)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
