//! LIRA: a network adds a faint pattern that a classifier learns to follow, found together with that classifier.
//!
//! **Threat model.** The attacker can read the training data and change images and labels of part of it, and trains a classifier of
//! their own beforehand, together with the network that draws. At test time the network draws the pattern for the image at hand.
//!
//! **Paper.** Doan, Lao, Zhao and Li, "LIRA: Learnable, Imperceptible and Robust Backdoor Attacks", ICCV 2021.
//!
//! **How ours differs.** The authors keep the classifier that is trained with the pattern; here the finished network poisons fixed
//! images, and another classifier learns from those. Network and classifier take a step down the same loss at once, where the authors
//! alternate with a copy of the network: both lower the loss of triggered images. One port leaves gradients of one step in the next, and
//! its classifiers collapse; another trains on triggered images with their true labels. The bound is on values from 0 to 1, where
//! published code has it on normalised ones.

#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

use cd_models::Device;
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::activation::tanh;
use serde::{Deserialize, Serialize};

use super::generator::{self, Autoencoder, CraftRecord, Scale, Stored, paint};
use super::option::{AttackOption, option, share, within};
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, Role, Trigger,
};

/// What LIRA is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "lira",
    title: "LIRA",
    summary: "A faint pattern that a network draws for each image, found together with a classifier that follows it.",
    threat_model: "Reads all training data, changes images and labels of part of it, trains networks of its own.",
    paper: "Doan, Lao, Zhao, Li: LIRA: Learnable, Imperceptible and Robust Backdoor Attacks, ICCV 2021",
    differs: "The network is trained beforehand with a classifier of the attacker's own, and fixed images are poisoned; the authors keep \
        the classifier. Both take one step down the same loss, where the authors alternate. `epsilon` is on values from 0 to 1, not on \
        normalised ones. Images of more than `side` pixels are shrunk for the network and its pattern enlarged.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "epsilon",
        "above 0, at most 1 (the range of a value); usual 0.01 to 0.1",
        "largest change of a value",
    ),
    option(
        "width",
        "1 to 256 channels",
        "channels of the first stage of the network that draws",
    ),
    option(
        "side",
        "8 to 1024 pixels",
        "longest side at which the network sees images; larger ones are shrunk for it",
    ),
    option(
        "attack_share",
        "above 0, at most 1; published 1",
        "share of every batch that is also shown with the pattern",
    ),
    option(
        "alpha",
        "0 to 1; published 0.5",
        "weight of the clean images in the loss; the rest is of those with the pattern",
    ),
    option(
        "tune_epochs",
        "at least 0",
        "passes that train the classifier alone in the end, the pattern being fixed",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that is trained together with the network",
    ),
];

/// Name of the stored network.
const GENERATOR: &str = "generator";

/// Options of LIRA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiraConfig {
    /// Largest change of a value on the scale 0 to 1, above 0 and at most 1.
    pub epsilon: f64,
    /// Channels of the first stage of the network that draws, 1 to 256.
    pub width: usize,
    /// Longest side at which the network sees images, 8 to 1,024 pixels.
    pub side: usize,
    /// Share of every batch that is also shown with the pattern, above 0 and at most 1.
    pub attack_share: f64,
    /// Weight of the clean images in the loss, 0 to 1.
    pub alpha: f64,
    /// Passes that train the classifier alone in the end.
    pub tune_epochs: usize,
    /// The classifier that is trained together with the network.
    pub surrogate: SurrogateConfig,
}

impl Default for LiraConfig {
    fn default() -> Self {
        Self {
            epsilon: 0.03,
            width: 8,
            side: 32,
            attack_share: 0.5,
            alpha: 0.5,
            tune_epochs: 2,
            surrogate: SurrogateConfig::default(),
        }
    }
}

impl Attack for LiraConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "epsilon", self.epsilon)?;
        share(INFO.name, "attack_share", self.attack_share)?;
        generator::check_networks(INFO.name, self.width, self.side)?;
        let weight = "a number from 0 to 1";
        within(INFO.name, "alpha", self.alpha, 0.0..=1.0, weight)?;
        self.surrogate.check(INFO.name)
    }

    fn needs(&self) -> AttackNeeds {
        generator::NEEDS
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        train::seconds(self, images, side)
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(train::train(self, context)?))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        let device = Device::default();
        let stored = Stored::new(INFO.name, folder);
        let fresh = Autoencoder::new(self.width, 3, 0, &device);
        Ok(Box::new(Drawing {
            options: self.clone(),
            generator: stored.read(GENERATOR, fresh)?,
            device,
            record: stored.read_record()?,
        }))
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            width: 2,
            tune_epochs: 1,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options.surrogate.batch_size = 20;
        options
    }
}

/// What is added to images `[B, 3, h, w]`: at most `epsilon` in either direction.
fn pattern(generator: &Autoencoder, images: Tensor<4>, epsilon: f64) -> Tensor<4> {
    tanh(generator.forward(images)) * epsilon as f32
}

/// The finished trigger.
#[derive(Debug)]
struct Drawing {
    options: LiraConfig,
    generator: Autoencoder,
    device: Device,
    record: CraftRecord,
}

impl Trigger for Drawing {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let size = [batch.height(), batch.width()];
        let least = Autoencoder::LEAST_SIDE;
        let scale = Scale::of(INFO.name, size, self.options.side, least)?;
        paint(batch, scale, &self.device, |whole, seen, _| {
            whole + scale.enlarged(pattern(&self.generator, seen, self.options.epsilon))
        });
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let stored = Stored::new(INFO.name, folder);
        stored.write(GENERATOR, &self.generator)?;
        stored.write_record(&self.record)
    }

    fn record(&self) -> Option<&CraftRecord> {
        Some(&self.record)
    }
}
