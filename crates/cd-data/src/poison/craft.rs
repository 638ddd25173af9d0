//! The first stage: the attack prepares its trigger.

use std::path::Path;

use cd_core::{ImageSet, Progress};
use cd_models::Device;

use super::{PoisonConfig, PoisonError};
use crate::attack::{AttackError, CraftContext, Trigger};
use crate::dataset::Split;

/// Images that a network sees at once when nothing else is said.
const BATCH_SIZE: usize = 64;

/// Where and with what an attack prepares its trigger.
#[derive(Clone, Copy)]
pub struct CraftTools<'a> {
    /// Where networks compute.
    pub device: &'a Device,
    /// Images that a network sees at once when nothing depends on that number; at least 1.
    pub batch_size: usize,
    /// A folder for what lets an interrupted start continue, such as checkpoints; may be removed afterwards.
    pub folder: &'a Path,
    /// Told how far it is.
    pub progress: &'a dyn Progress,
}

/// Prepares the trigger of the configured attack on the clean training images, without test images.
///
/// [`Trigger::save`] keeps it and [`Attack::load`](crate::Attack::load) gives it back; an attack whose
/// [`needs`](crate::Attack::needs) have `stored` is worth that. A start that was interrupted continues from what is in the
/// folder and ends with the same trigger.
///
/// # Errors
///
/// When an option is out of range, a file that it names cannot be used, there are too few images, or training fails.
pub fn craft(
    train: &ImageSet,
    config: &PoisonConfig,
    tools: &CraftTools<'_>,
) -> Result<Box<dyn Trigger>, PoisonError> {
    with_tests(train, None, config, tools)
}

/// [`craft`] with the test images for attacks that [need](crate::Attack::needs_tests) them.
///
/// # Errors
///
/// As [`craft`].
pub fn craft_split(
    split: &Split,
    config: &PoisonConfig,
    tools: &CraftTools<'_>,
) -> Result<Box<dyn Trigger>, PoisonError> {
    with_tests(&split.train, split.test.as_ref(), config, tools)
}

fn with_tests(
    train: &ImageSet,
    tests: Option<&ImageSet>,
    config: &PoisonConfig,
    tools: &CraftTools<'_>,
) -> Result<Box<dyn Trigger>, PoisonError> {
    config.check()?;
    let attack = config.attack.attack();
    let least = attack.needs().images;
    if train.len() < least {
        return Err(PoisonError::Attack(AttackError::TooFewImages {
            attack: config.attack.name(),
            least,
            got: train.len(),
        }));
    }
    Ok(attack.prepare(&CraftContext {
        images: train,
        tests: tests.filter(|_| attack.needs_tests()),
        target: config.target,
        seed: config.seed,
        device: tools.device,
        batch_size: tools.batch_size.max(1),
        folder: tools.folder,
        progress: tools.progress,
    })?)
}

/// Prepares the trigger and keeps nothing.
pub(super) fn in_memory(
    split: &Split,
    config: &PoisonConfig,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Box<dyn Trigger>, PoisonError> {
    let attack = config.attack.attack();
    if attack.needs().images == 0 {
        return Ok(attack.load(Path::new(""))?);
    }
    let scratch = tempfile::tempdir().map_err(PoisonError::Scratch)?;
    let tools = CraftTools {
        device,
        batch_size: BATCH_SIZE,
        folder: scratch.path(),
        progress,
    };
    craft_split(split, config, &tools)
}
