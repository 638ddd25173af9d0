//! FC (feature collision): images of the target class are changed until a classifier takes them for other images, which then follow.
//!
//! **Threat model.** The attacker can change images of the target class, but no label, knows the images that are to be misclassified
//! and a classifier like the victim's. Nothing is put into test images: chosen ones are taken for the target class as they are.
//!
//! **Paper.** Shafahi, Huang, Najibi, Suciu, Studer, Dumitras and Goldstein, "Poison Frogs! Targeted Clean-Label Poisoning Attacks on
//! Neural Networks", `NeurIPS` 2018.
//!
//! **How ours differs.** The method is theirs: a step towards the features of the other image, then one back towards the image's own
//! pixels. Each image has a step length of its own, where the toolbox ART lets one shrink over all images and calls and looks at it
//! every 40th step only; a step that does not help is taken back. Targets are drawn from the test images of other classes.

mod collide;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use cd_core::random::named;
use cd_core::{CHANNELS, npy};
use cd_models::{Device, Model, load_weights, save_weights};
use serde::{Deserialize, Serialize};

use self::collide::Collision;
use super::artefact::{Cached, Raster, numbers, split};
use super::option::{AttackOption, option, within};
use super::surrogate::SurrogateConfig;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, Role, Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan, draw};

/// What FC is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "fc",
    title: "FC",
    summary: "Images of the target class whose features are those of a few test images, which then go there; labels stay true.",
    threat_model: "Changes images of the target class, no labels; knows the test images that it wants misclassified, trains a classifier \
        of its own. Test images carry no trigger.",
    paper: "Shafahi, Huang, Najibi, Suciu, Studer, Dumitras, Goldstein: Poison Frogs! Targeted Clean-Label Poisoning Attacks on Neural \
        Networks, NeurIPS 2018, arXiv 1804.00792",
    differs: "Every image has a step length of its own, which halves when a step does not help (ART: one for all images and calls, looked \
        at every 40th step), and the best image is kept. The success rate is the share of the targets that are hit; all other test \
        images stay as they are. Pixels count from 0 to 1.",
    label_mode: LabelMode::Clean,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "targets",
        "1 to 10000",
        "test images of other classes that are to be taken for the target class; poisoned images are shared out among them",
    ),
    option(
        "target_images",
        "list of files (picture, npy, npz, safetensors, PyTorch)",
        "the targets, instead of test images; no success rate is measured then",
    ),
    option(
        "watermark",
        "0 to 1; usual 0 to 0.3",
        "share of its target that is mixed into a poisoned image at the start",
    ),
    option("iterations", "1 to 10000", "steps of the search"),
    option(
        "learning_rate",
        "above 0",
        "length of the first steps; it halves whenever a step does not help",
    ),
    option(
        "similarity",
        "0 or more",
        "how much likeness to the own pixels counts, times the square of features per pixel value",
    ),
    option(
        "surrogate",
        "a table: model, epochs, batch_size, learning_rate",
        "the classifier that the attacker trains",
    ),
];

/// Name of the stored classifier in its folder.
const MODEL: &str = "fc.safetensors";
/// Name of the stored targets in that folder.
const TARGETS: &str = "fc-targets.npy";
/// What the targets are drawn for.
const PURPOSE: &str = "targets of feature collision";

/// Options of FC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FcConfig {
    /// Test images that are to be taken for the target class, 1 to 10,000; unused with `target_images`.
    pub targets: usize,
    /// Pictures or arrays of the images that are to be taken for the target class; empty to draw test images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_images: Vec<PathBuf>,
    /// Share of its target that is mixed into a poisoned image at the start, 0 to 1.
    pub watermark: f64,
    /// Steps, 1 to 10,000.
    pub iterations: usize,
    /// Length of the first steps, above 0; pixels count from 0 to 1.
    pub learning_rate: f64,
    /// Weight of the squared distance to the own pixels, 0 or more, times (features / pixel values)^2.
    pub similarity: f64,
    /// The classifier whose features collide.
    pub surrogate: SurrogateConfig,
}

impl Default for FcConfig {
    fn default() -> Self {
        Self {
            targets: 10,
            target_images: Vec::new(),
            watermark: 0.3,
            iterations: 120,
            learning_rate: 2.0,
            similarity: 256.0,
            surrogate: SurrogateConfig::default(),
        }
    }
}

impl Attack for FcConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let many = "a whole number from 1 to 10000";
        within(INFO.name, "targets", self.targets, 1..=10_000, many)?;
        within(INFO.name, "iterations", self.iterations, 1..=10_000, many)?;
        let share = "a number from 0 to 1";
        within(INFO.name, "watermark", self.watermark, 0.0..=1.0, share)?;
        let (rate, above) = (self.learning_rate, "a number above 0 and at most 1e6");
        within(
            INFO.name,
            "learning_rate",
            rate,
            f64::MIN_POSITIVE..=1e6,
            above,
        )?;
        let weight = "a number from 0 to 1e9";
        within(INFO.name, "similarity", self.similarity, 0.0..=1e9, weight)?;
        self.surrogate.check(INFO.name)
    }

    fn files(&self) -> Vec<PathBuf> {
        let paths = self.target_images.iter();
        paths.map(|path| split(path).0).collect()
    }

    fn needs(&self) -> AttackNeeds {
        AttackNeeds {
            images: 2,
            stored: true,
        }
    }

    fn needs_tests(&self) -> bool {
        self.target_images.is_empty()
    }

    fn marks_tests(&self) -> bool {
        false
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        (self.surrogate.epochs * images) as f64 * pixels * self.surrogate.seconds_per_image()
    }

    fn stamp_seconds(&self, side: usize) -> f64 {
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        self.iterations as f64 * pixels * self.surrogate.seconds_per_image()
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let (height, width) = (context.images.height(), context.images.width());
        let targets = if self.target_images.is_empty() {
            self.drawn(context)?
        } else {
            self.read(height, width)?
        };
        let model = self.surrogate.train(INFO.name, context)?;
        Ok(Box::new(Frogs {
            options: self.clone(),
            targets: Targets {
                height,
                width,
                pixels: targets,
            },
            model,
            device: context.device.clone(),
        }))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        let (path, device) = (folder.join(MODEL), Device::default());
        let model =
            load_weights(&path, &device).map_err(|error| stored(path, error.to_string()))?;
        Ok(Box::new(Frogs {
            options: self.clone(),
            targets: Targets::stored(folder)?,
            model,
            device,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        let mut plan = request.clean()?;
        let chosen = if self.target_images.is_empty() {
            let others = others(request.test_labels(), request.target());
            self.check_count(others.len())?;
            request.draw(PURPOSE, others, self.targets)
        } else {
            Vec::new()
        };
        plan.triggered
            .retain(|entry| chosen.binary_search(&entry.source).is_ok());
        plan.mixed = request.mixed(chosen);
        Ok(plan)
    }

    fn example(_folder: &Path) -> Self {
        let mut options = Self {
            targets: 2,
            iterations: 4,
            ..Self::default()
        };
        options.surrogate.model.name = "resnet10".into();
        options.surrogate.model.width = Some(2);
        options.surrogate.epochs = 1;
        options.surrogate.batch_size = 20;
        options
    }
}

impl FcConfig {
    /// The pixels of the test images that [`plan`](Attack::plan) chooses.
    fn drawn(&self, context: &CraftContext<'_>) -> Result<Vec<u8>, AttackError> {
        let labels = context.tests.map_or(&[][..], |tests| tests.labels());
        let others = others(labels, context.target);
        self.check_count(others.len())?;
        let mut pixels = Vec::new();
        for index in draw(others, self.targets, context.seed, named(PURPOSE)) {
            if let Some(tests) = context.tests {
                pixels.extend_from_slice(&tests.pixels(index)?);
            }
        }
        Ok(pixels)
    }

    fn read(&self, height: usize, width: usize) -> Result<Vec<u8>, AttackError> {
        let mut pixels = Vec::new();
        for path in &self.target_images {
            let image = Cached::from_file(INFO.name, path, Raster::in_levels)?;
            pixels.extend(image.get(height, width)?.bytes());
        }
        Ok(pixels)
    }

    fn check_count(&self, others: usize) -> Result<(), AttackError> {
        if others >= self.targets {
            return Ok(());
        }
        Err(AttackError::Prepare {
            attack: INFO.name,
            problem: format!(
                "it needs at least {} test images of other classes than the target's, there are {others}; lower `targets`, or name \
                 pictures in `target_images`",
                self.targets
            ),
        })
    }
}

/// Indices of the images that do not have the target's label already.
fn others(labels: &[u32], target: u32) -> Vec<usize> {
    (0..labels.len())
        .filter(|&index| labels[index] != target)
        .collect()
}

fn stored(path: PathBuf, problem: String) -> AttackError {
    AttackError::Stored {
        attack: INFO.name,
        path,
        problem,
    }
}

/// The images that are to be taken for the target class.
#[derive(Debug)]
struct Targets {
    height: usize,
    width: usize,
    /// `[targets, height, width, 3]`, at least one.
    pixels: Vec<u8>,
}

impl Targets {
    fn stored(folder: &Path) -> Result<Self, AttackError> {
        let path = folder.join(TARGETS);
        let array = numbers(INFO.name, &path)?;
        let is_level = |value: &f64| (0.0..=255.0).contains(value);
        match array.shape[..] {
            [_, height, width, CHANNELS]
                if !array.values.is_empty() && array.values.iter().all(is_level) =>
            {
                Ok(Self {
                    height,
                    width,
                    pixels: array.values.iter().map(|&value| value as u8).collect(),
                })
            }
            _ => {
                let shape = array.shape;
                Err(stored(
                    path,
                    format!("an array of shape {shape:?}, expected images of grey levels"),
                ))
            }
        }
    }

    /// Target `number`, counted on from the first one again after the last.
    fn get(&self, number: usize) -> &[u8] {
        let image_len = self.height * self.width * CHANNELS;
        let count = self.pixels.len() / image_len.max(1);
        let start = number % count.max(1) * image_len;
        &self.pixels[start..start + image_len]
    }
}

#[derive(Debug)]
struct Frogs {
    options: FcConfig,
    targets: Targets,
    model: Model,
    device: Device,
}

impl Trigger for Frogs {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        if role == Role::Test {
            return Ok(());
        }
        let Targets { height, width, .. } = self.targets;
        if (batch.height(), batch.width()) != (height, width) {
            return Err(AttackError::Prepare {
                attack: INFO.name,
                problem: format!(
                    "its targets have {height} x {width} pixels, the images {} x {}",
                    batch.height(),
                    batch.width()
                ),
            });
        }
        let ranks = batch.ranks();
        let targets: Vec<&[u8]> = ranks.iter().map(|&rank| self.targets.get(rank)).collect();
        Collision {
            model: &self.model,
            device: self.device.clone().without_autodiff(),
            options: &self.options,
            size: [height, width],
        }
        .apply(batch.pixels_mut(), &targets)
    }

    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let path = folder.join(MODEL);
        save_weights(&self.model, &path).map_err(|error| stored(path, error.to_string()))?;
        let Targets {
            height,
            width,
            ref pixels,
        } = self.targets;
        let path = folder.join(TARGETS);
        let count = pixels.len() / (height * width * CHANNELS).max(1);
        let shape = [count, height, width, CHANNELS];
        npy::save(&path, &shape, pixels).map_err(|error| stored(path, error.to_string()))
    }
}
