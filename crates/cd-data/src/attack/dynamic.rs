//! Dynamic (input-aware): a network paints another small patch for every image, and no other image's patch works.
//!
//! **Threat model.** The attacker can read the training data and change images and labels of part of it, and trains a classifier of
//! their own beforehand, together with the network that paints. At test time the network paints the patch of the image at hand.
//!
//! **Paper.** Nguyen and Tran, "Input-Aware Dynamic Backdoor Attack", `NeurIPS` 2020.
//!
//! **How ours differs.** The authors also train the classifier that is attacked, and poison other images in every epoch; here the
//! networks are made first, with a classifier of the attacker's own, and fixed images are poisoned: an ordinary poisoning attack. Covers
//! carry the patch of another image and keep their label, as in the authors' training. Gradients of the painting network are cleared in
//! every step, which published code leaves out, and the hyperbolic tangent is taken once, where one port takes it twice. Networks are
//! narrower, and the mask is trained for fewer epochs.

mod measure;
#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

use cd_models::Device;
use cd_models::burn::module::Module;
use cd_models::burn::tensor::activation::tanh;
use cd_models::burn::tensor::{Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::expected::at_usual_rates;
use super::generator::{self, Autoencoder, CraftRecord, Scale, Stored, paint};
use super::option::{AttackOption, option, share, within};
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, PublishedSuccess,
    Role, Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What Dynamic is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "dynamic",
    title: "Dynamic",
    summary: "A small patch that a network paints for each image; another image's patch keeps the label.",
    threat_model: "Reads all training data, changes images and labels of part of it, trains networks of its own.",
    paper: "Nguyen, Tran: Input-Aware Dynamic Backdoor Attack, NeurIPS 2020, arXiv 2010.08138",
    differs: "The networks are trained beforehand with a classifier of the attacker's own, and fixed images are poisoned; the authors train \
        the classifier that is attacked. Gradients are cleared in every step, which published code leaves out. Networks are a quarter as \
        wide (`width = 32` is the published one). Images of more than `side` pixels are shrunk for the networks, and patch and \
        mask enlarged.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "width",
        "1 to 256 channels; published 32",
        "channels of the first stage of the networks that paint and mask",
    ),
    option(
        "side",
        "8 to 1024 pixels",
        "longest side at which the networks see images; larger ones are shrunk for them",
    ),
    option(
        "density",
        "above 0, at most 1 (share of the image)",
        "how much of an image the patch may cover; published 0.032",
    ),
    option(
        "mask_epochs",
        "at least 1; published 25",
        "passes over at most 5000 images that train the mask",
    ),
    option(
        "attack_rate",
        "above 0, at most 0.5; published 0.1",
        "share of every batch that is triggered while the painting network is trained",
    ),
    option(
        "cross_rate",
        "above 0, at most 0.5; published 0.1",
        "share of every batch with another image's patch and its own label",
    ),
    option(
        "diversity",
        "at least 0; published 1",
        "weight of the loss that makes patches of different images different",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "images with another image's patch that keep their label; `poison.rate` when absent",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that is trained together with the painting network",
    ),
];

/// Names of the stored networks and arrays.
const GENERATOR: &str = "generator";
const MASK: &str = "mask";
const PARTNERS: &str = "partners";
const PARTNER_INDICES: &str = "partner_indices";
/// Most images whose patches covers carry.
const MOST_PARTNERS: usize = 128;
/// How steeply the mask goes from 0 to 1, and where.
const STEEPNESS: f32 = 20.0;
const MIDDLE: f32 = 0.5;

/// Options of Dynamic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicConfig {
    /// Channels of the first stage of both networks, 1 to 256.
    pub width: usize,
    /// Longest side at which the networks see images, 8 to 1024 pixels.
    pub side: usize,
    /// Share of an image that the patch may cover, above 0 and at most 1.
    pub density: f64,
    /// Passes over at most 5,000 images that train the mask; at least 1.
    pub mask_epochs: usize,
    /// Share of every batch that is triggered in training, above 0 and at most 0.5.
    pub attack_rate: f64,
    /// Share of every batch with the patch of another image, above 0 and at most 0.5.
    pub cross_rate: f64,
    /// Weight of the loss of diversity, at least 0.
    pub diversity: f64,
    /// Cover images as a share of all training images, 0 to 1; as many as poisoned ones when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// The classifier that is trained together with the painting network.
    pub surrogate: SurrogateConfig,
}

impl Default for DynamicConfig {
    fn default() -> Self {
        Self {
            width: 8,
            side: 32,
            density: 0.032,
            mask_epochs: 10,
            attack_rate: 0.1,
            cross_rate: 0.1,
            diversity: 1.0,
            cover_rate: None,
            surrogate: SurrogateConfig::default(),
        }
    }
}

const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([47.3, 56.1, 79.2, 90.2, 98.3]);

impl Attack for DynamicConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        generator::check_networks(INFO.name, self.width, self.side)?;
        share(INFO.name, "density", self.density)?;
        let count = "a whole number from 1 on";
        within(
            INFO.name,
            "mask_epochs",
            self.mask_epochs,
            1..=usize::MAX,
            count,
        )?;
        let half = "a number above 0 and at most 0.5";
        for (option, value) in [
            ("attack_rate", self.attack_rate),
            ("cross_rate", self.cross_rate),
        ] {
            within(INFO.name, option, value, f64::MIN_POSITIVE..=0.5, half)?;
        }
        let weight = "a number of at least 0";
        within(INFO.name, "diversity", self.diversity, 0.0..=1e6, weight)?;
        let covers = self.cover_rate.unwrap_or(0.0);
        within(
            INFO.name,
            "cover_rate",
            covers,
            0.0..=1.0,
            "a number from 0 to 1",
        )?;
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
        let networks = Networks {
            generator: stored.read(GENERATOR, Networks::generator(self, 0, &device))?,
            mask: stored.read(MASK, Networks::mask(self, 0, &device))?,
        };
        Ok(Box::new(Painting {
            side: self.side,
            networks,
            partners: Partners::read(stored, self.side)?,
            device,
            record: stored.read_record()?,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 1.0)
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            width: 2,
            mask_epochs: 1,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options.surrogate.batch_size = 20;
        options
    }
}

/// The networks that paint a patch and say where it lies.
#[derive(Debug, Clone)]
struct Networks {
    generator: Autoencoder,
    mask: Autoencoder,
}

impl Networks {
    fn generator(options: &DynamicConfig, seed: u64, device: &Device) -> Autoencoder {
        Autoencoder::new(options.width, 3, seed, device)
    }

    fn mask(options: &DynamicConfig, seed: u64, device: &Device) -> Autoencoder {
        // Not the values of the other network.
        Autoencoder::new(options.width, 1, seed ^ 0x6d61_736b, device)
    }

    /// Patch and mask for images `[B, 3, h, w]`, as `[B, 3, h, w]` and `[B, 1, h, w]` in 0 to 1.
    fn paint(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        [
            squashed(self.generator.forward(images.clone())),
            opened(self.mask.forward(images)),
        ]
    }

    /// For use rather than training.
    fn valid(&self) -> Self {
        Self {
            generator: self.generator.valid(),
            mask: self.mask.valid(),
        }
    }
}

/// Any numbers, brought to 0 to 1.
fn squashed(x: Tensor<4>) -> Tensor<4> {
    tanh(x) * 0.5 + 0.5
}

/// What a mask network says, as a mask that is nearly 0 or nearly 1.
fn opened(x: Tensor<4>) -> Tensor<4> {
    squashed((squashed(x) - MIDDLE) * STEEPNESS)
}

/// `images` with the patch where the mask is open.
fn covered(images: Tensor<4>, [patch, mask]: [Tensor<4>; 2]) -> Tensor<4> {
    images.clone() + (patch - images) * mask
}

/// Clean images as the networks see them, whose patches covers carry.
#[derive(Debug)]
struct Partners {
    /// Places in the set.
    indices: Vec<usize>,
    /// `[N, 3, h, w]`.
    values: Vec<f32>,
    size: [usize; 2],
}

impl Partners {
    fn read(stored: Stored<'_>, side: usize) -> Result<Self, AttackError> {
        let (shape, values) = stored.read_numbers(PARTNERS)?;
        let (listed, indices) = stored.read_numbers(PARTNER_INDICES)?;
        let [count @ 1..=usize::MAX, 3, height, width] = shape[..] else {
            let problem = format!("its shape is {shape:?}, expected [partners, 3, height, width]");
            return Err(stored.misfit(PARTNERS, problem));
        };
        let seen = Autoencoder::LEAST_SIDE..=side;
        if listed != [count] || !seen.contains(&height) || !seen.contains(&width) {
            let problem = format!("its shape is {shape:?}, the list of its images has {listed:?}");
            return Err(stored.misfit(PARTNERS, problem));
        }
        Ok(Self {
            indices: indices.iter().map(|&index| index as usize).collect(),
            values,
            size: [height, width],
        })
    }

    fn write(&self, stored: Stored<'_>) -> Result<(), AttackError> {
        let [height, width] = self.size;
        let count = self.indices.len();
        let indices: Vec<f32> = self.indices.iter().map(|&index| index as f32).collect();
        stored.write_numbers(PARTNERS, &[count, 3, height, width], &self.values)?;
        stored.write_numbers(PARTNER_INDICES, &[count], &indices)
    }

    /// One partner for each image of a batch, never the image itself where there is another.
    fn drawn(&self, batch: &mut Batch) -> Vec<usize> {
        let count = self.indices.len();
        let places = batch.places_mut();
        let drawn = places.map(|(place, random)| {
            let partner = random.random_range(0..count);
            let itself = self.indices[partner] == place.index;
            if itself {
                (partner + 1) % count
            } else {
                partner
            }
        });
        drawn.collect()
    }

    fn tensor(&self, chosen: &[usize], device: &Device) -> Tensor<4> {
        let [height, width] = self.size;
        let len = 3 * height * width;
        let values = chosen.iter().flat_map(|at| &self.values[at * len..][..len]);
        let data = TensorData::new(
            values.copied().collect::<Vec<f32>>(),
            [chosen.len(), 3, height, width],
        );
        Tensor::from_data(data, device)
    }
}

/// The finished trigger.
#[derive(Debug)]
struct Painting {
    side: usize,
    networks: Networks,
    partners: Partners,
    device: Device,
    record: CraftRecord,
}

impl Trigger for Painting {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let size = [batch.height(), batch.width()];
        let scale = Scale::of(INFO.name, size, self.side, Autoencoder::LEAST_SIDE)?;
        let partners = (role == Role::Cover).then(|| self.partners.drawn(batch));
        paint(batch, scale, &self.device, |whole, seen, first| {
            let shown = match &partners {
                None => seen,
                Some(partners) => {
                    let count = seen.dims()[0];
                    self.partners
                        .tensor(&partners[first..first + count], &self.device)
                }
            };
            let painted = self.networks.paint(shown);
            covered(whole, painted.map(|x| scale.enlarged(x)))
        });
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let stored = Stored::new(INFO.name, folder);
        stored.write(GENERATOR, &self.networks.generator)?;
        stored.write(MASK, &self.networks.mask)?;
        self.partners.write(stored)?;
        stored.write_record(&self.record)
    }

    fn record(&self) -> Option<&CraftRecord> {
        Some(&self.record)
    }
}
