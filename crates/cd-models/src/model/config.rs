//! Which network to build.

use serde::{Deserialize, Serialize};

use crate::registry::{Architecture, UnknownArchitecture};

/// Which network to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A name of [`ARCHITECTURES`](crate::ARCHITECTURES).
    pub name: String,
    /// Channels of the stem; the published width when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

impl ModelConfig {
    /// The architecture `name` at its published width.
    ///
    /// # Errors
    ///
    /// When there is no such architecture; the message names the nearest one.
    pub fn from_name(name: &str) -> Result<Self, UnknownArchitecture> {
        let config = Self {
            name: name.to_owned(),
            width: None,
        };
        config.architecture()?;
        Ok(config)
    }

    /// The same architecture with `width` channels in its stem.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Channels of the stem.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn resolved_width(&self) -> Result<usize, UnknownArchitecture> {
        let published = self.architecture()?.family.default_width;
        Ok(self.width.unwrap_or(published))
    }

    /// The registry entry.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn architecture(&self) -> Result<&'static Architecture, UnknownArchitecture> {
        Architecture::find(&self.name)
    }
}
