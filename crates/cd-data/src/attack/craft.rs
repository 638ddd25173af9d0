//! What an attack needs to prepare its trigger, and what it gets.

use std::path::Path;
use std::sync::LazyLock;

use cd_core::{ImageSet, NoProgress, Progress};
use cd_models::Device;

/// What preparing a trigger needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttackNeeds {
    /// Least number of clean training images that are looked at; with 0 none are, and the trigger does not depend on
    /// the data.
    pub images: usize,
    /// Whether the trigger is costly and therefore written and read back rather than prepared at every start.
    pub stored: bool,
}

impl<'a> CraftContext<'a> {
    /// A context for triggers that look at no image and train nothing.
    pub(super) fn without_images(folder: &'a Path) -> Self {
        static NOTHING: LazyLock<(ImageSet, Device)> =
            LazyLock::new(|| (ImageSet::unlabelled(0, 0), Device::default()));
        Self {
            images: &NOTHING.0,
            tests: None,
            target: 0,
            seed: 0,
            device: &NOTHING.1,
            batch_size: 1,
            folder,
            progress: &NoProgress,
        }
    }
}

/// What an attack may use to prepare its trigger.
#[derive(Clone, Copy)]
pub struct CraftContext<'a> {
    /// The clean training images with their true labels.
    pub images: &'a ImageSet,
    /// The clean test images, where there are any; of attacks that ask for them with [`needs_tests`](super::Attack::needs_tests) only.
    pub tests: Option<&'a ImageSet>,
    /// The label that the backdoor leads to.
    pub target: u32,
    /// Seed of every choice.
    pub seed: u64,
    /// Where networks compute.
    pub device: &'a Device,
    /// Images that a network sees at once when nothing depends on that number.
    pub batch_size: usize,
    /// A folder for what lets an interrupted start continue, such as checkpoints.
    pub folder: &'a Path,
    /// Told how far it is.
    pub progress: &'a dyn Progress,
}
