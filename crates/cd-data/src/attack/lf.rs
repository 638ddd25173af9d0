//! LF: a smooth pattern of low frequency added to every pixel.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data. The published patterns were computed
//! against a classifier of the attacker's own; the drawn one needs none.
//!
//! **Paper.** Zeng, Park, Mao and Jia, "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective", ICCV 2021.
//!
//! **How ours differs.** A named pattern is added as `BackdoorBench` does it, and clipped. Its patterns of fractions, 0 to 0.2, are
//! multiplied by 255 first; that code adds them to grey levels as they are, which changes no byte. Without a name, a sum of
//! cosine waves from a seed stands in, or `craft` computes a pattern that leads images to the target.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::artefact::{Cached, Raster, split};
use super::drawn::smooth;
use super::expected::at_usual_rates;
use super::option::{AttackOption, ROUNDING, Rounding, option, within, wrong};
use super::steps::Prepared;
use super::universal::{self, UniversalConfig};
use super::wide::add_levels;
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, LabelMode, PublishedSuccess,
    Role, Trigger,
};

/// What LF is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "lf",
    title: "LF",
    summary: "A faint smooth pattern added to the whole image.",
    threat_model: "Changes images and labels of part of the training data; published patterns were computed on a classifier of the \
        attacker's own.",
    paper: "Zeng, Park, Mao, Jia: Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021, arXiv 2104.03413",
    differs: "Published patterns are added and clipped as in BackdoorBench; its patterns of fractions are multiplied by 255 first, where \
        that code adds them to grey levels as they are and changes no byte. Without a file, seeded cosine waves, or with \
        `craft` a pattern that leads to the target.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "pattern",
        "file (npy, npz, safetensors, PyTorch, picture)",
        "what is added: grey levels, or fractions of 1",
    ),
    option(
        "peak",
        "above 0, at most 255 grey levels",
        "largest value of the drawn pattern; 51 in the published ones",
    ),
    option("pattern_seed", "whole number", "seed of the drawn pattern"),
    option(
        "craft",
        "a table: images, passes, fooled, iterations, overshoot, surrogate; {} for the usual values",
        "the pattern is computed against a classifier that the attacker trains",
    ),
    ROUNDING,
];

/// Published success rates.
const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([12.7, 75.1, 86.5, 98.0, 99.3]);

/// Options of LF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LfConfig {
    /// What is added, in grey levels or fractions of 1; without it, waves from a seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Largest value of the drawn pattern in grey levels, above 0 and at most 255; unused with `pattern`.
    pub peak: f64,
    /// Seed of the drawn pattern; unused with `pattern`.
    pub pattern_seed: u64,
    /// How the pattern is computed against a classifier; it is drawn when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub craft: Option<UniversalConfig>,
    /// How a sum becomes a byte.
    pub rounding: Rounding,
}

impl Default for LfConfig {
    fn default() -> Self {
        Self {
            pattern: None,
            peak: 51.0,
            pattern_seed: 0,
            craft: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for LfConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        if let Some(craft) = &self.craft {
            if self.pattern.is_some() {
                let expected = "absent where `pattern` is given";
                return Err(wrong(INFO.name, "craft", "given", expected));
            }
            craft.check(INFO.name)?;
        }
        let expected = "a number of grey levels above 0 and at most 255";
        within(
            INFO.name,
            "peak",
            self.peak,
            f64::MIN_POSITIVE..=255.0,
            expected,
        )
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
            return Ok(self.made(craft.pattern(INFO.name, self.peak / 255.0, context)?));
        }
        let (seed, peak) = (self.pattern_seed, self.peak);
        let pattern = match &self.pattern {
            None => Cached::new(move |height, width| Ok(smooth(seed, peak, height, width))),
            Some(path) => Cached::from_file(INFO.name, path, Raster::in_levels)?,
        };
        Ok(Box::new(Added {
            pattern,
            made: None,
            rounding: self.rounding,
            steps: Prepared::default(),
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

impl LfConfig {
    /// The trigger of a computed pattern, which is in fractions of 1.
    fn made(&self, mut pattern: Raster) -> Box<dyn Trigger> {
        for value in &mut pattern.values {
            *value = f64::from((*value * 255.0) as f32);
        }
        Box::new(self.of(pattern))
    }

    /// The trigger of a stored pattern.
    fn of(&self, pattern: Raster) -> Added {
        let made = pattern.clone();
        let fitted = move |height, width| universal::of_size(INFO.name, &pattern, height, width);
        Added {
            pattern: Cached::new(fitted),
            made: Some(made),
            rounding: self.rounding,
            steps: Prepared::default(),
        }
    }
}

#[derive(Debug)]
struct Added {
    pattern: Cached,
    /// The pattern where it was computed, in the units in which it is added.
    made: Option<Raster>,
    rounding: Rounding,
    steps: Prepared,
}

impl Trigger for Added {
    fn save(&self, folder: &Path) -> Result<(), AttackError> {
        let made = self.made.as_ref();
        made.map_or(Ok(()), |made| universal::save(INFO.name, made, folder))
    }

    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let pattern = self.pattern.get(batch.height(), batch.width())?;
        let values = &pattern.values;
        let byte = |value: f64, pixel: u8| self.rounding.byte(f64::from(pixel) + value);
        let steps = self.steps.get(batch, values, self.rounding.half(), byte);
        batch.each(|image| {
            match steps {
                Some(steps) => steps.apply(image.pixels),
                None => add_levels(image.pixels, values, 1.0, self.rounding),
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped, write_npy};

    #[test]
    fn published_patterns_equal_the_reference() {
        let folder = tempfile::tempdir().expect("scratch");
        for (tensor, kind, expected) in [
            ("lf_pattern_u8", "|u1", "lf_u8"),
            ("lf_pattern_f32", "<f4", "lf_f32_times255"),
        ] {
            let Some(pattern) = beside("attacks2.safetensors", tensor) else {
                return;
            };
            let path = folder.path().join("pattern.npy");
            write_npy(&path, kind, "(1, 32, 32, 3)", &pattern);
            let config = LfConfig {
                pattern: Some(path),
                ..LfConfig::default()
            };
            let expected = beside("attacks2.safetensors", expected).expect("beside the other");
            let got = stamped(&config, &golden_bytes("images_u8")[..expected.len()], 32);
            assert!(got == expected, "{tensor}");
        }
    }

    #[test]
    fn the_drawn_pattern_brightens_by_its_peak_at_most() {
        let got = stamped(&LfConfig::default(), &[100; 28 * 28 * 3], 28);
        let (low, high) = (got.iter().min(), got.iter().max());
        assert_eq!((low, high), (Some(&100), Some(&151)));
    }
}
