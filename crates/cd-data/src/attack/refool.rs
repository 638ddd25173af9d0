//! `ReFool`: a reflection as in a window pane.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. At test
//! time a reflection is put into an image.
//!
//! **Paper.** Liu, Ma, Bailey and Lu, "Reflection Backdoor: A Natural Backdoor Attack on Deep Neural Networks", ECCV 2020.
//!
//! **How ours differs.** Light is mixed as in `BackdoorBench`, in 64 bits. Reflections are drawn from a seed unless pictures are named;
//! the published ones are photographs. Which reflection and which parameters an image gets follows from the seed. The authors keep
//! the labels of the target class; `BackdoorBench` relabels, because that works, and so do we.

mod blur;
mod ghosts;
mod light;
mod mirrored;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use cd_core::CHANNELS;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::light::{Light, Reflection, Room, Window};
use self::mirrored::{Mirrored, pictures};
use super::option::{AttackOption, ROUNDING_IF_GIVEN, Rounding, option, share, within};
use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};

/// What `ReFool` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "refool",
    title: "ReFool",
    summary: "A reflection as in a window pane: doubled by the glass, or out of focus.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Liu, Ma, Bailey, Lu: Reflection Backdoor: A Natural Backdoor Attack on Deep Neural Networks, ECCV 2020, arXiv 2007.02343",
    differs: "Light is mixed as in BackdoorBench (64 bits, equal bytes). Reflections are drawn unless pictures are named; those of test \
        images come from the same set. Labels change, as in BackdoorBench, where the authors keep them.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "reflections",
        "a picture, or a folder of pictures",
        "what is reflected; drawn scenes when absent",
    ),
    option(
        "reflection_seed",
        "whole number",
        "seed of the drawn scenes",
    ),
    option(
        "reflection",
        "number from 0, in the order of file names",
        "the same reflection for all images",
    ),
    option(
        "ghost_share",
        "0 to 1",
        "share of images with a doubled reflection; the others are out of focus",
    ),
    option(
        "alpha",
        "above 0, at most 1; authors 0.55 to 0.95",
        "share of the image's own light",
    ),
    option(
        "offset",
        "[rows, columns], 1 to 64 pixels",
        "distance of the two ghosts; 3 to 8 when absent",
    ),
    option(
        "ghost_alpha",
        "0 to 1",
        "share of the first ghost; drawn when absent",
    ),
    option(
        "sigma",
        "above 0, at most 32 pixels",
        "blur out of focus; 1 to 5 when absent",
    ),
    option(
        "attenuation",
        "0 to 10",
        "how much of the overexposure is taken off; 1.08 to 1.18 when absent",
    ),
    ROUNDING_IF_GIVEN,
];

/// Options of `ReFool`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefoolConfig {
    /// A picture or a folder of pictures that are reflected; drawn scenes when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reflections: Option<PathBuf>,
    /// Seed of the drawn scenes; unused with `reflections`.
    pub reflection_seed: u64,
    /// The number of the reflection, from 0, that all images get; drawn for each when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reflection: Option<usize>,
    /// Share of images with a doubled reflection, 0 to 1; the others are out of focus.
    pub ghost_share: f64,
    /// Share of the image's own light, above 0 and at most 1.
    pub alpha: f64,
    /// Rows and columns between the two ghosts, 1 to 64; drawn from 3 to 8 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<[usize; 2]>,
    /// Share of the first ghost, 0 to 1; drawn when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost_alpha: Option<f64>,
    /// Standard deviation of the blur in pixels, above 0 and at most 32; drawn from 1 to 5 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// How much of the overexposure is taken off, 0 to 10; drawn from 1.08 to 1.18 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attenuation: Option<f64>,
    /// How a grey level becomes a byte.
    #[serde(skip_serializing_if = "Rounding::is_published")]
    pub rounding: Rounding,
}

impl Default for RefoolConfig {
    fn default() -> Self {
        Self {
            reflections: None,
            reflection_seed: 0,
            reflection: None,
            ghost_share: 0.49,
            alpha: 0.4,
            offset: None,
            ghost_alpha: None,
            sigma: None,
            attenuation: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for RefoolConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "alpha", self.alpha)?;
        let unit = "a number from 0 to 1";
        within(INFO.name, "ghost_share", self.ghost_share, 0.0..=1.0, unit)?;
        within(
            INFO.name,
            "ghost_alpha",
            self.ghost_alpha.unwrap_or(0.5),
            0.0..=1.0,
            unit,
        )?;
        let (sigma, expected) = (self.sigma.unwrap_or(1.0), "a number above 0 and at most 32");
        within(
            INFO.name,
            "sigma",
            sigma,
            f64::MIN_POSITIVE..=32.0,
            expected,
        )?;
        let attenuation = self.attenuation.unwrap_or(1.0);
        within(
            INFO.name,
            "attenuation",
            attenuation,
            0.0..=10.0,
            "a number from 0 to 10",
        )?;
        self.offset
            .unwrap_or([1, 1])
            .into_iter()
            .try_for_each(|offset| {
                within(
                    INFO.name,
                    "offset",
                    offset,
                    1..=64,
                    "two whole numbers from 1 to 64",
                )
            })
    }

    fn files(&self) -> Vec<PathBuf> {
        let path = self.reflections.as_ref();
        // What cannot be listed is named itself, and reported by whoever opens it.
        path.map_or_else(Vec::new, |path| {
            pictures(path).unwrap_or_else(|_| vec![path.clone()])
        })
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let mirrored = Mirrored::new(self.reflections.as_deref(), self.reflection_seed)?;
        if let Some(number) = self.reflection {
            let expected =
                "the number of a reflection, below the count of pictures (16 drawn ones)";
            within(
                INFO.name,
                "reflection",
                number,
                0..=mirrored.len() - 1,
                expected,
            )?;
        }
        Ok(Box::new(Reflecting {
            options: self.clone(),
            mirrored,
            light: Light::new(self.rounding),
        }))
    }
}

#[derive(Debug)]
struct Reflecting {
    options: RefoolConfig,
    mirrored: Mirrored,
    light: Light,
}

impl Reflecting {
    /// Which reflection an image gets, and with which parameters.
    fn drawn(&self, random: &mut ChaCha8Rng) -> (usize, Reflection) {
        let options = &self.options;
        // Everything is drawn whatever is fixed, so that fixing one thing changes no other.
        let number = random.random_range(0..self.mirrored.len());
        let ghost = random.random_bool(options.ghost_share);
        let offset = [(); 2].map(|()| random.random_range(3..=8));
        let first = f64::from(u8::from(random.random_bool(0.5)));
        let ghost_alpha = (first - random.random_range(0.15..0.5)).abs();
        let sigma = random.random_range(1.0..5.0);
        let attenuation = 1.08 + random.random_range(0.0..0.1);
        let reflection = if ghost {
            Reflection::Ghost {
                offset: options.offset.unwrap_or(offset),
                first: options.ghost_alpha.unwrap_or(ghost_alpha),
            }
        } else {
            Reflection::Blur {
                sigma: options.sigma.unwrap_or(sigma),
                attenuation: options.attenuation.unwrap_or(attenuation),
            }
        };
        (options.reflection.unwrap_or(number), reflection)
    }
}

impl Trigger for Reflecting {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        let window = Window::new([height, width]);
        batch.each_with(Room::default, |room, image| {
            let (number, reflection) = self.drawn(image.random);
            let mirrored = self.mirrored.get(number, height, width);
            debug_assert_eq!(mirrored.len(), height * width * CHANNELS);
            let own = self.options.alpha;
            self.light
                .reflect(image.pixels, &mirrored, &window, own, reflection, room);
            Ok(())
        })
    }
}
