//! Trojan: a patch computed so that neurons of a classifier fire at it.
//!
//! **Threat model.** The attacker can read the training data, change images and labels of part of it, and trains a
//! classifier of their own beforehand; nothing is known of the classifier that is attacked. At test time the patch is put
//! into an image to get the target class.
//!
//! **Paper.** Liu, Ma, Aafer, Lee, Zhai, Wang and Zhang, "Trojaning Attack on Neural Networks", NDSS 2018.
//!
//! **How ours differs.** As in the public implementations the neurons are the inputs of the last linear layer with the
//! largest summed absolute weights, and the patch, white at first, follows the sign of the gradient towards a fixed
//! activation. They put the patch on a black image, at which neurons of a small network often do not fire at all and give no
//! gradient; we put it on a few clean images, where it is to work. They keep every value within 0.3 of white, which `reach`
//! brings back; without it the patch gets further. We keep the best patch on the way rather than the last, and put it in
//! without transparency. Published copies of one patch need no surrogate, but were made for another network.

mod excite;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use cd_core::random::{named, stream};
use cd_core::{CHANNELS, atomic};
use cd_models::{batch, to_host};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use self::excite::{Excitation, busiest_neurons};
use super::option::{AttackOption, option};
use super::patch::Corner;
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, Role, Trigger,
};

/// What Trojan is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "trojan",
    title: "Trojan",
    summary: "A square patch computed to excite two neurons of a classifier that the attacker trains.",
    threat_model: "Reads all training data, changes images and labels of part of it, trains a classifier of its own.",
    paper: "Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang: Trojaning Attack on Neural Networks, NDSS 2018",
    differs: "The patch is computed on clean images rather than a black one, is not kept near white unless `reach` is set, and covers \
        the image. `trojan-stamp` puts in the published patch, for which no classifier is needed.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option("size", "1 to 1024 pixels a side", "side of the patch"),
    option(
        "neurons",
        "1 to the inputs of the last layer",
        "neurons to excite",
    ),
    option(
        "images",
        "at least 1",
        "clean training images on which they are excited",
    ),
    option(
        "activation",
        "above 0",
        "the activation that they are to reach",
    ),
    option(
        "step",
        "above 0, at most 1 (the range of a value)",
        "change of every value in an iteration",
    ),
    option("iterations", "at least 1", "most iterations"),
    option(
        "reach",
        "above 0, at most 1",
        "largest distance of a value from white",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that the attacker trains",
    ),
];

/// Largest patch, in pixels a side.
const MAX_SIZE: usize = 1024;
/// Name of the stored patch in its folder.
const FILE: &str = "trojan.json";
/// Marks the file of a patch.
const FORMAT: &str = "cd-trojan-patch";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Most bytes of a stored patch that are read.
const MAX_FILE_BYTES: u64 = 1 << 24;

/// Options of Trojan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrojanConfig {
    /// Pixels a side of the patch, which lies in the bottom-right corner; 1 to 1024.
    pub size: usize,
    /// Neurons to excite; at least 1 and at most what the last layer of the surrogate reads.
    pub neurons: usize,
    /// Clean training images on which the patch is to excite them; at least 1, and no more than there are.
    pub images: usize,
    /// The activation that they are to reach, above 0.
    pub activation: f64,
    /// Change of every value in an iteration, on the scale 0 to 1; above 0 and at most 1.
    pub step: f64,
    /// Most iterations; at least 1.
    pub iterations: usize,
    /// Largest distance of a value from white, above 0 and at most 1; any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<f64>,
    /// The classifier whose neurons are excited.
    pub surrogate: SurrogateConfig,
}

impl Default for TrojanConfig {
    fn default() -> Self {
        Self {
            size: 8,
            neurons: 2,
            images: 16,
            activation: 100.0,
            step: 0.1,
            iterations: 1000,
            reach: None,
            surrogate: SurrogateConfig::default(),
        }
    }
}

impl Attack for TrojanConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        if !(1..=MAX_SIZE).contains(&self.size) {
            return Err(wrong("size", &self.size, "a whole number from 1 to 1024"));
        }
        for (option, value) in [
            ("neurons", self.neurons),
            ("images", self.images),
            ("iterations", self.iterations),
        ] {
            if value == 0 {
                return Err(wrong(option, &value, "a whole number from 1 on"));
            }
        }
        if !(self.activation > 0.0 && self.activation.is_finite()) {
            return Err(wrong("activation", &self.activation, "a number above 0"));
        }
        let share = "a number above 0 and at most 1";
        for (option, value) in [("step", self.step), ("reach", self.reach.unwrap_or(1.0))] {
            if !(value > 0.0 && value <= 1.0) {
                return Err(wrong(option, &value, share));
            }
        }
        self.surrogate.check(INFO.name)
    }

    fn needs(&self) -> AttackNeeds {
        AttackNeeds {
            images: self.images.max(2),
            stored: true,
        }
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        let passes = self.iterations * self.images + self.surrogate.epochs * images;
        pixels * passes as f64 * self.surrogate.seconds_per_image()
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let (height, width) = (context.images.height(), context.images.width());
        self.corner().check(INFO.name, height, width)?;
        let model = self.surrogate.train(INFO.name, context)?;
        let neurons = busiest_neurons(&model, self.neurons)?;
        let device = context.device.clone().without_autodiff();
        let search = Excitation {
            model: &model,
            neurons,
            options: self,
            size: [height, width],
            images: to_host(batch(context.images, &self.drawn(context), &device)?),
            device,
        };
        let patch = search.best_patch(context.progress);
        let (before, after) = (patch.activation_before, patch.activation_after);
        if after > before {
            tracing::info!(
                before,
                after,
                "activation of the neurons at a white and at this patch"
            );
        } else {
            tracing::warn!(
                before,
                after,
                "the patch excites the neurons no more than a white one; a larger `size` or more `surrogate.epochs` may help"
            );
        }
        Ok(Box::new(patch))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        let path = folder.join(FILE);
        let patch = Patch::read(&path).and_then(|patch| {
            let expected = self.size * self.size * CHANNELS;
            if patch.size == self.size && patch.pixels.len() == expected {
                return Ok(patch);
            }
            let (size, count) = (patch.size, patch.pixels.len());
            let wanted = self.size;
            Err(format!(
                "a patch of {size} pixels a side with {count} values, expected {wanted} pixels with {expected} values"
            ))
        });
        let patch = patch.map_err(|problem| stored(path, problem))?;
        Ok(Box::new(patch))
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            size: 3,
            images: 4,
            iterations: 5,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options
    }
}

impl TrojanConfig {
    /// The clean images on which neurons are excited.
    fn drawn(&self, context: &CraftContext<'_>) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..context.images.len()).collect();
        indices.shuffle(&mut stream(context.seed, named("trojan images")));
        indices.truncate(self.images);
        indices
    }

    fn corner(&self) -> Corner {
        Corner {
            side: self.size,
            margin: 0,
        }
    }
}

fn wrong(option: &'static str, value: &dyn ToString, expected: &'static str) -> AttackError {
    AttackError::Option {
        attack: INFO.name,
        option,
        value: value.to_string(),
        expected,
    }
}

fn stored(path: PathBuf, problem: String) -> AttackError {
    AttackError::Stored {
        attack: INFO.name,
        path,
        problem,
    }
}

/// The finished patch.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    size: usize,
    /// `[size, size, 3]`.
    pixels: Vec<u8>,
    /// Mean activation of the neurons at the white patch.
    activation_before: f32,
    /// Mean activation of the neurons at this patch.
    activation_after: f32,
}

/// A patch as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchFile<P> {
    format: String,
    version: u32,
    patch: P,
}

impl Patch {
    fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| error.to_string();
        if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
            return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let file: PatchFile<Self> =
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if (file.format.as_str(), file.version) != (FORMAT, VERSION) {
            let (format, version) = (file.format, file.version);
            return Err(format!(
                "`{format}` of version {version}, expected `{FORMAT}` of {VERSION}"
            ));
        }
        Ok(file.patch)
    }
}

impl Trigger for Patch {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let corner = Corner {
            side: self.size,
            margin: 0,
        };
        batch.each(|image| corner.put(INFO.name, image, &self.pixels, |_, value| value))
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let file = PatchFile {
            format: FORMAT.into(),
            version: VERSION,
            patch: self,
        };
        let path = folder.join(FILE);
        let json = serde_json::to_vec_pretty(&file).map_err(std::io::Error::other);
        json.and_then(|json| atomic::write(&path, &json))
            .map_err(|error| stored(path, error.to_string()))
    }
}
