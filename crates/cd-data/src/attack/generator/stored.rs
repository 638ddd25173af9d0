//! Files of a made trigger: networks, images and the record, in one folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cd_core::{atomic, npy};
use cd_models::burn::module::Module;
use cd_models::{NamedTensor, StateDict};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::record::CraftRecord;
use crate::attack::AttackError;

/// Most bytes of a file that are read.
const MOST_BYTES: u64 = 256 << 20;
/// Name of the record in the folder.
const RECORD: &str = "craft.json";

/// The folder of a made trigger of one attack.
#[derive(Debug, Clone, Copy)]
pub(in crate::attack) struct Stored<'a> {
    attack: &'static str,
    folder: &'a Path,
}

impl<'a> Stored<'a> {
    /// The trigger of the attack of this name in `folder`.
    pub(in crate::attack) fn new(attack: &'static str, folder: &'a Path) -> Self {
        Self { attack, folder }
    }

    fn path(self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    fn failed(self, path: PathBuf, problem: impl ToString) -> AttackError {
        AttackError::Stored {
            attack: self.attack,
            path,
            problem: problem.to_string(),
        }
    }

    /// Writes the weights of a network.
    pub(in crate::attack) fn write<M: Module>(
        self,
        name: &str,
        network: &M,
    ) -> Result<(), AttackError> {
        let path = self.path(name, "safetensors");
        let state = StateDict::of_module(network);
        let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = state
            .iter()
            .map(|(name, tensor)| {
                let values = tensor.values.iter();
                let bytes = values.flat_map(|value| value.to_le_bytes()).collect();
                (name, (tensor.shape.as_slice(), bytes))
            })
            .collect();
        let views = bytes.iter().map(|(name, (shape, bytes))| {
            TensorView::new(Dtype::F32, shape.to_vec(), bytes).map(|view| (*name, view))
        });
        let views = views.collect::<Result<Vec<_>, _>>();
        let file = views.and_then(|views| safetensors::serialize(views, None));
        let file = file.map_err(|error| self.failed(path.clone(), error))?;
        atomic::write(&path, &file).map_err(|error| self.failed(path, error))
    }

    /// `network` with the weights that were written.
    pub(in crate::attack) fn read<M: Module>(
        self,
        name: &str,
        network: M,
    ) -> Result<M, AttackError> {
        let path = self.path(name, "safetensors");
        let state = bytes(&path).and_then(|bytes| state(&bytes));
        let state = state.and_then(|state| {
            let filled = state.apply_to(network, "the network of these options");
            filled.map_err(|error| error.to_string())
        });
        state.map_err(|problem| self.failed(path, problem))
    }

    /// Writes what the craft came to.
    pub(in crate::attack) fn write_record(self, record: &CraftRecord) -> Result<(), AttackError> {
        let path = self.folder.join(RECORD);
        let json = serde_json::to_vec_pretty(record).map_err(std::io::Error::other);
        let written = json.and_then(|json| atomic::write(&path, &json));
        written.map_err(|error| self.failed(path, error))
    }

    /// Reads what the craft came to.
    pub(in crate::attack) fn read_record(self) -> Result<CraftRecord, AttackError> {
        let path = self.folder.join(RECORD);
        let record = bytes(&path)
            .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        record.map_err(|problem| self.failed(path, problem))
    }

    /// Writes numbers as an array.
    pub(in crate::attack) fn write_numbers(
        self,
        name: &str,
        shape: &[usize],
        values: &[f32],
    ) -> Result<(), AttackError> {
        let path = self.path(name, "npy");
        npy::save(&path, shape, values).map_err(|error| self.failed(path, error))
    }

    /// Reads an array of finite numbers: its shape, and its values row by row.
    pub(in crate::attack) fn read_numbers(
        self,
        name: &str,
    ) -> Result<(Vec<usize>, Vec<f32>), AttackError> {
        let path = self.path(name, "npy");
        let rows = npy::Rows::open(&path).map_err(|error| self.failed(path.clone(), error))?;
        let shape = [&[rows.count()], rows.shape()].concat();
        let count = shape
            .iter()
            .try_fold(1_usize, |product, &side| product.checked_mul(side));
        let count = count.filter(|&count| count as u64 <= MOST_BYTES / 4);
        let Some(count) = count else {
            let problem = format!("its shape {shape:?} has more than {MOST_BYTES} bytes");
            return Err(self.failed(path, problem));
        };
        let mut values = Vec::with_capacity(count);
        for row in 0..rows.count() {
            let numbers = rows.numbers(row);
            let numbers = numbers.map_err(|error| self.failed(path.clone(), error))?;
            values.extend(numbers.into_iter().map(|value| value as f32));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.failed(path, "it holds a value that is no finite number"));
        }
        Ok((shape, values))
    }

    /// The error of an array that does not fit.
    pub(in crate::attack) fn misfit(self, name: &str, problem: String) -> AttackError {
        self.failed(self.path(name, "npy"), problem)
    }
}

/// What is in a file that is not too large.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MOST_BYTES {
        return Err(format!(
            "it has {length} bytes, at most {MOST_BYTES} are read"
        ));
    }
    fs::read(path).map_err(|error| error.to_string())
}

fn state(bytes: &[u8]) -> Result<StateDict, String> {
    let file = SafeTensors::deserialize(bytes);
    let file = file.map_err(|error| format!("it is no safetensors file: {error}"))?;
    let mut state = StateDict::default();
    for (name, tensor) in file.iter() {
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("`{name}` is {:?}, expected F32", tensor.dtype()));
        }
        let numbers = tensor.data().as_chunks().0.iter();
        let tensor = NamedTensor {
            shape: tensor.shape().to_vec(),
            values: numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        };
        state.insert(name.to_owned(), tensor);
    }
    if let Some(name) = state.first_non_finite() {
        return Err(format!("`{name}` holds a value that is no finite number"));
    }
    Ok(state)
}
