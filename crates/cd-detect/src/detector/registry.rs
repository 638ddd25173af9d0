//! What is made of the registry's lines, which stand in `detector.rs`.

use cd_core::names;
use thiserror::Error;

use super::DETECTORS;

/// Makes the configuration enum, the list and the lookups from one line per detector.
macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident($config:ty) = $name:literal $(, presets by $preset:path)?;)*) => {
        /// Which detector to run, with its settings.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name")]
        pub enum DetectorConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
        }

        /// Every detector that configurations may name.
        pub const DETECTORS: &[&DetectorInfo] = &[$(&<$config>::INFO,)*];

        impl DetectorConfig {
            /// The detector `name` with its default settings.
            ///
            /// # Errors
            ///
            /// When there is none; the message names the nearest one.
            pub fn from_name(name: &str) -> Result<Self, UnknownDetector> {
                match name {
                    $($name => Ok(Self::$variant(<$config>::default())),)*
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
                    $(Self::$variant(_) => $crate::detector::settings::keys::<$config>(),)*
                }
            }

            /// The detector with the settings of `preset`, where it has presets.
            #[must_use]
            pub fn with_preset(self, preset: $crate::Preset) -> Self {
                match self {
                    $($(Self::$variant(config) => Self::$variant($preset(config, preset)),)?)*
                    #[allow(unreachable_patterns, reason = "where every detector has presets")]
                    other => other,
                }
            }
        }
    };
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

#[cfg(test)]
mod tests;
