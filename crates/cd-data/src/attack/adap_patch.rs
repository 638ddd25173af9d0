//! Adap-Patch: one of several patches in every training image, more or less opaque; two opaque ones in test images.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. Cover
//! images carry a patch and keep their label, so that one patch alone is not enough.
//!
//! **Paper.** Qi, Xie, Li, Mahloujifar and Mittal, "Revisiting the Assumption of Latent Separability for Backdoor Defenses", ICLR 2023.
//!
//! **How ours differs.** The arithmetic equals the backdoor-toolbox: single precision, cut. Two of its patches are logos, which cannot be
//! shipped; ours are drawn unless files are named. Quarters of the images in the order of their indices get one patch each, as in the
//! toolbox; `assign = "alternate"` deals them out in turn, as `BackdoorBox` does.

mod drawn;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::artefact::split;
use super::option::{AttackOption, ROUNDING, Rounding, option, within, wrong};
use super::overlay::{Overlay, lay_over};
use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What Adap-Patch is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "adap-patch",
    title: "Adap-Patch",
    summary: "One of four translucent patches in every training image; two opaque ones in test images.",
    threat_model: "Changes images and labels of part of the training data, and stamps others that keep their label; knows nothing of \
        the model.",
    paper: "Qi, Xie, Li, Mahloujifar, Mittal: Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023",
    differs: "Arithmetic of the backdoor-toolbox (single precision, cut). Its two logos cannot be shipped: patches are drawn unless \
        `triggers` are named.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "triggers",
        "list of files (picture, npy, npz, safetensors, PyTorch)",
        "patches on black, of the image's size; four drawn ones when absent",
    ),
    option(
        "masks",
        "list of files, \"\" where there is none; 255 covers",
        "where each of `triggers` covers; wherever a channel is above 0 when absent",
    ),
    option(
        "opacities",
        "list of numbers above 0, at most 1, one a patch",
        "share of each patch in training images",
    ),
    option(
        "test_triggers",
        "list of files",
        "the patches of test images, opaque; with `triggers` the first two when absent",
    ),
    option(
        "test_masks",
        "list of files, \"\" where there is none",
        "their masks",
    ),
    option(
        "assign",
        "\"quarters\" or \"alternate\"",
        "equal parts in the order of indices, or one after the other",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "stamped images that keep their label; twice `poison.rate` when absent",
    ),
    ROUNDING,
];

/// Which patch an image gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchAssignment {
    /// Equal parts of the images in the order of their indices.
    #[default]
    Quarters,
    /// One after the other.
    Alternate,
}

/// Options of Adap-Patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapPatchConfig {
    /// Patches on black, each of the image's size; four drawn ones when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<PathBuf>,
    /// Where each of `triggers` covers, an empty name for wherever it is not black; none when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<PathBuf>,
    /// Share of each patch in training images, above 0 and at most 1.
    pub opacities: Vec<f64>,
    /// The patches of test images; with `triggers` the first two of them when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_triggers: Vec<PathBuf>,
    /// Where each of `test_triggers` covers, as `masks`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_masks: Vec<PathBuf>,
    /// Which patch an image gets.
    pub assign: PatchAssignment,
    /// Cover images as a share of all training images, 0 to 1; twice `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// How a grey level becomes a byte.
    pub rounding: Rounding,
}

impl Default for AdapPatchConfig {
    fn default() -> Self {
        Self {
            triggers: Vec::new(),
            masks: Vec::new(),
            opacities: vec![0.5, 0.2, 0.5, 0.3],
            test_triggers: Vec::new(),
            test_masks: Vec::new(),
            assign: PatchAssignment::default(),
            cover_rate: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for AdapPatchConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let patches = match self.triggers.len() {
            0 => drawn::COUNT,
            count => count,
        };
        let opacity = |&value: &f64| value > 0.0 && value <= 1.0;
        if self.opacities.len() != patches || !self.opacities.iter().all(opacity) {
            let value = format!("{:?}", self.opacities);
            let expected = "a number above 0 and at most 1 for every patch";
            return Err(wrong(INFO.name, "opacities", value, expected));
        }
        let lists = [
            ("masks", &self.masks, self.triggers.len()),
            ("test_masks", &self.test_masks, self.test_triggers.len()),
        ];
        for (option, masks, count) in lists {
            if !masks.is_empty() && masks.len() != count {
                let value = format!("a list of {}", masks.len());
                return Err(wrong(
                    INFO.name,
                    option,
                    value,
                    "one file, or an empty name, for every patch",
                ));
            }
        }
        let cover = self.cover_rate.unwrap_or(0.0);
        within(
            INFO.name,
            "cover_rate",
            cover,
            0.0..=1.0,
            "a number from 0 to 1",
        )
    }

    fn files(&self) -> Vec<PathBuf> {
        let lists = [
            &self.triggers,
            &self.masks,
            &self.test_triggers,
            &self.test_masks,
        ];
        let named = lists
            .into_iter()
            .flatten()
            .filter(|path| !path.as_os_str().is_empty());
        named.map(|path| split(path).0).collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let train = match self.triggers.as_slice() {
            [] => drawn::train(),
            files => overlays(files, &self.masks)?,
        };
        let test = match (self.test_triggers.as_slice(), self.triggers.as_slice()) {
            ([], []) => drawn::test(),
            ([], files) => {
                let two = files.len().min(2);
                overlays(&files[..two], &self.masks[..two.min(self.masks.len())])?
            }
            (files, _) => overlays(files, &self.test_masks)?,
        };
        Ok(Box::new(Patches {
            options: self.clone(),
            train,
            test,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 2.0)
    }
}

fn overlays(files: &[PathBuf], masks: &[PathBuf]) -> Result<Vec<Overlay>, AttackError> {
    let mask = |number: usize| {
        masks
            .get(number)
            .filter(|mask| !mask.as_os_str().is_empty())
    };
    let overlay = |(number, file): (usize, &PathBuf)| {
        Overlay::from_files(INFO.name, file, mask(number).map(PathBuf::as_path))
    };
    files.iter().enumerate().map(overlay).collect()
}

#[derive(Debug)]
struct Patches {
    options: AdapPatchConfig,
    train: Vec<Overlay>,
    test: Vec<Overlay>,
}

impl Trigger for Patches {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        let rounding = self.options.rounding;
        if role == Role::Test {
            let spots = self
                .test
                .iter()
                .map(|patch| patch.spots(height, width, 1.0));
            let spots = spots.collect::<Result<Vec<_>, _>>()?;
            return batch.each(|image| {
                for spots in &spots {
                    lay_over(image.pixels, spots, rounding);
                }
                Ok(())
            });
        }
        let patches = self.train.iter().zip(&self.options.opacities);
        let spots = patches.map(|(patch, &opacity)| patch.spots(height, width, opacity));
        let spots = spots.collect::<Result<Vec<_>, _>>()?;
        batch.each(|image| {
            let number = match self.options.assign {
                PatchAssignment::Quarters => spots.len() * image.rank / image.count.max(1),
                PatchAssignment::Alternate => image.rank % spots.len(),
            };
            lay_over(image.pixels, &spots[number], rounding);
            Ok(())
        })
    }
}
