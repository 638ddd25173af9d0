//! Burn's own format.

use std::fs;
use std::path::Path;

use burn::store::burn_pack;
use burn::tensor::Bytes;

use crate::weights::about::Metadata;
use crate::weights::error::{WeightsError, format_error, io_error};
use crate::weights::state::{NamedTensor, StateDict};
use crate::weights::values::{floats, transposed};

/// Reads Burn's format, of ours or of any Burn module whose fields are named as in PyTorch.
///
/// Burn keeps matrices of linear layers transposed and calls scale and shift `gamma` and `beta`.
pub(super) fn read(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
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
