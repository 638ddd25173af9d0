//! Safetensors.

use std::fs;
use std::path::Path;

use burn::tensor::DType;
use safetensors::tensor::{Dtype, SafeTensors};

use crate::weights::about::Metadata;
use crate::weights::error::{WeightsError, format_error, io_error};
use crate::weights::state::{NamedTensor, StateDict};
use crate::weights::values::floats;

pub(super) fn read(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
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
