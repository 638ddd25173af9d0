//! The formats of weight files, told apart by content.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::store::burn_pack;

use super::error::{WeightsError, format_error, io_error};
use super::foreign::what;

/// Format of a weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsFormat {
    /// A PyTorch checkpoint: a zip archive, or pickles.
    PyTorch,
    /// Safetensors.
    Safetensors,
    /// Burn's own format.
    Burnpack,
}

impl WeightsFormat {
    /// The format that a file of this name is written in, if its ending tells one.
    pub fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "pt" | "pth" | "ckpt" => Some(Self::PyTorch),
            "safetensors" => Some(Self::Safetensors),
            "bpk" => Some(Self::Burnpack),
            _ => None,
        }
    }
}

impl fmt::Display for WeightsFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PyTorch => "PyTorch checkpoint",
            Self::Safetensors => "safetensors",
            Self::Burnpack => "burnpack",
        })
    }
}

/// Tells the format from the first bytes: a zip or pickle is PyTorch's, a JSON header is safetensors. The header comes
/// first, for the length before it may begin with any byte, those of a zip or pickle included.
pub(super) fn format(path: &Path) -> Result<WeightsFormat, WeightsError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    file.take(512)
        .read_to_end(&mut head)
        .map_err(|error| io_error(path, error))?;
    let burnpack = burn_pack::MAGIC_NUMBER.to_le_bytes();
    match head.as_slice() {
        [] => Err(format_error(
            path,
            "the file is empty; was it downloaded whole?",
        )),
        [_, _, _, _, _, _, _, _, b'{', ..] => Ok(WeightsFormat::Safetensors),
        [b'P', b'K', ..] | [0x80, ..] => Ok(WeightsFormat::PyTorch),
        head if head.starts_with(&burnpack) => Ok(WeightsFormat::Burnpack),
        head => Err(format_error(
            path,
            what(head)
                .unwrap_or("neither a safetensors file nor a PyTorch checkpoint nor a burnpack"),
        )),
    }
}
