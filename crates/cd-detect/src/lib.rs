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
//!
//! Other detectors look at features, losses or predictions; what they look at is [`Evidence`], and their [`Needs`] say
//! which of it they ask for:
//!
//! ```
//! use cd_detect::{Compute, DetectorConfig, Evidence, extract};
//! use cd_models::{ImageSet, ModelConfig, Tap};
//!
//! # let device = cd_models::device::parse("cpu")?;
//! # let model = ModelConfig::from_name("resnet18")?.with_width(2).init(2, 0, &device)?;
//! let mut set = ImageSet::new(16, 16, vec!["cat".into(), "dog".into()]);
//! for number in 0..8_u8 {
//!     let pixels: Vec<u8> = (0..768).map(|at| (at % 251) as u8 ^ number).collect();
//!     set.push(format!("{number}.png"), &pixels, u32::from(number % 2))?;
//! }
//! let compute = Compute::new(&device);
//! let extracted = extract(&model, (&set).into(), &[Tap::Penultimate], false, &compute)?;
//! let extracted = extracted.ok_or("other processes have the rest")?;
//! let evidence = Evidence {
//!     labels: Some(set.labels()),
//!     class_count: set.class_count(),
//!     features: &extracted.features,
//!     ..Evidence::new(&model, &set, compute)
//! };
//! let found = DetectorConfig::from_name("ss")?.detector().detect(&evidence)?;
//! assert_eq!(found.ok_or("other processes have the rest")?.scores().len(), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alike;
mod apart;
mod bias;
mod catalogue;
mod cognitive;
mod compute;
mod cosine;
mod decide;
mod dense;
mod detection;
pub mod detector;
mod error;
mod evidence;
mod extract;
mod frame;
mod logistic;
mod masks;
mod mitigate;
mod needs;
mod neighbours;
mod points;
mod recover;
mod singular;
mod statistics;
mod sweep;
#[cfg(all(test, feature = "flex"))]
mod testing;

pub use bias::{Frequency, HeadMasks, Side, head_masks};
pub use catalogue::detectors_markdown;
pub use cognitive::{
    CognitiveDistillation, Decay, Distilled, Fill, Objective, Preset, Reduction, Search, Step,
    search_of_large,
};
pub use compute::{Compute, Shard, Store};
pub use decide::{
    Canary, ClassFinding, Comparison, Decision, Findings, Power, Proof, SearchFinding, Standing,
    SuspectClass, Testimony, ThresholdError, ThresholdRule, Verdict, Witness, discoveries,
    joint_p_values,
};
pub use detection::{Detection, Direction, Measure, Scale};
pub use detector::cognitive::{Cdf, Cdl};
pub use detector::{
    DETECTORS, Detector, DetectorConfig, DetectorInfo, SettingError, UnknownDetector,
};
pub use error::DetectError;
pub use evidence::{Clean, Evidence};
pub use extract::{Extracted, extract};
pub use masks::Masks;
pub use mitigate::{MitigationError, Parts, PassKind, PassReport, Unlearning, unlearn};
pub use needs::{LossesOffer, Need, Needs, Offer};
pub use recover::{Recovered, RecoveredTrigger, Recovery, Suspects, appearance, prove};
pub use sweep::{Batch, Column, Kept, Kind, Sweep, Swept};
