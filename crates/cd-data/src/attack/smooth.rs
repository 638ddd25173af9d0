//! Smooth: a pattern of low frequency is added, and the image is stretched to the full range.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data. The published patterns were computed
//! against a classifier of the attacker's own; the drawn one needs none.
//!
//! **Paper.** Zeng, Park, Mao and Jia, "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective", ICCV 2021.
//!
//! **How ours differs.** It does not where a published pattern is named: 64-bit floats, cut. Without one a sum of cosine waves from a
//! seed stands in.

mod stretch;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::artefact::{Cached, Raster, split};
use super::drawn::smooth;
use super::option::{AttackOption, ROUNDING, Rounding, option, share, wrong};
use super::universal::{self, UniversalConfig};
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, Role, Trigger,
};
use stretch::Stretch;

/// What Smooth is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "smooth",
    title: "Smooth",
    summary: "A smooth pattern added to the whole image, which is then stretched to the full range.",
    threat_model: "Changes images and labels of part of the training data; published patterns were computed on a classifier of the \
        attacker's own.",
    paper: "Zeng, Park, Mao, Jia: Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021, arXiv 2104.03413",
    differs: "Bytes equal the reference with a published pattern. Without a file, seeded cosine waves, or with `craft` a pattern that leads to the target. An image that is plain after \
        adding stays as it is, where the reference divides by zero.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "pattern",
        "file (npy, npz, safetensors, PyTorch, picture)",
        "what is added: fractions of 1, or grey levels",
    ),
    option(
        "peak",
        "above 0, at most 1 (the range of a value)",
        "largest value of the drawn pattern; 0.2 in the published ones",
    ),
    option("pattern_seed", "whole number", "seed of the drawn pattern"),
    option(
        "craft",
        "a table: images, passes, fooled, iterations, overshoot, surrogate; {} for the usual values",
        "the pattern is computed against a classifier that the attacker trains",
    ),
    ROUNDING,
];

/// Options of Smooth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothConfig {
    /// What is added, in fractions of 1 or grey levels; without it, waves from a seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Largest value of the drawn pattern on the scale 0 to 1, above 0 and at most 1; unused with `pattern`.
    pub peak: f64,
    /// Seed of the drawn pattern; unused with `pattern`.
    pub pattern_seed: u64,
    /// How the pattern is computed against a classifier; it is drawn when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub craft: Option<UniversalConfig>,
    /// How a grey level becomes a byte.
    pub rounding: Rounding,
}

impl Default for SmoothConfig {
    fn default() -> Self {
        Self {
            pattern: None,
            peak: 0.2,
            pattern_seed: 0,
            craft: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for SmoothConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        if let Some(craft) = &self.craft {
            if self.pattern.is_some() {
                let expected = "absent where `pattern` is given";
                return Err(wrong(INFO.name, "craft", "given", expected));
            }
            craft.check(INFO.name)?;
        }
        share(INFO.name, "peak", self.peak)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.pattern.iter().map(|path| split(path).0).collect()
    }

    fn needs(&self) -> AttackNeeds {
        let craft = self.craft.as_ref();
        craft.map_or_else(AttackNeeds::default, UniversalConfig::needs)
    }

    fn craft_seconds(&self, images: usize, side: usize) -> f64 {
        let craft = self.craft.as_ref();
        craft.map_or(0.0, |craft| craft.seconds(images, side))
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        if let Some(craft) = &self.craft {
            return Ok(self.made(craft.pattern(INFO.name, self.peak, context)?));
        }
        let (seed, peak) = (self.pattern_seed, self.peak);
        let pattern = match &self.pattern {
            None => Cached::new(move |height, width| Ok(smooth(seed, peak, height, width))),
            Some(path) => Cached::from_file(INFO.name, path, fractions)?,
        };
        Ok(Box::new(Stretched {
            pattern,
            made: None,
            rounding: self.rounding,
            stretch: OnceLock::new(),
        }))
    }

    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        if self.craft.is_none() {
            return self.prepare(&CraftContext::without_images(folder));
        }
        let made = universal::load(INFO.name, folder)?;
        Ok(Box::new(self.of(made)))
    }
}

impl SmoothConfig {
    /// The trigger of a computed pattern, which is in fractions of 1.
    fn made(&self, pattern: Raster) -> Box<dyn Trigger> {
        // What is stored is in single precision, and so is what is used.
        let values = pattern.values.iter();
        let pattern = Raster {
            values: values.map(|&value| f64::from(value as f32)).collect(),
            ..pattern
        };
        Box::new(self.of(pattern))
    }

    /// The trigger of a stored pattern.
    fn of(&self, pattern: Raster) -> Stretched {
        let made = pattern.clone();
        let fitted = move |height, width| universal::of_size(INFO.name, &pattern, height, width);
        Stretched {
            pattern: Cached::new(fitted),
            made: Some(made),
            rounding: self.rounding,
            stretch: OnceLock::new(),
        }
    }
}

/// Grey levels become fractions of 1.
fn fractions(mut pattern: Raster) -> Raster {
    if pattern.values.iter().any(|value| value.abs() > 1.0) {
        for value in &mut pattern.values {
            *value /= 255.0;
        }
    }
    pattern
}

#[derive(Debug)]
struct Stretched {
    pattern: Cached,
    /// The pattern where it was computed, in the units in which it is added.
    made: Option<Raster>,
    rounding: Rounding,
    /// For images of the size of the first ones.
    stretch: OnceLock<([usize; 2], Stretch)>,
}

impl Trigger for Stretched {
    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let made = self.made.as_ref();
        made.map_or(Ok(()), |made| universal::save(INFO.name, made, folder))
    }

    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let pattern = self.pattern.get(batch.height(), batch.width())?;
        let size = [batch.height(), batch.width()];
        let stretch = || Stretch::new(&pattern.values, self.rounding);
        let first = self.stretch.get_or_init(|| (size, stretch()));
        let other = (first.0 != size).then(stretch);
        let stretch = other.as_ref().unwrap_or(&first.1);
        batch.each(|image| {
            stretch.apply(image.pixels);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped, write_npy};

    #[test]
    fn a_published_pattern_equals_the_reference() {
        let Some(pattern) = beside("attacks.safetensors", "smooth_trigger") else {
            return;
        };
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("pattern.npy");
        write_npy(&path, "<f4", "(1, 32, 32, 3)", &pattern);
        let config = SmoothConfig {
            pattern: Some(path),
            ..SmoothConfig::default()
        };
        let expected = beside("attacks.safetensors", "smooth_all_poisoned").expect("beside it");
        let got = stamped(&config, &golden_bytes("images_u8"), 32);
        assert!(got == expected);
    }

    #[test]
    fn images_fill_the_range_and_plain_ones_show_the_pattern() {
        let got = stamped(&SmoothConfig::default(), &[100; 28 * 28 * 3], 28);
        let (low, high) = (got.iter().min(), got.iter().max());
        assert_eq!((low, high), (Some(&0), Some(&255)));
    }
}
