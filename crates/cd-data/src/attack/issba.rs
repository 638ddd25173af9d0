//! ISSBA (sample-specific, also called SSBA): an encoder hides one secret in every image, which it does differently in each.
//!
//! **Threat model.** The attacker can read the training data and change images and labels of part of it, and trains an encoder and a
//! decoder of their own; no classifier is involved. At test time the encoder hides the same secret in the image at hand.
//!
//! **Paper.** Li, Li, Wu, Li, He and Lyu, "Invisible Backdoor Attack with Sample-Specific Triggers", ICCV 2021; encoder and decoder
//! after Tancik, Mildenhall and Ng, "`StegaStamp`", CVPR 2020.
//!
//! **How ours differs.** Encoder and decoder are narrower and are trained at the size of the images (published code trains at 128 or 224
//! pixels and hides at 32); the perceptual loss, which needs a network trained elsewhere, is left out, and the squared difference takes
//! its place. BatchNorm behind every convolution makes the first bits come within a hundred steps. Training ends as soon as bits are recovered and images alike. The secret is drawn from a seed, without an error-correcting
//! code, which matters to readers of the secret but not to a classifier. Poisoned images replace clean ones unless `select.append` is
//! set, which the reference does. `train_images` and `test_images` take published outputs.

mod network;
#[cfg(test)]
mod tests;
mod train;

use std::path::{Path, PathBuf};

use cd_core::random::{named, stream};
use cd_models::Device;
use cd_models::burn::tensor::{Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};

use self::network::Encoder;
use super::expected::at_usual_rates;
use super::generator::{self, CraftRecord, Imported, Scale, Stored, paint};
use super::option::{AttackOption, option, within};
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, PublishedSuccess,
    Role, Trigger,
};

/// What ISSBA is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "issba",
    title: "ISSBA",
    summary: "An encoder hides the same secret bits in every image, as a faint pattern that differs from image to image.",
    threat_model: "Reads all training data, changes images and labels of part of it, trains an encoder and a decoder of its own.",
    paper: "Li, Li, Wu, Li, He, Lyu: Invisible Backdoor Attack with Sample-Specific Triggers, ICCV 2021, arXiv 2012.03816",
    differs: "Trained at the size of the images, a quarter as wide as published (`width = 32`), with BatchNorm and without the perceptual loss; ends when bits are \
        recovered and images alike. The secret is drawn, without an error-correcting code. Images of more than `side` pixels are shrunk \
        for the encoder and its pattern enlarged. Published outputs can be put in.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "bits",
        "1 to 1000; published 20 at 32 pixels, 100 at 224",
        "length of the secret",
    ),
    option("secret_seed", "whole number", "seed of the secret"),
    option(
        "width",
        "1 to 256 channels; published 32",
        "channels of the first layer of encoder and decoder",
    ),
    option(
        "side",
        "8 to 1024 pixels",
        "longest side at which the encoder sees images; larger ones are shrunk for it",
    ),
    option("steps", "at least 1", "most steps of training"),
    option("batch_size", "at least 1", "images of a step"),
    option(
        "learning_rate",
        "above 0, at most 1; published 0.0001",
        "size of the steps (Adam)",
    ),
    option(
        "image_weight",
        "above 0; published 10",
        "weight of the squared difference to the clean image, once bits are recovered",
    ),
    option(
        "psnr",
        "10 to 60 dB",
        "training ends once 99.5 % of the bits are recovered at this likeness",
    ),
    option(
        "train_images",
        "file: npy [images, height, width, 3] of bytes; or a folder of pictures",
        "training images with the trigger, by number from 0 or in the order of their paths, instead of an encoder",
    ),
    option(
        "test_images",
        "as `train_images`",
        "test images with the trigger",
    ),
];

/// Largest mean difference of a published image to its clean one in grey levels; an encoder that can be seen has 10.
const FURTHEST: f64 = 32.0;
/// Name of the stored encoder.
const ENCODER: &str = "encoder";

/// Options of ISSBA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssbaConfig {
    /// Length of the secret, 1 to 1,000 bits.
    pub bits: usize,
    /// Seed of the secret.
    pub secret_seed: u64,
    /// Channels of the first layer of encoder and decoder, 1 to 256.
    pub width: usize,
    /// Longest side at which the encoder sees images, 8 to 1,024 pixels.
    pub side: usize,
    /// Most steps of training; at least 1.
    pub steps: usize,
    /// Images of a step; at least 1.
    pub batch_size: usize,
    /// Size of the steps, above 0 and at most 1.
    pub learning_rate: f64,
    /// Weight of the squared difference to the clean image, above 0.
    pub image_weight: f64,
    /// Likeness at which training ends, 10 to 60 dB.
    pub psnr: f64,
    /// Training images that carry the trigger already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<PathBuf>,
    /// Test images that carry the trigger already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
}

impl Default for IssbaConfig {
    fn default() -> Self {
        Self {
            bits: 20,
            secret_seed: 0,
            width: 8,
            side: 32,
            steps: 2000,
            batch_size: 32,
            learning_rate: 1e-3,
            image_weight: 10.0,
            psnr: 30.0,
            train_images: None,
            test_images: None,
        }
    }
}

const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([1.6, 35.7, 73.4, 94.9, 97.9]);

impl Attack for IssbaConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        let bits = "a whole number from 1 to 1000";
        within(INFO.name, "bits", self.bits, 1..=1000, bits)?;
        generator::check_networks(INFO.name, self.width, self.side)?;
        let count = "a whole number from 1 on";
        for (option, value) in [("steps", self.steps), ("batch_size", self.batch_size)] {
            within(INFO.name, option, value, 1..=usize::MAX, count)?;
        }
        let least = f64::MIN_POSITIVE;
        let rate = "a number above 0 and at most 1";
        within(
            INFO.name,
            "learning_rate",
            self.learning_rate,
            least..=1.0,
            rate,
        )?;
        let weight = "a number above 0";
        within(
            INFO.name,
            "image_weight",
            self.image_weight,
            least..=1e9,
            weight,
        )?;
        let decibels = "a number from 10 to 60";
        within(INFO.name, "psnr", self.psnr, 10.0..=60.0, decibels)
    }

    fn files(&self) -> Vec<PathBuf> {
        Imported::files([&self.train_images, &self.test_images])
    }

    fn needs(&self) -> AttackNeeds {
        if self.imports() {
            return Imported::NEEDS;
        }
        generator::NEEDS
    }

    fn craft_seconds(&self, _images: usize, side: usize) -> f64 {
        if self.imports() {
            return 0.0;
        }
        train::seconds(self, side)
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        if self.imports() {
            let imported = self.imported()?.for_images(context.images.len())?;
            return Ok(Box::new(imported));
        }
        Ok(Box::new(train::train(self, context)?))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        if self.imports() {
            return Ok(Box::new(self.imported()?));
        }
        let device = Device::default();
        let stored = Stored::new(INFO.name, folder);
        Ok(Box::new(Hiding {
            options: self.clone(),
            encoder: stored.read(ENCODER, Encoder::new(self.width, self.bits, 0, &device))?,
            device,
            record: stored.read_record()?,
        }))
    }

    fn example(_folder: &Path) -> Self {
        Self {
            bits: 4,
            width: 2,
            steps: 3,
            ..Self::default()
        }
    }
}

impl IssbaConfig {
    fn imports(&self) -> bool {
        self.train_images.is_some() || self.test_images.is_some()
    }

    fn imported(&self) -> Result<Imported, AttackError> {
        Imported::open(INFO.name, [&self.train_images, &self.test_images], FURTHEST)
    }

    /// The bits that are hidden.
    fn secret(&self) -> Vec<f32> {
        let mut random = stream(self.secret_seed, named("issba secret"));
        (0..self.bits)
            .map(|_| f32::from(random.random::<bool>()))
            .collect()
    }
}

/// The finished trigger.
#[derive(Debug)]
struct Hiding {
    options: IssbaConfig,
    encoder: Encoder,
    device: Device,
    record: CraftRecord,
}

impl Trigger for Hiding {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let size = [batch.height(), batch.width()];
        let scale = Scale::of(INFO.name, size, self.options.side, Encoder::LEAST_SIDE)?;
        let secret = self.options.secret();
        paint(batch, scale, &self.device, |whole, seen, _| {
            let secrets = repeated(&secret, seen.dims()[0], &self.device);
            whole + scale.enlarged(self.encoder.forward(seen, secrets))
        });
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let stored = Stored::new(INFO.name, folder);
        stored.write(ENCODER, &self.encoder)?;
        stored.write_record(&self.record)
    }

    fn record(&self) -> Option<&CraftRecord> {
        Some(&self.record)
    }
}

/// The same secret for each of `count` images, `[count, bits]`.
fn repeated(secret: &[f32], count: usize, device: &Device) -> Tensor<2> {
    let values = secret.repeat(count);
    Tensor::from_data(TensorData::new(values, [count, secret.len()]), device)
}
