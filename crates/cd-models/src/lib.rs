//! Image classifiers on [Burn](burn): the [`Classifier`] trait, architectures, weight files and the
//! training loop. Nothing here knows data sets, attacks or detectors.
//!
//! ```
//! use cd_models::{Classifier, ModelConfig, Device, burn::tensor::Tensor};
//!
//! let device = cd_models::device::parse("cpu")?;
//! let model = ModelConfig::from_name("resnet18")?.with_width(8).init(10, 0, &device)?;
//! let logits = model.logits(Tensor::zeros([2, 3, 32, 32], &device));
//! assert_eq!(logits.dims(), [2, 10]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod batch;
mod catalogue;
mod checkpoint;
mod classifier;
pub mod device;
mod import;
mod init;
mod memory;
mod model;
mod model_config;
pub mod net;
mod predict;
mod registry;
mod schedule;
mod state;
mod train;

pub use augment::{Augmentation, Step};
pub use batch::{batch, host_batch, one_batch, quantize, to_host};
pub use burn;
pub use burn::tensor::Device;
pub use catalogue::models_markdown;
pub use cd_core::{
    CHANNELS, ImageSet, ImageSetError, NoProgress, Progress, Records, StorageError, Task, atomic,
    names,
};
pub use checkpoint::CheckpointError;
pub use classifier::{Classifier, Tap, TapError};
pub use import::{
    WeightsError, WeightsFormat, WeightsSummary, describe_weights, load_weights, load_weights_as,
    read_weights, save_weights,
};
pub use memory::keep_freed_memory;
pub use model::{AttributeModel, Model, Normalization};
pub use model_config::{ModelConfig, ModelError};
pub use net::{Net, Network};
pub use predict::{Predictions, predict};
pub use registry::{
    ARCHITECTURES, Architecture, Family, FeatureMap, Golden, InputSize, InputSizeError, Taps,
    UnknownArchitecture,
};
pub use schedule::Schedule;
pub use state::{NamedTensor, StateDict, StateError};
pub use train::{
    EpochReport, History, Keep, Moments, Optimizer, Snapshots, TrainConfig, TrainError, Trained,
    train,
};
