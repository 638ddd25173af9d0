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
//! and any picture can be named instead.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cd_core::CHANNELS;
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};
use crate::picture::{Orientation, decode_rgb, resize_rgb};

/// What Blend is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "blend",
    title: "Blend",
    summary: "A faint noise pattern or picture mixed into the whole image.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Chen, Liu, Li, Lu, Song: Targeted Backdoor Attacks on Deep Learning Systems Using Data \
        Poisoning, 2017, arXiv 1712.05526",
    label_mode: LabelMode::Dirty,
};

/// Options of Blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlendConfig {
    /// Share of the pattern in the mixture, above 0 and at most 1.
    pub alpha: f64,
    /// A picture to mix in, resized to the images; without it, uniform noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Seed of the noise; unused with `pattern`.
    pub pattern_seed: u64,
}

impl Default for BlendConfig {
    fn default() -> Self {
        Self {
            alpha: 0.2,
            pattern: None,
            pattern_seed: 0,
        }
    }
}

impl Attack for BlendConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        if self.alpha > 0.0 && self.alpha <= 1.0 {
            return Ok(());
        }
        Err(AttackError::Option {
            attack: INFO.name,
            option: "alpha",
            value: self.alpha.to_string(),
            expected: "a number above 0 and at most 1",
        })
    }

    fn files(&self) -> Vec<&Path> {
        self.pattern.iter().map(PathBuf::as_path).collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let source = match &self.pattern {
            None => PatternSource::Noise(self.pattern_seed),
            Some(path) => {
                PatternSource::Picture(decode_rgb(path, Orientation::Ignore).map_err(|source| {
                    AttackError::Picture {
                        attack: INFO.name,
                        path: path.clone(),
                        source,
                    }
                })?)
            }
        };
        Ok(Box::new(Blend {
            alpha: self.alpha,
            source,
            ready: OnceLock::new(),
        }))
    }
}

#[derive(Debug)]
enum PatternSource {
    Noise(u64),
    Picture(RgbImage),
}

impl PatternSource {
    fn pattern(&self, height: usize, width: usize) -> Pattern {
        let values = match self {
            Self::Noise(seed) => {
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                (0..height * width * CHANNELS)
                    .map(|_| rng.random())
                    .collect()
            }
            Self::Picture(picture) => resize_rgb(picture.clone(), height, width),
        };
        Pattern {
            height,
            width,
            values,
        }
    }
}

/// The pattern at one size, `[height, width, 3]`.
#[derive(Debug)]
struct Pattern {
    height: usize,
    width: usize,
    values: Vec<u8>,
}

#[derive(Debug)]
struct Blend {
    alpha: f64,
    source: PatternSource,
    /// The pattern at the size of the first image; in practice all images have that size.
    ready: OnceLock<Pattern>,
}

impl Trigger for Blend {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        let ready = self
            .ready
            .get_or_init(|| self.source.pattern(height, width));
        let other;
        let pattern = if (ready.height, ready.width) == (height, width) {
            ready
        } else {
            other = self.source.pattern(height, width);
            &other
        };
        batch.each(|image| {
            let values = pattern.values.iter().map(|&value| f64::from(value));
            mix(image.pixels, values, self.alpha);
            Ok(())
        })
    }
}

/// `(1 - alpha) * pixel + alpha * pattern`, truncated. The reference computes in this order, and
/// another one differs in single bytes.
fn mix(pixels: &mut [u8], pattern: impl Iterator<Item = f64>, alpha: f64) {
    for (pixel, value) in pixels.iter_mut().zip(pattern) {
        *pixel = ((1.0 - alpha) * f64::from(*pixel) + alpha * value) as u8;
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::attack::AttackConfig;
    use crate::testing::{golden_bytes, prepared, stamped, stamped_by};

    const IMAGE_LEN: usize = 32 * 32 * CHANNELS;

    fn saved_pattern(folder: &Path) -> PathBuf {
        let path = folder.join("pattern.png");
        RgbImage::from_raw(32, 32, golden_bytes("blend_pattern_u8"))
            .expect("golden shape")
            .save(&path)
            .expect("writes");
        path
    }

    #[test]
    fn equals_the_reference_at_every_opacity() {
        let folder = tempdir().expect("scratch");
        let pattern = Some(saved_pattern(folder.path()));
        let images = golden_bytes("images_u8");
        for alpha in [0.05, 0.1, 0.2] {
            let config = BlendConfig {
                alpha,
                pattern: pattern.clone(),
                pattern_seed: 0,
            };
            let got = stamped(&config, &images, 32);
            assert!(
                got == golden_bytes(&format!("blend_u8_a{alpha}")),
                "alpha {alpha}"
            );
        }
    }

    #[test]
    fn equals_the_reference_with_a_fractional_pattern() {
        let pattern: Vec<f64> = golden_bytes("blend_pattern_f64")
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        let mut images = golden_bytes("images_u8");
        for image in images.chunks_exact_mut(IMAGE_LEN) {
            mix(image, pattern.iter().copied(), 0.2);
        }
        assert!(images == golden_bytes("blend_f64_a0.2"));
    }

    #[test]
    fn noise_follows_its_seed_and_other_sizes_are_served_too() {
        let noise = |pattern_seed| {
            let config = BlendConfig {
                alpha: 1.0,
                pattern: None,
                pattern_seed,
            };
            prepared(&config)
        };
        let image = vec![0; 8 * 8 * CHANNELS];
        let attack = noise(1);
        let first = stamped_by(attack.as_ref(), &image, 8);
        assert_ne!(first, stamped_by(noise(2).as_ref(), &image, 8));
        let small = stamped_by(attack.as_ref(), &image[..4 * 4 * CHANNELS], 4);
        assert_eq!(
            small,
            stamped_by(noise(1).as_ref(), &image[..4 * 4 * CHANNELS], 4)
        );
        assert_eq!(first, stamped_by(attack.as_ref(), &image, 8));
    }

    #[test]
    fn a_pattern_is_resized_to_the_image() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("plain.png");
        RgbImage::from_pixel(5, 9, image::Rgb([200, 100, 50]))
            .save(&path)
            .expect("writes");
        let config = BlendConfig {
            alpha: 0.5,
            pattern: Some(path),
            pattern_seed: 0,
        };
        let got = stamped(&config, &[0; 4 * 4 * CHANNELS], 4);
        assert_eq!(got, [100, 50, 25].repeat(16));
    }

    #[test]
    fn a_pattern_counts_by_what_it_shows() {
        let folder = tempdir().expect("scratch");
        let path = saved_pattern(folder.path());
        let named = |path: &Path| {
            let config = BlendConfig {
                pattern: Some(path.into()),
                ..BlendConfig::default()
            };
            AttackConfig::Blend(config).fingerprint()
        };
        let first = named(&path).expect("readable");
        assert_eq!(first, named(&path).expect("readable"));
        RgbImage::new(2, 2).save(&path).expect("writes");
        assert_ne!(first, named(&path).expect("readable"));
        let error = named(Path::new("no/such.png")).expect_err("missing");
        assert!(error.to_string().contains("no/such.png"), "{error}");
    }

    #[test]
    fn bad_options_are_named() {
        for alpha in [0.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            let config = BlendConfig {
                alpha,
                ..BlendConfig::default()
            };
            let error = config.check().expect_err("out of range");
            assert!(error.to_string().contains("`alpha`"), "{error}");
        }
        let config = BlendConfig {
            pattern: Some("no/such/picture.png".into()),
            ..BlendConfig::default()
        };
        config.check().expect("needs no file");
        let error = config
            .load(Path::new("unused"))
            .expect_err("the picture is missing");
        assert!(error.to_string().contains("no/such/picture.png"), "{error}");
    }
}
