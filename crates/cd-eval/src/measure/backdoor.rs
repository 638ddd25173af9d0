//! How an attack did: its success against what is expected of it, and by what signs a failure is explained.

mod cause;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::evaluation::Measured;

/// How the attack of a run did, beside the four figures of [`Evaluation`](super::evaluation::Evaluation).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backdoor {
    /// Name of the attack.
    pub attack: String,
    /// The classes that it starts from, in words.
    pub source_classes: String,
    /// Poisoned training images as a share of all, covers not counted; 0 to 1.
    pub rate: f64,
    /// Least and highest success rate that are expected at this rate; `None` where nothing is known.
    pub expected: Option<[f64; 2]>,
    /// Share of triggered test images of other than the source classes that go to the target too; only for attacks on some classes,
    /// where it should be low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_classes_to_target: Option<Measured>,
    /// One entry per target where several triggers lead to one each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetSuccess>,
    /// What was measured to explain a low success rate.
    pub signs: Signs,
    /// Likely causes, where the success rate is below what is expected; or, where nothing is known, below one half.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// How the trigger of one target did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetSuccess {
    /// The class that the trigger leads to.
    pub target: String,
    /// Test images that carry it.
    pub images: usize,
    /// Share of them that go to it, 0 to 1.
    pub success: f64,
    /// Share of them that go to the target of another trigger instead, for each: class and share. Images of that class are not counted.
    pub crossed: Vec<(String, f64)>,
}

/// What a low success rate is explained by. All shares are 0 to 1; `None` is what could not be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    /// Whether poisoned images keep their labels.
    pub keeps_labels: bool,
    /// Poisoned training images, covers not counted.
    pub poisoned: usize,
    /// Poisoned images that the published figure was reached with.
    pub published: Option<usize>,
    /// Share of poisoned training images that get the label which they were given.
    pub learnt: Option<f64>,
    /// Share of their clean originals that get that label as well, without a trigger.
    pub without_trigger: Option<f64>,
    /// Share of the trigger's change of pixels that is left after training's augmentation, in the mean.
    pub augmented: Option<f64>,
    /// How strongly the trigger changes training images: root of the mean square over pixels of the mean change, in grey levels.
    pub change_in_training: Option<f64>,
    /// The same of test images.
    pub change_in_tests: Option<f64>,
    /// Cosine of where and how much training and test images are changed; 1 is alike.
    pub likeness: Option<f64>,
    /// Share of clean test images that are classified right.
    pub clean_accuracy: Option<f64>,
    /// Number of classes.
    pub classes: usize,
    /// Accuracy on training images in the last epoch, as they were seen.
    pub training_accuracy: Option<f64>,
}

impl Backdoor {
    /// Whether the success rate is as high as expected; `None` where nothing is known.
    pub fn is_as_expected(&self, success: f64) -> Option<bool> {
        self.expected.map(|[least, _]| success >= least)
    }

    /// Fills in the causes of this success rate.
    #[must_use]
    pub fn explained(mut self, success: f64) -> Self {
        let low = match self.is_as_expected(success) {
            Some(fine) => !fine,
            None => success < 0.5,
        };
        self.causes = if low { self.signs.causes() } else { Vec::new() };
        self
    }

    /// What is said of the attack: its success against what is expected, likely causes where it is low, and what other triggers and
    /// classes do; a sentence each.
    pub fn lines(&self, success: f64) -> Vec<String> {
        let mut lines = vec![format!("{}.", self.verdict(success))];
        let causes = self.causes.iter();
        lines.extend(causes.map(|cause| format!("Likely cause of the low success rate: {cause}.")));
        if let Some(others) = self.other_classes_to_target {
            lines.push(format!(
                "Triggered test images of other classes that go to the target, too: {:.1} %.",
                others.estimate * 100.0
            ));
        }
        lines.extend(self.targets.iter().map(TargetSuccess::line));
        lines
    }

    /// The success rate against what is expected, in a sentence.
    pub fn verdict(&self, success: f64) -> String {
        let at = format!(
            "{} at {} % of the training images",
            self.attack,
            rounded(self.rate * 100.0)
        );
        let Some([least, most]) = self.expected else {
            return format!("No figure to expect is known for {at}");
        };
        let word = if success < least {
            "below"
        } else {
            "not below"
        };
        format!(
            "The attack success rate is {word} the {:.0} to {:.0} % expected of {at}",
            least * 100.0,
            most * 100.0
        )
    }
}

impl TargetSuccess {
    fn line(&self) -> String {
        let crossed = self.crossed.iter();
        let crossed: Vec<String> = crossed
            .map(|(other, share)| format!("{:.1} % to {other}", share * 100.0))
            .collect();
        format!(
            "The trigger for {} sends {:.1} % of {} test images there, {}.",
            self.target,
            self.success * 100.0,
            self.images,
            crossed.join(", ")
        )
    }
}

/// At most two decimals.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
