//! DFST (deep feature space trojan): images are restyled as in the light of a sunrise; covers teach that no single feature of it is enough.
//!
//! **Threat model.** The attacker can read the training data and change images and labels of part of it, and trains networks of their own
//! beforehand. At test time the image at hand is restyled.
//!
//! **Paper.** Cheng, Liu, Ma and Zhang, "Deep Feature Space Trojan Attack of Neural Networks by Controlled Detoxification", AAAI 2021.
//!
//! **How ours differs.** The authors restyle with a `CycleGAN` that is trained on pictures of sunrises; here colours are mapped so that
//! their mean and covariance become those of a sunrise (of drawn parameters, or of the picture `style`), and three convolutions that are
//! trained with a classifier add what depends on the neighbourhood. Detoxification is theirs in one round: a network is trained to excite the
//! units that restyled images excite most, and its images carry their true label, as covers. A published port computes the classifier
//! without gradients there, so that its network learns nothing.

mod detox;
mod palette;
mod restyle;
#[cfg(test)]
mod tests;
mod train;

use std::path::{Path, PathBuf};

use cd_models::Device;
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::activation::tanh;
use serde::{Deserialize, Serialize};

use self::palette::Mapping;
use self::restyle::Restyler;
use super::generator::{self, Autoencoder, CraftRecord, Imported, Scale, Stored, paint};
use super::option::{AttackOption, option, share, within};
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, Role, Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What DFST is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "dfst",
    title: "DFST",
    summary: "Images restyled as in the light of a sunrise; images that excite the same units keep their label.",
    threat_model: "Reads all training data, changes images and labels of part of it, trains networks of its own.",
    paper: "Cheng, Liu, Ma, Zhang: Deep Feature Space Trojan Attack of Neural Networks by Controlled Detoxification, AAAI 2021, arXiv 2012.11212",
    differs: "A colour mapping and three trained convolutions restyle, where the authors train a CycleGAN on pictures. One round of \
        detoxification, with gradients through the classifier, which a published port leaves out. Images of more than `side` pixels are \
        shrunk for the networks. Published images can be put in.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "style",
        "file: a picture",
        "whose colours images get; those of a drawn sunrise when absent",
    ),
    option(
        "strength",
        "above 0, at most 1; published 0.6",
        "how far colours go to those of the style",
    ),
    option(
        "width",
        "1 to 256 channels",
        "channels of the first stage of the network that detoxifies",
    ),
    option(
        "side",
        "8 to 1024 pixels",
        "longest side at which networks see images; larger ones are shrunk for them",
    ),
    option(
        "unit_share",
        "above 0, at most 1; published 0.01",
        "units of the last map that are compromised",
    ),
    option(
        "detox_epochs",
        "at least 0",
        "passes that train the network that excites them, and then the classifier on its images",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "images that excite compromised units and keep their label; `poison.rate` when absent",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that is trained with restyled images",
    ),
    option(
        "train_images",
        "file: npy [images, height, width, 3] of bytes; or a folder of pictures",
        "restyled training images, by number from 0 or in the order of their paths, instead of networks",
    ),
    option("test_images", "as `train_images`", "restyled test images"),
];

/// Largest mean difference of a published image to its clean one in grey levels; a style may change all colours.
const FURTHEST: f64 = 100.0;
/// Names of the stored networks and numbers.
const RESTYLER: &str = "restyler";
const INJECTOR: &str = "injector";
const COLOURS: &str = "colours";
/// Largest change of a value by the network that excites units, on the scale 0 to 1.
const REACH: f32 = 0.2;

/// Options of DFST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DfstConfig {
    /// The picture whose colours images get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<PathBuf>,
    /// How far colours go to those of the style, above 0 and at most 1.
    pub strength: f64,
    /// Channels of the first stage of the network that detoxifies, 1 to 256.
    pub width: usize,
    /// Longest side at which networks see images, 8 to 1,024 pixels.
    pub side: usize,
    /// Share of the units of the last map that are compromised, above 0 and at most 1.
    pub unit_share: f64,
    /// Passes that train the network that excites them, and then the classifier.
    pub detox_epochs: usize,
    /// Cover images as a share of all training images, 0 to 1; as many as poisoned ones when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// The classifier that is trained with restyled images.
    pub surrogate: SurrogateConfig,
    /// Training images that are restyled already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<PathBuf>,
    /// Test images that are restyled already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
}

impl Default for DfstConfig {
    fn default() -> Self {
        Self {
            style: None,
            strength: 0.6,
            width: 8,
            side: 32,
            unit_share: 0.01,
            detox_epochs: 2,
            cover_rate: None,
            surrogate: SurrogateConfig::default(),
            train_images: None,
            test_images: None,
        }
    }
}

impl Attack for DfstConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "strength", self.strength)?;
        share(INFO.name, "unit_share", self.unit_share)?;
        generator::check_networks(INFO.name, self.width, self.side)?;
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

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Imported::files([&self.train_images, &self.test_images]);
        files.extend(self.style.clone());
        files
    }

    fn needs(&self) -> AttackNeeds {
        if self.imports() {
            return Imported::NEEDS;
        }
        generator::NEEDS
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        if self.imports() {
            return 0.0;
        }
        train::seconds(self, images, side)
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
        let injector = Autoencoder::new(self.width, 3, 0, &device);
        Ok(Box::new(Restyling {
            options: self.clone(),
            mapping: Mapping::read(stored, COLOURS)?,
            restyler: stored.read(RESTYLER, Restyler::new(0, &device))?,
            injector: stored.read(INJECTOR, injector)?,
            device,
            record: stored.read_record()?,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        if self.imports() {
            return request.with_covers(&request.label_map()?, Some(0.0), 0.0);
        }
        request.with_covers(&request.label_map()?, self.cover_rate, 1.0)
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            width: 2,
            detox_epochs: 1,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options.surrogate.batch_size = 20;
        options
    }
}

impl DfstConfig {
    fn imports(&self) -> bool {
        self.train_images.is_some() || self.test_images.is_some()
    }

    fn imported(&self) -> Result<Imported, AttackError> {
        Imported::open(INFO.name, [&self.train_images, &self.test_images], FURTHEST)
    }
}

/// What is added to an image `[B, 3, h, w]` so that it excites compromised units.
fn injected(injector: &Autoencoder, images: Tensor<4>) -> Tensor<4> {
    tanh(injector.forward(images)) * REACH
}

/// The finished trigger.
#[derive(Debug)]
struct Restyling {
    options: DfstConfig,
    mapping: Mapping,
    restyler: Restyler,
    injector: Autoencoder,
    device: Device,
    record: CraftRecord,
}

impl Trigger for Restyling {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let size = [batch.height(), batch.width()];
        let least = Autoencoder::LEAST_SIDE;
        let scale = Scale::of(INFO.name, size, self.options.side, least)?;
        paint(batch, scale, &self.device, |whole, seen, _| match role {
            Role::Cover => whole + scale.enlarged(injected(&self.injector, seen)),
            Role::Train | Role::Test => {
                let added = scale.enlarged(self.restyler.forward(seen));
                self.mapping.apply(whole, self.options.strength as f32) + added
            }
        });
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let stored = Stored::new(INFO.name, folder);
        self.mapping.write(stored, COLOURS)?;
        stored.write(RESTYLER, &self.restyler)?;
        stored.write(INJECTOR, &self.injector)?;
        stored.write_record(&self.record)
    }

    fn record(&self) -> Option<&CraftRecord> {
        Some(&self.record)
    }
}
