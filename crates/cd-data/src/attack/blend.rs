//! Blend: a faint pattern mixed into every pixel.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and
//! knows nothing of the model. At test time the same pattern is mixed into an image.
//!
//! **Paper.** Chen, Liu, Li, Lu and Song, "Targeted Backdoor Attacks on Deep Learning Systems Using
//! Data Poisoning", 2017.
//!
//! **How ours differs.** The arithmetic equals the reference, 64-bit floats truncated to bytes. The
//! paper mixes in a cartoon picture, which cannot be shipped here: the default is noise from a seed,
//! and any picture or array can be named instead.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::artefact::{Cached, Precision, Raster, split};
use super::drawn::noise;
use super::expected::at_usual_rates;
use super::option::{AttackOption, ROUNDING_IF_GIVEN, Rounding, option, share};
use super::wide::{Blending, add_levels};
use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, PublishedSuccess, Role,
    Trigger,
};

/// What Blend is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "blend",
    title: "Blend",
    summary: "A faint noise pattern or picture mixed into the whole image.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Chen, Liu, Li, Lu, Song: Targeted Backdoor Attacks on Deep Learning Systems Using Data \
        Poisoning, 2017, arXiv 1712.05526",
    differs: "The arithmetic equals the reference (64 bits, cut unless `rounding` says otherwise). The cartoon that the paper mixes in cannot be shipped: seeded noise \
        unless a `pattern` is named.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "alpha",
        "above 0, at most 1; usual 0.05 to 0.3",
        "share of the pattern in the mixture",
    ),
    option(
        "pattern",
        "file (picture, npy, npz, safetensors, PyTorch)",
        "what is mixed in; pictures are resized to the images",
    ),
    option("pattern_seed", "whole number", "seed of the noise"),
    ROUNDING_IF_GIVEN,
];

/// Published success rates.
const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([56.1, 93.3, 94.9, 99.6, 99.9]);

/// Options of Blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlendConfig {
    /// Share of the pattern in the mixture, above 0 and at most 1.
    pub alpha: f64,
    /// A picture to mix in, resized to the images, or an array of their size; without it, uniform noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Seed of the noise; unused with `pattern`.
    pub pattern_seed: u64,
    /// How a grey level becomes a byte.
    #[serde(skip_serializing_if = "Rounding::is_published")]
    pub rounding: Rounding,
}

impl Default for BlendConfig {
    fn default() -> Self {
        Self {
            alpha: 0.2,
            pattern: None,
            pattern_seed: 0,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for BlendConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "alpha", self.alpha)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.pattern.iter().map(|path| split(path).0).collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let seed = self.pattern_seed;
        let pattern = match &self.pattern {
            None => Cached::new(move |height, width| Ok(noise(seed, height, width))),
            Some(path) => Cached::from_file(INFO.name, path, Raster::in_levels)?,
        };
        Ok(Box::new(Blend {
            alpha: self.alpha,
            pattern,
            rounding: self.rounding,
            blending: Blending::new(self.alpha, self.rounding),
        }))
    }
}

#[derive(Debug)]
struct Blend {
    alpha: f64,
    pattern: Cached,
    rounding: Rounding,
    /// For patterns of bytes.
    blending: Blending,
}

impl Trigger for Blend {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let pattern = self.pattern.get(batch.height(), batch.width())?;
        if let Some(pattern) = pattern.whole_bytes() {
            return batch.each(|image| {
                self.blending.apply(image.pixels, &pattern);
                Ok(())
            });
        }
        let shares = shares(&pattern, self.alpha);
        batch.each(|image| {
            add_levels(image.pixels, &shares, 1.0 - self.alpha, self.rounding);
            Ok(())
        })
    }
}

/// `alpha * pattern`, in single precision where the pattern is.
fn shares(pattern: &Raster, alpha: f64) -> Vec<f64> {
    let share = |&value: &f64| match pattern.precision {
        Precision::Single => f64::from(alpha as f32 * value as f32),
        _ => alpha * value,
    };
    pattern.values.iter().map(share).collect()
}

#[cfg(test)]
mod tests;
