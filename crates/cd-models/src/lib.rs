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

mod batch;
mod catalogue;
mod classifier;
pub mod cpu_level;
pub mod device;
mod input_size;
mod memory;
mod model;
pub mod net;
mod predict;
mod registry;
mod train;
mod weights;

pub use batch::{batch, host_batch, one_batch, quantize, to_host};
pub use burn;
pub use burn::tensor::Device;
pub use catalogue::models_markdown;
pub use cd_core::{
    CHANNELS, ImageSet, ImageSetError, NoProgress, Progress, Records, StorageError, Task, atomic,
    names,
};
pub use classifier::{Classifier, Tap, TapError};
pub use input_size::{InputSize, InputSizeError};
pub use memory::{images_at_once, keep_freed_memory};
pub use model::build::ModelError;
pub use model::config::ModelConfig;
pub use model::head::Head;
pub use model::inside::NormLayer;
pub use model::normalization::Normalization;
pub use model::trainable::Trainable;
pub use model::{AttributeModel, Model};
pub use net::block::{Block, halved, map_mean, normalized};
pub use net::{Net, Network};
pub use predict::{Predictions, predict};
pub use registry::{
    ARCHITECTURES, Architecture, Dialect, Family, FeatureMap, Golden, Published, Taps,
    UnknownArchitecture,
};
pub use train::augment::Augmentation;
pub use train::augment::step::Step;
pub use train::checkpoint::{CheckpointError, Checkpoints};
pub use train::config::{Keep, TrainConfig};
pub use train::error::TrainError;
pub use train::finetune::Finetune;
pub use train::history::{EpochReport, History};
pub use train::losses::{LossesError, read_losses, write_losses};
pub use train::objective::LabelsError;
pub use train::optimizer::{Moments, Optimizer};
pub use train::run::{Snapshots, Trained, fine_tune, train, train_watched};
pub use train::schedule::Schedule;
pub use train::setting::SettingError;
pub use weights::describe::{TensorSummary, WeightsSummary, describe_weights};
pub use weights::element::Element;
pub use weights::error::WeightsError;
pub use weights::export::save_weights;
pub use weights::format::WeightsFormat;
pub use weights::fresh::draw_weights;
pub use weights::import::{load_weights, load_weights_as, read_weights};
pub use weights::misfit::StateError;
pub use weights::request::WeightsRequest;
pub use weights::state::{NamedTensor, StateDict};
