//! How the pictures of a data set are brought to pixels.

use serde::{Deserialize, Serialize};

use super::{PictureError, Place, Region, decode_bytes, resize_rgb};

/// What to do with the note of a camera how a picture is to be turned (EXIF orientation).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orientation {
    /// The pixels as they are stored, as common training code sees them.
    #[default]
    Ignore,
    /// Turned and mirrored as people see them.
    Apply,
}

impl Orientation {
    /// Whether pixels stay as they are stored.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub(crate) fn is_ignored(&self) -> bool {
        *self == Self::Ignore
    }
}

/// How pictures are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoding {
    /// Side in pixels that they are brought to.
    pub(crate) side: usize,
    /// Whether cameras' notes are followed.
    pub(crate) orientation: Orientation,
}

impl Decoding {
    /// Pictures of `side` x `side` pixels as they are stored.
    pub(crate) fn of_side(side: usize) -> Self {
        let orientation = Orientation::default();
        Self { side, orientation }
    }

    /// Reads the picture at `place`, `[side, side, 3]`.
    pub(super) fn read(self, place: &Place) -> Result<Vec<u8>, PictureError> {
        self.pixels(&place.bytes()?, place.region())
    }

    /// The pixels of an encoded picture, or of a region of it, `[side, side, 3]`.
    pub(super) fn pixels(
        self,
        bytes: &[u8],
        region: Option<Region>,
    ) -> Result<Vec<u8>, PictureError> {
        let mut picture = decode_bytes(bytes, self.orientation)?;
        if let Some(region) = region {
            picture = region.of(&picture)?;
        }
        Ok(resize_rgb(picture, self.side, self.side))
    }

    /// What of it changes pixels, for the first line of an index.
    pub(super) fn words(self) -> String {
        let turned = match self.orientation {
            Orientation::Ignore => "",
            Orientation::Apply => ", turned",
        };
        format!("side {}{turned}", self.side)
    }
}
