//! The two values that poisoning yields: data under suspicion, and the truth about it.

use cd_core::ImageSet;

use super::manifest::Manifest;

/// Images under suspicion: all that training and detection get.
///
/// Which images were changed, or whether any were, cannot be asked of it. Names are those of the
/// clean data set, which for an image folder begin with the folder of the original class; detectors get
/// pixels without names.
#[derive(Debug, Clone, PartialEq)]
pub struct Poisoned {
    train: ImageSet,
    test: Option<ImageSet>,
}

impl Poisoned {
    /// Data of unknown origin: `train` to train on and to search, `test` to search as well.
    pub fn untrusted(train: ImageSet, test: Option<ImageSet>) -> Self {
        Self { train, test }
    }

    /// Training images with the labels that training sees.
    pub fn train(&self) -> &ImageSet {
        &self.train
    }

    /// Test images, clean and poisoned mixed.
    pub fn test(&self) -> Option<&ImageSet> {
        self.test.as_ref()
    }
}

/// What is true about a [`Poisoned`] data set: only evaluation takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    train: Manifest,
    originals: ImageSet,
    test: Option<TestTruth>,
}

/// What is true about the test images.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TestTruth {
    pub(super) manifest: Manifest,
    pub(super) clean: ImageSet,
    pub(super) triggered: ImageSet,
    pub(super) original_labels: Vec<u32>,
    pub(super) sources: Vec<usize>,
}

impl Truth {
    pub(super) fn new(train: Manifest, originals: ImageSet, test: Option<TestTruth>) -> Self {
        Self {
            train,
            originals,
            test,
        }
    }

    /// Which training images were changed.
    pub fn train(&self) -> &Manifest {
        &self.train
    }

    /// The clean originals of the changed training images, in the order of the manifest's entries, with true labels.
    pub fn train_originals(&self) -> &ImageSet {
        &self.originals
    }

    /// Which images of the mixed test set were changed.
    pub fn test(&self) -> Option<&Manifest> {
        self.test.as_ref().map(|test| &test.manifest)
    }

    /// The unchanged test set, with true labels: clean accuracy is measured on it.
    pub fn clean_test(&self) -> Option<&ImageSet> {
        self.test.as_ref().map(|test| &test.clean)
    }

    /// Every test image whose label the attack changes, with the trigger: for one target, all of other classes.
    ///
    /// Labels are the *changed* ones, so that accuracy on this set is the attack success rate.
    pub fn triggered_test(&self) -> Option<&ImageSet> {
        self.test.as_ref().map(|test| &test.triggered)
    }

    /// The true labels of [`Truth::triggered_test`], in its order.
    pub fn triggered_original_labels(&self) -> Option<&[u32]> {
        self.test
            .as_ref()
            .map(|test| test.original_labels.as_slice())
    }

    /// For each image of [`Truth::triggered_test`] the index of its clean original in [`Truth::clean_test`].
    pub fn triggered_sources(&self) -> Option<&[usize]> {
        self.test.as_ref().map(|test| test.sources.as_slice())
    }
}
