//! Weight files of our own.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use burn::store::burn_pack;
use burn::tensor::{Bytes, DType};
use safetensors::tensor::Dtype;

use super::about::{About, METADATA_KEY};
use super::error::{WeightsError, format_error, io_error};
use super::format::WeightsFormat;
use super::pickle::checkpoint;
use super::state::NamedTensor;
use super::state::StateDict;
use super::stored::Stored;
use crate::model::Model;
use cd_core::atomic;

/// Writes `model` in the parameter names of its family's checkpoints, atomically. The ending of `path` decides
/// the format: `.pt`, `.pth` and `.ckpt` are PyTorch checkpoints, `.bpk` is a burnpack, all others are safetensors.
///
/// Architecture, class count and normalisation go into the metadata, which PyTorch checkpoints do not have.
/// PyTorch reads `load_state_dict(torch.load(path))` or, with safetensors,
/// `load_state_dict(safetensors.torch.load_file(path))`. The same model gives the same bytes.
///
/// # Errors
///
/// When the file cannot be written; a former file stays.
pub fn save_weights(model: &Model, path: &Path) -> Result<(), WeightsError> {
    let failed = |error: &dyn fmt::Display| format_error(path, &error.to_string());
    let state = StateDict::of(model.net());
    let format = WeightsFormat::of_name(path).unwrap_or(WeightsFormat::Safetensors);
    let bytes = match format {
        WeightsFormat::PyTorch => checkpoint(&torch_tensors(&state)).map_err(|e| failed(&e))?,
        WeightsFormat::Burnpack => burnpack(&state, &about(model))
            .map_err(|e| failed(&e))?
            .to_vec(),
        WeightsFormat::Safetensors => {
            let metadata = HashMap::from([(METADATA_KEY.to_owned(), about(model))]);
            safetensors::serialize(torch_tensors(&state), Some(metadata)).map_err(|e| failed(&e))?
        }
    };
    atomic::write(path, &bytes).map_err(|error| io_error(path, error))
}

/// What the metadata say of a model.
fn about(model: &Model) -> String {
    let about = About {
        architecture: model.config().name.clone(),
        classes: model.classes(),
        normalization: model.normalization(),
    };
    serde_json::to_string(&about).expect("plain names and numbers")
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// The tensors of a PyTorch state dict, with the batch counters that BatchNorm has there.
fn torch_tensors(state: &StateDict) -> Vec<(String, Stored)> {
    let mut tensors = Vec::new();
    for (name, tensor) in state.iter() {
        let stored = Stored {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            bytes: little_endian(&tensor.values),
        };
        tensors.push((name.to_owned(), stored));
        if let Some(norm) = name.strip_suffix(".running_var") {
            let counter = Stored {
                dtype: Dtype::I64,
                shape: Vec::new(),
                bytes: vec![0; 8],
            };
            tensors.push((format!("{norm}.num_batches_tracked"), counter));
        }
    }
    tensors
}

/// Burn's format keeps matrices in Burn's layout.
fn burnpack(state: &StateDict, about: &str) -> Result<Bytes, burn_pack::Error> {
    let tensors = state.iter().map(|(name, tensor)| {
        let (shape, bytes) = match tensor.shape[..] {
            [rows, columns] => {
                let turned = transposed(&tensor.values, rows, columns);
                (turned.shape, little_endian(&turned.values))
            }
            _ => (tensor.shape.clone(), little_endian(&tensor.values)),
        };
        let bytes = Bytes::from_bytes_vec(bytes);
        burn_pack::Tensor::new(name.to_owned(), DType::F32, shape, None, bytes)
    });
    burn_pack::Writer::new(tensors.collect())
        .with_metadata(METADATA_KEY, about)
        .into_bytes()
}

/// The other layout of a matrix.
fn transposed(values: &[f32], rows: usize, columns: usize) -> NamedTensor {
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| values[row * columns + column]));
    }
    NamedTensor {
        shape: vec![columns, rows],
        values: turned,
    }
}
