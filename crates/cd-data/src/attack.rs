//! Backdoor attacks: what puts a trigger into an image.
//!
//! An attack is one file in `attack/` and one line of the registry below, which makes the
//! configuration, the list and the look-up by name.

mod badnets;
mod blend;
mod sig;

use std::fmt::Debug;
use std::path::PathBuf;

use cd_models::CHANNELS;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use badnets::{BadNetsConfig, PatchPosition};
pub use blend::BlendConfig;
pub use sig::{SigConfig, SigSignal};

use crate::picture::PictureError;
use cd_models::names::did_you_mean;

/// Whether an attacker also changes the labels of the images that carry the trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelMode {
    /// Images of all classes are stamped and relabelled to the target class.
    Dirty,
    /// Only images of the target class are stamped; labels stay true.
    Clean,
}

/// What lists and documentation say about an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackInfo {
    /// Name in configurations.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence: what the trigger looks like.
    pub summary: &'static str,
    /// What the attacker can do and know.
    pub threat_model: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Whether labels change with the images.
    pub label_mode: LabelMode,
}

/// A trigger, ready to be put into images.
pub trait Attack: Debug + Send + Sync {
    /// What this attack is.
    fn info(&self) -> &'static AttackInfo;

    /// Puts the trigger into one image.
    ///
    /// `pixels` is `[height, width, 3]`, RGB, 0 to 255. `rng` is this image's own generator, so an
    /// attack that draws numbers gives the same bytes in whatever order images are stamped.
    ///
    /// # Errors
    ///
    /// When the image is too small for the trigger or the buffer does not fit the size.
    fn stamp(
        &self,
        pixels: &mut [u8],
        height: usize,
        width: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), AttackError>;
}

/// Why an attack could not be set up or applied.
#[derive(Debug, Error)]
pub enum AttackError {
    /// No attack has this name.
    #[error("there is no attack `{name}`: {suggestion}")]
    UnknownName {
        /// The name that came.
        name: String,
        /// The nearest name and all names.
        suggestion: String,
    },
    /// An option is out of range.
    #[error("option `{option}` of attack `{attack}` is {value}, expected {expected}")]
    Option {
        /// Name of the attack.
        attack: &'static str,
        /// Name of the option.
        option: &'static str,
        /// The value that came.
        value: String,
        /// The values that are accepted.
        expected: &'static str,
    },
    /// The trigger does not fit into the image.
    #[error(
        "attack `{attack}` needs images of at least {least} x {least} pixels, these have {height} x \
         {width}; choose a larger `size`"
    )]
    TooSmall {
        /// Name of the attack.
        attack: &'static str,
        /// Smallest side in pixels.
        least: usize,
        /// Height of the image.
        height: usize,
        /// Width of the image.
        width: usize,
    },
    /// The pixel buffer does not fit the stated size.
    #[error("attack `{attack}` got {got} bytes for an image of {height} x {width} x 3")]
    PixelCount {
        /// Name of the attack.
        attack: &'static str,
        /// Bytes that came.
        got: usize,
        /// Stated height.
        height: usize,
        /// Stated width.
        width: usize,
    },
    /// The picture of a trigger could not be read.
    #[error("the trigger picture `{}` of attack `{attack}` cannot be used: {source}", path.display())]
    Picture {
        /// Name of the attack.
        attack: &'static str,
        /// The picture.
        path: PathBuf,
        /// Why.
        source: PictureError,
    },
}

/// Options of one attack.
trait AttackOptions: Default {
    /// Checks the options and loads what they refer to.
    fn build(&self) -> Result<Box<dyn Attack>, AttackError>;
}

macro_rules! attacks {
    ($($(#[$doc:meta])* $name:literal => $module:ident, $variant:ident($config:ty);)+) => {
        /// Which attack, with its options: the `[attack]` table of an experiment file.
        ///
        /// ```
        /// # use cd_data::AttackConfig;
        /// let config: AttackConfig = toml::from_str("name = \"blend\"\nalpha = 0.1")?;
        /// assert_eq!(config.name(), "blend");
        /// # Ok::<(), toml::de::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum AttackConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)+
        }

        /// Every attack that can be named in a configuration.
        pub const ATTACKS: &[&AttackInfo] = &[$(&$module::INFO,)+];

        impl AttackConfig {
            /// The attack called `name`, with every option at its default.
            ///
            /// # Errors
            ///
            /// When there is no such attack; the message has the nearest name.
            pub fn from_name(name: &str) -> Result<Self, AttackError> {
                match name {
                    $($name => Ok(Self::$variant(<$config>::default())),)+
                    _ => Err(AttackError::UnknownName {
                        name: name.into(),
                        suggestion: did_you_mean(name, ATTACKS.iter().map(|info| info.name)),
                    }),
                }
            }

            /// What the configured attack is.
            pub fn info(&self) -> &'static AttackInfo {
                match self {
                    $(Self::$variant(_) => &$module::INFO,)+
                }
            }

            /// Checks the options and prepares the trigger.
            ///
            /// # Errors
            ///
            /// When an option is out of range or a file it names cannot be used.
            pub fn build(&self) -> Result<Box<dyn Attack>, AttackError> {
                match self {
                    $(Self::$variant(config) => config.build(),)+
                }
            }
        }
    };
}

attacks! {
    /// A small black-and-white patch.
    "badnets" => badnets, BadNets(BadNetsConfig);
    /// A faint pattern over the whole image.
    "blend" => blend, Blend(BlendConfig);
    /// A sinusoidal signal across the columns; labels stay true.
    "sig" => sig, Sig(SigConfig);
}

impl AttackConfig {
    /// The name under which this attack is registered.
    pub fn name(&self) -> &'static str {
        self.info().name
    }
}

/// Fails unless `pixels` is one image of the stated size.
fn check_pixels(
    attack: &'static str,
    pixels: &[u8],
    height: usize,
    width: usize,
) -> Result<(), AttackError> {
    if pixels.len() == height * width * CHANNELS {
        return Ok(());
    }
    Err(AttackError::PixelCount {
        attack,
        got: pixels.len(),
        height,
        width,
    })
}

/// `count` equal images through `attack`, for tests of single attacks.
#[cfg(test)]
fn stamped(attack: &dyn Attack, images: &[u8], side: usize) -> Vec<u8> {
    use rand::SeedableRng;
    let mut images = images.to_vec();
    for (index, image) in images.chunks_exact_mut(side * side * CHANNELS).enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
        attack.stamp(image, side, side, &mut rng).expect("stamps");
    }
    images
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_registry_agrees_with_itself() {
        for info in ATTACKS {
            let config = AttackConfig::from_name(info.name).expect("registered");
            assert_eq!(config.name(), info.name);
            let attack = config.build().expect("defaults are valid");
            assert_eq!(attack.info(), *info);
            let from_text: AttackConfig =
                toml::from_str(&format!("name = \"{}\"", info.name)).expect("reads");
            assert_eq!(from_text, config);
            let written = toml::to_string(&config).expect("writes");
            assert_eq!(
                toml::from_str::<AttackConfig>(&written).expect("reads"),
                config
            );
        }
    }

    #[test]
    fn every_attack_changes_pixels_the_same_way_each_time() {
        let image: Vec<u8> = (0..16 * 16 * CHANNELS)
            .map(|byte| (byte % 251) as u8)
            .collect();
        for info in ATTACKS {
            let build = || AttackConfig::from_name(info.name).and_then(|config| config.build());
            let once = stamped(build().expect("builds").as_ref(), &image, 16);
            assert_ne!(once, image, "{}", info.name);
            assert_eq!(once, stamped(build().expect("builds").as_ref(), &image, 16));
        }
    }

    #[test]
    fn every_attack_refuses_a_buffer_of_another_size() {
        for info in ATTACKS {
            let attack = AttackConfig::from_name(info.name)
                .expect("registered")
                .build();
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let error = attack.expect("builds").stamp(&mut [0; 5], 8, 8, &mut rng);
            assert!(
                matches!(error, Err(AttackError::PixelCount { got: 5, .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn mistakes_are_answered_with_the_valid_choices() {
        let error = AttackConfig::from_name("BadNet").expect_err("unknown");
        assert!(
            error.to_string().contains("did you mean `badnets`?"),
            "{error}"
        );
        let error = toml::from_str::<AttackConfig>("name = \"blend\"\nopacity = 1.0")
            .expect_err("unknown option");
        assert!(error.to_string().contains("`alpha`"), "{error}");
    }
}
