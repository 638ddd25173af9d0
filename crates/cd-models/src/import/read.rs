//! The formats of weight files, told apart by content.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use burn::store::burn_pack;
use burn::tensor::{Bytes, DType};
use safetensors::tensor::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::{WeightsError, format_error, io_error};
use crate::state::{NamedTensor, StateDict};

/// Nests that public checkpoints wrap around a state dict.
const NESTS: [&str; 5] = ["model_state_dict", "state_dict", "netC", "model", "net"];

/// Tensors of a PyTorch checkpoint may be views of each other, so their sizes can add up to more
/// than the file; a file that claims more than this many times its size is refused.
const LARGEST_EXPANSION: u64 = 16;

/// Largest pickle of a PyTorch archive in bytes: room for some 15,000 tensors. Each byte of a hostile one may become an
/// object of 90 bytes in memory.
const LARGEST_PICKLE: u64 = 2 << 20;

pub(super) type Metadata = HashMap<String, String>;

/// Format of a weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsFormat {
    /// A PyTorch checkpoint: zip, tar or plain pickle.
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

/// What a weights file holds.
pub(super) struct Contents {
    pub(super) format: WeightsFormat,
    /// Under plain names: without nests and prefixes.
    pub(super) state: StateDict,
    pub(super) metadata: Metadata,
}

/// Reads a weights file; values are not looked at yet.
pub(super) fn read(path: &Path) -> Result<Contents, WeightsError> {
    let format = format(path)?;
    let (state, metadata) = match format {
        WeightsFormat::PyTorch => (read_pytorch(path)?, Metadata::new()),
        WeightsFormat::Safetensors => read_safetensors(path)?,
        WeightsFormat::Burnpack => read_burnpack(path)?,
    };
    Ok(Contents {
        format,
        state: unnest(state),
        metadata,
    })
}

/// Tells the format from the first bytes: a zip or pickle is PyTorch's, a JSON header is safetensors. The header comes
/// first, for the length before it may begin with any byte, those of a zip or pickle included.
fn format(path: &Path) -> Result<WeightsFormat, WeightsError> {
    /// Where a tar archive says that it is one.
    const TAR_MARK: usize = 257;
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    file.take(512)
        .read_to_end(&mut head)
        .map_err(|error| io_error(path, error))?;
    let burnpack = burn_pack::MAGIC_NUMBER.to_le_bytes();
    match head.as_slice() {
        [] => Err(format_error(path, "the file is empty")),
        [_, _, _, _, _, _, _, _, b'{', ..] => Ok(WeightsFormat::Safetensors),
        [b'P', b'K', ..] | [0x80, ..] => Ok(WeightsFormat::PyTorch),
        head if head.starts_with(&burnpack) => Ok(WeightsFormat::Burnpack),
        head if head
            .get(TAR_MARK..)
            .is_some_and(|mark| mark.starts_with(b"ustar")) =>
        {
            Ok(WeightsFormat::PyTorch)
        }
        _ => Err(format_error(
            path,
            "neither a safetensors file nor a PyTorch checkpoint nor a burnpack",
        )),
    }
}

fn read_safetensors(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
    let bytes = fs::read(path).map_err(|error| io_error(path, error))?;
    let damaged = |error: safetensors::SafeTensorError| {
        format_error(path, &format!("damaged safetensors file: {error}"))
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let mut state = StateDict::default();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => continue,
        };
        let shape = view.shape().to_vec();
        if let Some(values) = floats(view.data(), dtype) {
            state.insert(name.to_owned(), NamedTensor { shape, values });
        }
    }
    Ok((state, metadata))
}

/// The values of little-endian floating-point data as f32; `None` for integers such as counters.
fn floats(bytes: &[u8], dtype: DType) -> Option<Vec<f32>> {
    Some(match dtype {
        DType::F32 => each(bytes, f32::from_le_bytes),
        DType::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        DType::F16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        DType::BF16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}

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

fn read_pytorch(path: &Path) -> Result<StateDict, WeightsError> {
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

/// Reads Burn's format, of ours or of any Burn module whose fields are named as in PyTorch.
///
/// Burn keeps matrices of linear layers transposed and calls scale and shift `gamma` and `beta`.
fn read_burnpack(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
    let damaged =
        |error: burn_pack::Error| format_error(path, &format!("damaged burnpack: {error}"));
    // Read whole: a file-backed reader would size its buffer by the header before checking it.
    let bytes = fs::read(path).map_err(|error| io_error(path, error))?;
    let reader = burn_pack::Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(damaged)?;
    let metadata = reader.metadata().clone().into_iter().collect();
    let mut state = StateDict::default();
    for tensor in reader.into_tensors().map_err(damaged)? {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(damaged)?;
        let Some(values) = floats(&bytes, dtype) else {
            continue;
        };
        let shape = shape.to_vec();
        let tensor = match shape[..] {
            [rows, columns] if values.len() == rows * columns => transposed(&values, rows, columns),
            _ => NamedTensor { shape, values },
        };
        state.insert(name, tensor);
    }
    Ok((state, metadata))
}

/// The other layout of a matrix.
pub(super) fn transposed(values: &[f32], rows: usize, columns: usize) -> NamedTensor {
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| values[row * columns + column]));
    }
    NamedTensor {
        shape: vec![columns, rows],
        values: turned,
    }
}

/// Strips nests and the `module.` prefix; what lies outside the nest (optimiser state) is left.
pub(super) fn unnest(state: StateDict) -> StateDict {
    /// A checkpoint of a wrapped model has two.
    const DEEPEST: usize = 3;
    (0..DEEPEST).fold(state, |state, _| strip_nest(state))
}

fn strip_nest(state: StateDict) -> StateDict {
    let nest = NESTS.iter().map(|nest| format!("{nest}.")).find(|prefix| {
        state
            .iter()
            .any(|(name, _)| name.starts_with(prefix.as_str()))
    });
    let state = match nest {
        Some(prefix) => state.under(&prefix),
        None => state,
    };
    state.renamed(|name| name.strip_prefix("module.").unwrap_or(name).to_owned())
}
