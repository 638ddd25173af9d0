//! What detectors need besides images and a classifier, and whether a run can give it.

use std::fmt;

use cd_models::{Tap, TapError};

use crate::error::DetectError;

/// What a detector needs besides the images and the classifier. The default is nothing.
///
/// Whoever runs detectors computes every need once for all of them and hands it over as [`Evidence`](crate::Evidence).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a list of what is wanted, in any combination"
)]
pub struct Needs {
    /// Features of every image at these taps.
    pub features: Vec<Tap>,
    /// Taps at which the detector itself asks the classifier for features.
    pub taps: Vec<Tap>,
    /// Logits of every image.
    pub predictions: bool,
    /// The class of every image, as training saw it.
    pub labels: bool,
    /// Losses of every image at the start of at least so many epochs; 0 for none.
    pub losses: usize,
    /// At least so many trusted clean images of every class; 0 for none. Their labels, predictions and features follow
    /// the fields above.
    pub clean: usize,
    /// A network of the registry, to copy and train or to look into.
    pub trainable: bool,
    /// Features of every image in the eyes of a reference network, which has not been trained on the images under suspicion.
    pub reference: bool,
}

/// Losses of training that a run has of the searched images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossesOffer {
    /// Of so many epochs.
    Recorded(usize),
    /// The weights were given: nobody saw them being trained.
    GivenWeights,
    /// The searched images are not those of training.
    OtherImages,
}

/// What a run can give to detectors, known before any work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The taps of the classifier.
    pub taps: Vec<Tap>,
    /// Whether the searched images have classes.
    pub labels: bool,
    /// The losses of training.
    pub losses: LossesOffer,
    /// Trusted clean images of the class that has the fewest.
    pub clean: usize,
    /// Whether the classifier can be trained on.
    pub trainable: bool,
    /// Whether there is a reference network.
    pub reference: bool,
}

impl Needs {
    /// Everything that one of the two needs.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (mine, theirs) in [
            (&mut self.features, other.features),
            (&mut self.taps, other.taps),
        ] {
            mine.extend(theirs);
            mine.sort_unstable();
            mine.dedup();
        }
        Self {
            predictions: self.predictions || other.predictions,
            labels: self.labels || other.labels,
            losses: self.losses.max(other.losses),
            clean: self.clean.max(other.clean),
            trainable: self.trainable || other.trainable,
            reference: self.reference || other.reference,
            ..self
        }
    }

    /// Whether they are met without a classifier: a detector that asks for the reference network, and for nothing that a
    /// classifier of the images would give, looks at no other one.
    pub fn are_of_reference_alone(&self) -> bool {
        let without = Self {
            reference: true,
            labels: false,
            clean: 0,
            ..self.clone()
        };
        let reference = Self {
            reference: true,
            ..Self::default()
        };
        self.reference && without == reference
    }

    /// Whether a run that offers `offer` can meet these needs of the detector `name`.
    ///
    /// # Errors
    ///
    /// [`DetectError::Unmet`] for the first need that it cannot, with the option that would meet it.
    pub fn check(&self, name: &str, offer: &Offer) -> Result<(), DetectError> {
        match self.unmet(offer) {
            Some((need, remedy)) => Err(DetectError::Unmet {
                detector: name.to_owned(),
                need,
                remedy,
            }),
            None => Ok(()),
        }
    }

    /// The first need that is not met, and what would meet it.
    fn unmet(&self, offer: &Offer) -> Option<(String, String)> {
        let unmet = |need: String, remedy: &str| Some((need, remedy.to_owned()));
        let mut taps = self.features.iter().chain(&self.taps);
        if let Some(&tap) = taps.find(|tap| !offer.taps.contains(tap)) {
            let available = offer.taps.clone();
            let reason = TapError::Missing { tap, available };
            return unmet(
                Need::Features(tap).to_string(),
                &format!("{reason}; choose one of these, or another `model`"),
            );
        }
        if self.labels && !offer.labels {
            return unmet(
                Need::Labels.to_string(),
                "the pictures have no classes; give them in one folder per class",
            );
        }
        if self.losses > 0
            && let Some(remedy) = self.no_losses(offer.losses)
        {
            return unmet(Need::Losses.to_string(), &remedy);
        }
        if self.clean > offer.clean {
            let count = self.clean;
            return unmet(
                format!("at least {count} trusted clean images of every class"),
                &format!(
                    "the rarest class has {}; raise `detect.trusted`",
                    offer.clean
                ),
            );
        }
        if self.trainable && !offer.trainable {
            return unmet(
                Need::Trainable.to_string(),
                "use a `model` of the registry, which can be trained",
            );
        }
        if self.reference && !offer.reference {
            return unmet(
                Need::Reference.to_string(),
                "name weights that were not trained on these images, such as public ones, with `--features-weights` or \
                 `detect.features_weights`",
            );
        }
        None
    }

    fn no_losses(&self, offer: LossesOffer) -> Option<String> {
        let least = self.losses;
        match offer {
            LossesOffer::Recorded(epochs) if epochs >= least => None,
            LossesOffer::Recorded(epochs) => Some(format!(
                "of {epochs} epochs they are recorded; set `train.epochs` to at least {least}"
            )),
            LossesOffer::GivenWeights => Some(
                "the weights are given; leave out `weights`, so that the classifier is trained here"
                    .to_owned(),
            ),
            LossesOffer::OtherImages => Some(
                "the searched images are not those of training; set `detect.images` to `train`"
                    .to_owned(),
            ),
        }
    }
}

/// One thing that a detector may need, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Features of the images at a tap.
    Features(Tap),
    /// Logits of the images.
    Predictions,
    /// The classes of the images.
    Labels,
    /// Losses of training.
    Losses,
    /// Trusted clean images.
    Clean,
    /// A classifier that may be trained.
    Trainable,
    /// Features of a reference network.
    Reference,
}

impl fmt::Display for Need {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Features(tap) => write!(out, "features at `{tap}`"),
            Self::Predictions => out.write_str("predictions of the classifier"),
            Self::Labels => out.write_str("the class of every image as training saw it"),
            Self::Losses => out.write_str("the losses of training"),
            Self::Clean => out.write_str("trusted clean images"),
            Self::Trainable => out.write_str("a copy of the classifier that may be trained on"),
            Self::Reference => out.write_str("features of a reference network"),
        }
    }
}

#[cfg(test)]
mod tests;
