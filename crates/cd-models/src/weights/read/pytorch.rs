//! PyTorch checkpoints, interpreted as data.

use std::fmt;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use burn::tensor::DType;
use zip::ZipArchive;

use crate::weights::error::{WeightsError, format_error, io_error};
use crate::weights::state::{NamedTensor, StateDict};
use crate::weights::values::floats;

/// Tensors of a PyTorch checkpoint may be views of each other, so their sizes can add up to more
/// than the file; a file that claims more than this many times its size is refused.
const LARGEST_EXPANSION: u64 = 16;

/// Largest pickle of a PyTorch archive in bytes: room for some 15,000 tensors. Each byte of a hostile one may become an
/// object of 90 bytes in memory.
const LARGEST_PICKLE: u64 = 2 << 20;

/// Unpacked size of the pickle in a zip archive; `None` for files that are none, or damaged ones.
fn pickle_size(path: &Path) -> Option<u64> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path).ok()?)).ok()?;
    (0..archive.len())
        .filter_map(|index| {
            let entry = archive.by_index_raw(index).ok()?;
            let is_pickle = entry.name().ok()?.ends_with("data.pkl");
            is_pickle.then(|| entry.size())
        })
        .max()
}

pub(super) fn read(path: &Path) -> Result<StateDict, WeightsError> {
    use pytorch_reader::{DType as Torch, PytorchReader};
    let damaged = |error: &dyn fmt::Display| {
        format_error(path, &format!("unreadable PyTorch checkpoint: {error}"))
    };
    if let Some(size) = pickle_size(path).filter(|&size| size > LARGEST_PICKLE) {
        return Err(damaged(&format!(
            "its pickle unpacks to {size} bytes, at most {LARGEST_PICKLE} are read"
        )));
    }
    let length = fs::metadata(path).map_err(|error| io_error(path, error))?;
    let allowed = length.len().saturating_mul(LARGEST_EXPANSION);
    let reader = PytorchReader::new(path).map_err(|error| damaged(&error))?;
    let claimed = reader.tensors().values().fold(0_u64, |sum, tensor| {
        sum.saturating_add(tensor.byte_len() as u64)
    });
    if claimed > allowed {
        return Err(damaged(&format!(
            "its tensors claim {claimed} bytes, the file has {}",
            length.len()
        )));
    }
    let mut state = StateDict::default();
    for (name, tensor) in reader.tensors() {
        let dtype = match tensor.dtype() {
            Torch::F32 => DType::F32,
            Torch::F64 => DType::F64,
            Torch::F16 => DType::F16,
            Torch::BF16 => DType::BF16,
            _ => continue,
        };
        let bytes = tensor.read().map_err(|error| damaged(&error))?;
        let shape = tensor.shape().to_vec();
        if let Some(values) = floats(&bytes, dtype) {
            state.insert(name.clone(), NamedTensor { shape, values });
        }
    }
    Ok(state)
}
