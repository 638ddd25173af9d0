//! Detectors of backdoored training images.
//!
//! The main one is [`CognitiveDistillation`]: for each image it optimises the smallest mask that
//! keeps a classifier's output. Images with a backdoor trigger need suspiciously small masks.
//!
//! Any model will do, here a closure:
//!
//! ```
//! use cd_detect::CognitiveDistillation;
//! use cd_models::burn::tensor::Tensor;
//!
//! # let device = cd_models::device::parse("cpu")?;
//! # let weights = Tensor::<2>::ones([3 * 8 * 8, 4], &device);
//! # let images = Tensor::<4>::full([2, 3, 8, 8], 0.5, &device);
//! let model = |images: Tensor<4>| images.flatten::<2>(1, 3).matmul(weights.clone());
//!
//! let distillation = CognitiveDistillation::logits().with_steps(10).with_alpha(0.01);
//! let masks = distillation.masks(&model, images.clone())?;
//! let patterns = images * masks.clone();
//!
//! assert_eq!(masks.dims(), [2, 1, 8, 8]);
//! assert_eq!(patterns.dims(), [2, 3, 8, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cognitive;
mod detection;
mod detector;
mod error;
mod parts;
mod small_classes;
mod threshold;

pub use cognitive::{
    CognitiveDistillation, Decay, Distilled, Fill, Objective, Preset, Reduction, Search, Step,
};
pub use detection::{Detection, Direction, Masks, Measure, Scale};
pub use detector::{
    Cdf, Cdl, DETECTORS, Detector, DetectorConfig, DetectorInfo, Shard, Store, Suspects,
    UnknownDetector,
};
pub use error::DetectError;
pub use small_classes::Comparison;
pub use threshold::{Decision, ThresholdError, ThresholdRule};
