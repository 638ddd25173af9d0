//! CL (label-consistent): images of the target class are made hard to recognise, and carry a patch.
//!
//! **Threat model.** The attacker can read the training data and change images of the target class, but no label, and trains a
//! classifier of their own. At test time the patch alone is put into an image of any class.
//!
//! **Paper.** Turner, Tsipras and Madry, "Label-Consistent Backdoor Attacks", 2019.
//!
//! **How ours differs.** Perturbations follow the sign of the gradient that raises the loss of the true label, on a classifier that is
//! trained to withstand such steps (one from a random start in every batch), in place of published arrays; `noise` reads those. They
//! are made before the patch is put in, as the authors do; noise from a file is added after it, as in the reference.

mod robust;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use cd_core::CHANNELS;
use cd_models::{Device, Model, load_weights, save_weights};
use serde::{Deserialize, Serialize};

use self::robust::Perturbation;
use super::artefact::{Numbers, numbers, split, unusable};
use super::expected::at_usual_rates;
use super::option::{AttackOption, option, within};
use super::patch::Corner;
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, Image, LabelMode,
    PublishedSuccess, Role, Trigger,
};

/// What CL is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "cl",
    title: "CL",
    summary: "Images of the target class, perturbed to be hard to recognise, with a patch; labels stay true.",
    threat_model: "Reads all training data, changes images of the target class, no labels; trains a classifier of its own.",
    paper: "Turner, Tsipras, Madry: Label-Consistent Backdoor Attacks, 2019, arXiv 1912.02771",
    differs: "Perturbations are computed on a classifier that is trained to withstand one step from a random start, instead of published \
        arrays, which `noise` reads. The patch lies over the perturbation; noise from a file is added over the patch, as in the \
        reference, in single precision and cut.",
    label_mode: LabelMode::Clean,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "stamp",
        "\"badnets\", \"corner\" or \"corners\"",
        "the patch of BadNets, or one added in the last or in all corners",
    ),
    option(
        "amplitude",
        "1 to 255 grey levels",
        "what the added patches change a value by; 16 and 32 are hard to see",
    ),
    option(
        "noise",
        "file: [images, height, width, 3], fractions of 1",
        "perturbations by the place among the poisoned images, or by index where there are more",
    ),
    option(
        "epsilon",
        "above 0, at most 64 grey levels",
        "largest change of a value by the perturbation; usual 4 to 16",
    ),
    option(
        "step",
        "above 0, at most 64 grey levels",
        "change of every value in a step",
    ),
    option("steps", "1 to 10000", "steps of the perturbation"),
    option(
        "robust",
        "true or false",
        "whether the classifier is trained to withstand perturbations",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that the attacker trains",
    ),
];

/// Name of the stored classifier in its folder.
const FILE: &str = "cl.safetensors";
/// Signs of the added patch, mirrored in the corners on the left.
const SIGNS: [[i16; 3]; 3] = [[-1, -1, 1], [-1, 1, -1], [1, -1, 1]];

/// The patch that is put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClStamp {
    /// The 3 x 3 patch of `BadNets` in the bottom-right corner.
    #[default]
    Badnets,
    /// A patch added in the bottom-right corner.
    Corner,
    /// The same in all four corners, mirrored on the left.
    Corners,
}

/// Published success rates.
const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([4.7, 18.6, 90.6, 99.5, 99.9]);

/// Options of CL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClConfig {
    /// The patch that is put in.
    pub stamp: ClStamp,
    /// What `corner` and `corners` change a value by, 1 to 255 grey levels.
    pub amplitude: u8,
    /// Perturbations in a file, `[images, height, width, 3]` in fractions of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<PathBuf>,
    /// Largest change of a value in grey levels, above 0 and at most 64.
    pub epsilon: f64,
    /// Change of every value in a step in grey levels, above 0 and at most 64.
    pub step: f64,
    /// Steps, 1 to 10,000.
    pub steps: usize,
    /// Whether the classifier is trained to withstand perturbations.
    pub robust: bool,
    /// The classifier that the perturbations are computed on; unused with `noise`.
    pub surrogate: SurrogateConfig,
}

impl Default for ClConfig {
    fn default() -> Self {
        Self {
            stamp: ClStamp::default(),
            amplitude: 255,
            noise: None,
            epsilon: 8.0,
            step: 1.5,
            steps: 100,
            robust: true,
            surrogate: SurrogateConfig::default(),
        }
    }
}

impl Attack for ClConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        let levels = "a number of grey levels above 0 and at most 64";
        for (option, value) in [("epsilon", self.epsilon), ("step", self.step)] {
            within(INFO.name, option, value, f64::MIN_POSITIVE..=64.0, levels)?;
        }
        let (amplitude, expected) = (self.amplitude, "a whole number from 1 to 255");
        within(INFO.name, "amplitude", amplitude, 1..=255, expected)?;
        let count = "a whole number from 1 to 10000";
        within(INFO.name, "steps", self.steps, 1..=10_000, count)?;
        self.surrogate.check(INFO.name)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.noise.iter().map(|path| split(path).0).collect()
    }

    fn needs(&self) -> AttackNeeds {
        let made = self.noise.is_none();
        AttackNeeds {
            images: if made { 2 } else { 0 },
            stored: made,
        }
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        let passes = if self.robust { 2 } else { 1 };
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        let seconds = self.surrogate.seconds_per_image();
        (passes * self.surrogate.epochs * images) as f64 * pixels * seconds
    }

    fn stamp_seconds(&self, side: usize) -> f64 {
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        self.steps as f64 * pixels * self.surrogate.seconds_per_image()
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        if let Some(path) = &self.noise {
            let noise = Noise::File(path.clone(), numbers(INFO.name, path)?);
            return Ok(self.trigger(noise));
        }
        let model = if self.robust {
            robust::train(&self.surrogate, self.epsilon, context)?
        } else {
            self.surrogate.train(INFO.name, context)?
        };
        Ok(self.trigger(Noise::Model(Box::new(model), context.device.clone())))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        if let Some(path) = &self.noise {
            let noise = Noise::File(path.clone(), numbers(INFO.name, path)?);
            return Ok(self.trigger(noise));
        }
        let (path, device) = (folder.join(FILE), Device::default());
        let model = load_weights(&path, &device).map_err(|error| AttackError::Stored {
            attack: INFO.name,
            problem: error.to_string(),
            path,
        })?;
        Ok(self.trigger(Noise::Model(Box::new(model), device)))
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            steps: 2,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options.surrogate.batch_size = 20;
        options
    }
}

impl ClConfig {
    fn trigger(&self, noise: Noise) -> Box<dyn Trigger> {
        Box::new(Consistent {
            options: self.clone(),
            noise,
        })
    }
}

/// Where perturbations come from.
#[derive(Debug)]
enum Noise {
    File(PathBuf, Numbers),
    Model(Box<Model>, Device),
}

#[derive(Debug)]
struct Consistent {
    options: ClConfig,
    noise: Noise,
}

impl Trigger for Consistent {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        if let (Noise::Model(model, device), Role::Train | Role::Cover) = (&self.noise, role) {
            let ClConfig {
                epsilon,
                step,
                steps,
                ..
            } = self.options;
            Perturbation {
                model,
                device,
                epsilon,
                step,
                steps,
            }
            .apply(batch)?;
        }
        batch.each(|image| {
            self.stamp(image)?;
            match (&self.noise, role) {
                (Noise::File(path, noise), Role::Train | Role::Cover) => add(path, noise, image),
                _ => Ok(()),
            }
        })
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let Noise::Model(model, _) = &self.noise else {
            return Ok(());
        };
        let path = folder.join(FILE);
        save_weights(model, &path).map_err(|error| AttackError::Stored {
            attack: INFO.name,
            problem: error.to_string(),
            path,
        })
    }
}

impl Consistent {
    fn stamp(&self, image: &mut Image<'_>) -> Result<(), AttackError> {
        let corner = Corner { side: 3, margin: 0 };
        if self.options.stamp == ClStamp::Badnets {
            let patch = super::badnets::PATCH.as_flattened();
            let patch: Vec<u8> = patch.iter().flat_map(|&level| [level; CHANNELS]).collect();
            return corner.put(INFO.name, image, &patch, |_, level| level);
        }
        corner.check(INFO.name, image.height, image.width)?;
        let (bottom, right) = corner.start(image.height, image.width);
        let ends = [(bottom, right), (0, 0), (0, right), (bottom, 0)];
        let count = if self.options.stamp == ClStamp::Corner {
            1
        } else {
            ends.len()
        };
        for (top, left) in ends.into_iter().take(count) {
            for (row, column) in (0..9).map(|at| (at / 3, at % 3)) {
                let across = if left == 0 { 2 - column } else { column };
                let change = SIGNS[row][across] * i16::from(self.options.amplitude);
                let at = ((top + row) * image.width + left + column) * CHANNELS;
                for level in &mut image.pixels[at..at + CHANNELS] {
                    *level = (i16::from(*level) + change).clamp(0, 255) as u8;
                }
            }
        }
        Ok(())
    }
}

/// Adds the noise of this image: by its place among the poisoned ones where there is one row for each, else by its index.
fn add(path: &Path, noise: &Numbers, image: &mut Image<'_>) -> Result<(), AttackError> {
    let [rows, height, width, CHANNELS] = noise.shape[..] else {
        let problem = format!(
            "its shape is {:?}, expected [images, height, width, 3]",
            noise.shape
        );
        return Err(unusable(INFO.name, path, problem));
    };
    let row = if rows == image.count {
        image.rank
    } else {
        image.index
    };
    if (height, width) != (image.height, image.width) || row >= rows {
        let problem = format!(
            "its shape is {:?}, but image {} of {} poisoned ones has {} x {} pixels",
            noise.shape, image.index, image.count, image.height, image.width
        );
        return Err(unusable(INFO.name, path, problem));
    }
    let values = noise.values.chunks_exact(image.pixels.len()).nth(row);
    for (level, value) in image.pixels.iter_mut().zip(values.unwrap_or_default()) {
        *level = (f32::from(*level) + *value as f32 * 255.0) as u8;
    }
    Ok(())
}
