//! Stamped images over clean ones: the same whether they come from memory or from a file.

use std::sync::Arc;

use cd_core::{ImageSet, ImageSetError, PixelSource};

use super::data::{Poisoned, TestTruth, Truth};
use super::manifest::Manifest;
use super::plan::PoisonPlan;
use super::{PoisonConfig, PoisonError};
use crate::dataset::Split;

/// One of the two sets of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Train,
    Test,
}

impl Which {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// Pixels of one image.
pub(super) enum Pixels<'a> {
    Bytes(&'a [u8]),
    Stored(&'a Arc<dyn PixelSource>, usize),
}

impl Pixels<'_> {
    fn replace(&self, set: &mut ImageSet, index: usize, label: u32) -> Result<(), ImageSetError> {
        match self {
            Self::Bytes(bytes) => set.set_pixels(index, bytes)?,
            Self::Stored(source, from) => set.set_pixels_from(index, source, *from),
        }
        set.set_label(index, label)
    }

    fn append(&self, set: &mut ImageSet, name: String, label: u32) -> Result<(), ImageSetError> {
        match self {
            Self::Bytes(bytes) => set.push(name, bytes, label),
            Self::Stored(source, from) => set.push_from(name, source, *from, label),
        }
    }
}

/// The sets of a split while stamped images are put over the clean ones.
pub(super) struct Overlaid<'a> {
    plan: &'a PoisonPlan,
    train: ImageSet,
    test: Option<Tested>,
}

struct Tested {
    triggered: ImageSet,
    mixed: ImageSet,
}

impl<'a> Overlaid<'a> {
    pub(super) fn new(split: &Split, plan: &'a PoisonPlan) -> Self {
        let sources: Vec<usize> = plan.triggered.iter().map(|entry| entry.source).collect();
        let tested = |test: &ImageSet| Tested {
            triggered: test.subset(&sources),
            mixed: test.clone(),
        };
        Self {
            plan,
            train: split.train.clone(),
            test: split.test.as_ref().map(tested),
        }
    }

    /// Puts in the stamped image of this number, in the order of [`Stamping`](super::Stamping).
    pub(super) fn put(
        &mut self,
        which: Which,
        number: usize,
        pixels: &Pixels<'_>,
    ) -> Result<(), PoisonError> {
        let plan = self.plan;
        match (which, &mut self.test) {
            (Which::Train, _) => self.put_train(number, pixels)?,
            (Which::Test, Some(test)) => {
                let entry = plan.triggered[number];
                pixels.replace(&mut test.triggered, number, entry.label)?;
                if plan.mixed.binary_search(&entry.source).is_ok() {
                    pixels.replace(&mut test.mixed, entry.source, entry.label)?;
                }
            }
            (Which::Test, None) => {}
        }
        Ok(())
    }

    fn put_train(&mut self, number: usize, pixels: &Pixels<'_>) -> Result<(), ImageSetError> {
        let plan = self.plan;
        if let Some(entry) = plan.train.get(number) {
            return pixels.replace(&mut self.train, entry.source, entry.label);
        }
        let copy = number - plan.train.len();
        let entry = plan.appended[copy];
        let name = copy_name(self.train.name(entry.source), copy);
        pixels.append(&mut self.train, name, entry.label)
    }

    /// The poisoned data and the truth about it, once all images are put in.
    pub(super) fn finish(self, split: &Split, config: &PoisonConfig) -> (Poisoned, Truth) {
        let plan = self.plan;
        let (mixed, test) = match (self.test, &split.test) {
            (Some(tested), Some(clean)) => {
                let labels = plan.triggered.iter();
                let original = labels.map(|entry| clean.labels()[entry.source]);
                let truth = TestTruth {
                    manifest: Manifest::test(config, clean, plan),
                    clean: clean.clone(),
                    triggered: tested.triggered,
                    original_labels: original.collect(),
                    sources: plan.triggered.iter().map(|entry| entry.source).collect(),
                };
                (Some(tested.mixed), Some(truth))
            }
            _ => (None, None),
        };
        let train = Manifest::train(config, &split.train, plan);
        let changed = plan.train.iter().chain(&plan.appended);
        let changed: Vec<usize> = changed.map(|entry| entry.source).collect();
        let originals = split.train.subset(&changed);
        (
            Poisoned::untrusted(self.train, mixed),
            Truth::new(train, originals, test),
        )
    }
}

/// The name of appended image `copy`, counted from 0, made from the one called `source`.
pub(super) fn copy_name(source: &str, copy: usize) -> String {
    format!("{source} (copy {})", copy + 1)
}
