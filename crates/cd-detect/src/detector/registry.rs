//! The registry: one line per detector.

use cd_core::names;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::settings::keys;
use super::{Abl, Cdf, Cdl, Detector, DetectorInfo, Ss};
use crate::cognitive::Preset;

/// Makes the configuration enum, the list and the lookups from one line per detector.
macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(, presets by $preset:path)?;)*) => {
        /// Which detector to run, with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum DetectorConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($variant),)*
        }

        /// Every detector that configurations may name.
        pub const DETECTORS: &[&DetectorInfo] = &[$(&<$variant>::INFO,)*];

        impl DetectorConfig {
            /// The detector `name` with its default settings.
            ///
            /// # Errors
            ///
            /// When there is none; the message names the nearest one.
            pub fn from_name(name: &str) -> Result<Self, UnknownDetector> {
                match name {
                    $($name => Ok(Self::$variant(<$variant>::default())),)*
                    _ => Err(UnknownDetector { name: name.to_owned() }),
                }
            }

            /// The detector with these settings.
            pub fn detector(&self) -> &dyn Detector {
                match self {
                    $(Self::$variant(config) => config,)*
                }
            }

            /// The names of its settings.
            pub fn keys(&self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant(_) => keys::<$variant>(),)*
                }
            }

            /// The detector with the settings of `preset`, where it has presets.
            #[must_use]
            pub fn with_preset(self, preset: Preset) -> Self {
                match self {
                    $($(Self::$variant(config) => Self::$variant($preset(config, preset)),)?)*
                    #[allow(unreachable_patterns, reason = "where every detector has presets")]
                    other => other,
                }
            }
        }
    };
}

registry! {
    /// Cognitive Distillation on logits.
    Cdl = "cd-l", presets by Cdl::with_preset;
    /// Cognitive Distillation on features.
    Cdf = "cd-f", presets by Cdf::with_preset;
    /// Losses of training.
    Abl = "abl";
    /// Spectral signatures.
    Ss = "ss";
}

impl DetectorConfig {
    /// What an experiment runs when it names no detector: the two forms of the method that this toolkit is about.
    pub fn usual() -> Vec<Self> {
        vec![Self::Cdl(Cdl::default()), Self::Cdf(Cdf::default())]
    }
}

/// No detector of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown detector `{name}`; {}", names::did_you_mean(.name, known()))]
pub struct UnknownDetector {
    /// What was asked for.
    pub name: String,
}

fn known() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|info| info.name)
}
