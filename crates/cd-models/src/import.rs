//! Weight files: safetensors and PyTorch checkpoints in, safetensors out.
//!
//! Files are recognised by content, not by name. PyTorch pickles are interpreted as data; no code
//! in them runs. Names are the reference's (`conv1.weight`, `layer1.0.bn1.running_mean`, ...),
//! nested under `model_state_dict`, `state_dict`, `netC`, `model` or a `module.` prefix or not.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::atomic;
use crate::model::{Model, Normalization};
use crate::model_config::{ModelConfig, ModelError};
use crate::registry::UnknownArchitecture;
use crate::state::{NamedTensor, StateDict, StateError};

/// Nests that public checkpoints wrap around a state dict.
const NESTS: [&str; 5] = ["model_state_dict", "state_dict", "netC", "model", "net"];

/// The one metadata entry of our files: several would stand in random order, and the same weights
/// would give different bytes.
const METADATA_KEY: &str = "cd_model";

/// What a file says about the model besides its weights.
#[derive(Serialize, Deserialize)]
struct About {
    architecture: String,
    classes: usize,
    normalization: Option<Normalization>,
}

/// Why weights could not be read, recognised or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a safetensors file or PyTorch checkpoint, or a damaged one.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight is NaN or infinite.
    #[error("{}: parameter `{name}` holds NaN or infinite values", path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The first such parameter.
        name: String,
    },
    /// No registered architecture has these names and shapes.
    #[error("{}: the architecture could not be recognised from {count} parameters ({sample}, ...); known: {known}", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// How many parameters the file holds.
        count: usize,
        /// The first few names.
        sample: String,
        /// Registered architectures.
        known: String,
    },
    /// The weights are of another architecture than the one asked for.
    #[error("{}: {source}", path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: StateError,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
}

/// Reads a weights file and recognises its architecture, width and class count.
///
/// The input normalisation is taken from the file where [`save_weights`] stored one.
///
/// # Errors
///
/// When the file is damaged, holds non-finite values or fits no registered architecture.
pub fn load_weights(path: &Path, device: &Device) -> Result<Model, WeightsError> {
    let (state, metadata) = read_file(path)?;
    let (config, classes) =
        ModelConfig::nearest(&state, device).ok_or_else(|| unrecognised(path, &state))?;
    let model = config
        .with_weights(classes, &state, device)
        .map_err(|error| misfit(path, error))?;
    let about = metadata
        .get(METADATA_KEY)
        .map(|text| serde_json::from_str::<About>(text))
        .transpose()
        .map_err(|error| format_error(path, &format!("metadata `{METADATA_KEY}`: {error}")))?;
    let normalization = about.and_then(|about| about.normalization);
    Ok(model.with_normalization(normalization))
}

/// Reads the parameters of a weights file under plain names, without building a network.
///
/// # Errors
///
/// When the file is unreadable, damaged or holds non-finite values.
pub fn read_weights(path: &Path) -> Result<StateDict, WeightsError> {
    read_file(path).map(|(state, _)| state)
}

/// Writes `model` as safetensors in the reference's parameter names, atomically.
///
/// Architecture, class count and normalisation go into the metadata. PyTorch reads the result with
/// `load_state_dict(safetensors.torch.load_file(path))`.
///
/// # Errors
///
/// When the file cannot be written; a former file stays.
pub fn save_weights(model: &Model, path: &Path) -> Result<(), WeightsError> {
    let state = StateDict::of(model.net());
    let mut tensors: Vec<(String, Stored)> = Vec::new();
    for (name, tensor) in state.iter() {
        let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let stored = Stored {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            bytes,
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
    let about = About {
        architecture: model.config().name.clone(),
        classes: model.classes(),
        normalization: model.normalization(),
    };
    let about = serde_json::to_string(&about).expect("plain names and numbers");
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), about)]);
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| format_error(path, &error.to_string()))?;
    atomic::write(path, &bytes).map_err(|source| WeightsError::Io {
        path: path.to_owned(),
        source,
    })
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

type Metadata = HashMap<String, String>;

fn read_file(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
    let (tensors, metadata) = match magic(path)? {
        Magic::PyTorch => (read_pytorch(path)?, Metadata::new()),
        Magic::Safetensors => read_safetensors(path)?,
    };
    let state = unnest(tensors);
    if let Some(name) = state.first_non_finite() {
        return Err(WeightsError::NonFinite {
            path: path.to_owned(),
            name: name.to_owned(),
        });
    }
    Ok((state, metadata))
}

enum Magic {
    PyTorch,
    Safetensors,
}

/// Tells the format from the first bytes: a zip or pickle is PyTorch's, a JSON header is safetensors.
fn magic(path: &Path) -> Result<Magic, WeightsError> {
    let io = |source| WeightsError::Io {
        path: path.to_owned(),
        source,
    };
    let mut head = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(9).read_to_end(&mut head).map_err(io)?;
    match head.as_slice() {
        [] => Err(format_error(path, "the file is empty")),
        [b'P', b'K', ..] | [0x80, ..] => Ok(Magic::PyTorch),
        [_, _, _, _, _, _, _, _, b'{'] => Ok(Magic::Safetensors),
        _ => Err(format_error(
            path,
            "neither a safetensors file nor a PyTorch checkpoint",
        )),
    }
}

fn read_safetensors(path: &Path) -> Result<(StateDict, Metadata), WeightsError> {
    let bytes = fs::read(path).map_err(|source| WeightsError::Io {
        path: path.to_owned(),
        source,
    })?;
    let damaged = |error: safetensors::SafeTensorError| {
        format_error(path, &format!("damaged safetensors file: {error}"))
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let mut state = StateDict::default();
    for (name, view) in file.iter() {
        if let Some(values) = floats(&view) {
            let shape = view.shape().to_vec();
            state.insert(name.to_owned(), NamedTensor { shape, values });
        }
    }
    Ok((state, metadata))
}

/// The values of a floating-point tensor as f32; `None` for integers such as batch counters.
fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}

fn read_pytorch(path: &Path) -> Result<StateDict, WeightsError> {
    use pytorch_reader::{DType, PytorchReader};
    let damaged = |error: &dyn std::fmt::Display| {
        format_error(path, &format!("unreadable PyTorch checkpoint: {error}"))
    };
    let reader = PytorchReader::new(path).map_err(|error| damaged(&error))?;
    let mut state = StateDict::default();
    for (name, tensor) in reader.tensors() {
        let bytes = || tensor.read().map_err(|error| damaged(&error));
        let values = match tensor.dtype() {
            DType::F32 => each(&bytes()?, f32::from_ne_bytes),
            DType::F64 => each(&bytes()?, |b| f64::from_ne_bytes(b) as f32),
            DType::F16 => each(&bytes()?, |b| half::f16::from_ne_bytes(b).to_f32()),
            DType::BF16 => each(&bytes()?, |b| half::bf16::from_ne_bytes(b).to_f32()),
            _ => continue,
        };
        let shape = tensor.shape().to_vec();
        state.insert(name.clone(), NamedTensor { shape, values });
    }
    Ok(state)
}

/// Strips the nest and the `module.` prefix; what lies outside the nest (optimiser state) is left.
fn unnest(state: StateDict) -> StateDict {
    let nest = NESTS.iter().map(|nest| format!("{nest}.")).find(|prefix| {
        state
            .iter()
            .any(|(name, _)| name.starts_with(prefix.as_str()))
    });
    let mut plain = StateDict::default();
    for (name, tensor) in state.iter() {
        let inner = match &nest {
            Some(prefix) => name.strip_prefix(prefix.as_str()),
            None => Some(name),
        };
        if let Some(inner) = inner {
            let inner = inner.strip_prefix("module.").unwrap_or(inner);
            plain.insert(inner.to_owned(), tensor.clone());
        }
    }
    plain
}

fn misfit(path: &Path, error: ModelError) -> WeightsError {
    match error {
        ModelError::Architecture(error) => error.into(),
        ModelError::Misfit(source) => WeightsError::Misfit {
            path: path.to_owned(),
            source,
        },
    }
}

fn unrecognised(path: &Path, state: &StateDict) -> WeightsError {
    let sample: Vec<&str> = state.iter().take(3).map(|(name, _)| name).collect();
    let known: Vec<&str> = crate::ARCHITECTURES.iter().map(|a| a.name).collect();
    WeightsError::Unrecognised {
        path: path.to_owned(),
        count: state.iter().count(),
        sample: sample.join(", "),
        known: known.join(", "),
    }
}

fn format_error(path: &Path, reason: &str) -> WeightsError {
    WeightsError::Format {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    fn model() -> Model {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let config = config.with_width(4);
        config.init(3, 1, &Device::flex()).expect("registered")
    }

    fn message(path: &Path) -> String {
        let error = load_weights(path, &Device::flex()).expect_err("bad file");
        error.to_string()
    }

    #[test]
    fn saved_weights_come_back_exactly() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("model.safetensors");
        let normalization = Normalization {
            mean: [0.5, 0.25, 0.125],
            std: [1.0, 2.0, 4.0],
        };
        let saved = model().with_normalization(Some(normalization));
        save_weights(&saved, &path).expect("written");
        let loaded = load_weights(&path, &Device::flex()).expect("read back");
        assert_eq!(StateDict::of(loaded.net()), StateDict::of(saved.net()));
        assert_eq!(loaded.config(), saved.config());
        assert_eq!(
            (loaded.classes(), loaded.normalization()),
            (3, Some(normalization))
        );
        let bytes = fs::read(&path).expect("read");
        save_weights(&loaded, &path).expect("written again");
        assert!(
            fs::read(&path).expect("read") == bytes,
            "the same model gives the same bytes"
        );
    }

    #[test]
    fn bad_files_are_named_with_their_cause() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("model.safetensors");
        assert!(message(&path).contains("model.safetensors"));
        fs::write(&path, b"").expect("written");
        assert!(message(&path).contains("empty"));
        fs::write(&path, b"some other file").expect("written");
        assert!(message(&path).contains("neither a safetensors file nor"));
        fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\x7f{\"a\":1}").expect("written");
        assert!(message(&path).contains("damaged safetensors"));
        fs::write(&path, b"PK\x03\x04garbage").expect("written");
        assert!(message(&path).contains("unreadable PyTorch"));
        save_weights(&model(), &path).expect("written");
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 100]).expect("written");
        assert!(message(&path).contains("damaged safetensors"));
    }

    #[test]
    fn nan_and_foreign_weights_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("model.safetensors");
        let mut state = StateDict::of(model().net());
        let mut bias = state.get("linear.bias").expect("named so").clone();
        bias.values[1] = f32::NAN;
        state.insert("linear.bias".to_owned(), bias);
        let net = model().net().clone();
        let net = state.apply(net, "ResNet-10").expect("fits");
        let poisoned = Model::new(net, model().config().clone(), 3);
        save_weights(&poisoned, &path).expect("written");
        assert!(message(&path).contains("`linear.bias` holds NaN"));

        let foreign = Stored {
            dtype: Dtype::F32,
            shape: vec![1],
            bytes: vec![0; 4],
        };
        let bytes = safetensors::serialize([("head.weight", foreign)], None).expect("valid");
        fs::write(&path, bytes).expect("written");
        assert!(message(&path).contains("could not be recognised from 1 parameters (head.weight"));
    }

    #[test]
    fn nests_and_prefixes_are_stripped() {
        let mut state = StateDict::default();
        let tensor = NamedTensor {
            shape: vec![1],
            values: vec![0.0],
        };
        state.insert(
            "model_state_dict.module.conv1.weight".into(),
            tensor.clone(),
        );
        state.insert("optimizer.state.0".into(), tensor);
        let names: Vec<String> = unnest(state).iter().map(|(n, _)| n.to_owned()).collect();
        assert_eq!(names, ["conv1.weight"]);
    }
}
