//! Image data sets, backdoor attacks and poisoning.
//!
//! The story in types: a [`DatasetConfig`] loads a [`Split`]; [`poison`](poison::poison) turns it
//! into [`Poisoned`], which is all that training and detection get, and [`Truth`], which only
//! evaluation takes. Data of unknown origin enters through [`Poisoned::untrusted`] and has no truth.
//!
//! ```
//! use cd_data::{AttackConfig, DatasetConfig, DemoConfig, LabelMap, NoProgress, PoisonConfig, Selection, poison};
//!
//! let dataset = DatasetConfig::Demo(DemoConfig { train: 40, test: 20, seed: 0 });
//! let split = dataset.load(&NoProgress)?;
//! let config = PoisonConfig {
//!     attack: AttackConfig::from_name("badnets")?,
//!     rate: 0.1,
//!     target: 0,
//!     labels: LabelMap::AllToOne,
//!     seed: 1,
//!     select: Selection::default(),
//! };
//! let (data, truth) = poison(&split, &config)?;
//! assert_eq!(data.train().len(), 40);
//! assert_eq!(truth.train().entries().len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attack;
#[cfg(test)]
mod damage_tests;
pub mod dataset;
pub mod export;
pub mod fetch;
mod pickle;
mod picture;
pub mod poison;
pub mod table;
#[cfg(test)]
mod testing;
mod zipped;

/// Most images that are drawn, decoded or stamped at once.
const IMAGES_AT_ONCE: usize = 1024;
/// Bytes of images that are held beside a set, as far as that leaves enough images for all threads.
const BYTES_AT_ONCE: usize = 32 << 20;

/// Images of `len` bytes that are drawn, decoded or stamped at once.
fn images_at_once(len: usize) -> usize {
    (BYTES_AT_ONCE / len.max(1)).clamp(64, IMAGES_AT_ONCE)
}

pub use attack::{
    ATTACKS, Attack, AttackConfig, AttackError, AttackInfo, AttackNeeds, AttackOption, Batch,
    CraftContext, CraftCurve, CraftFigure, CraftRecord, ExpectedSuccess, LabelMode, Place,
    PublishedSuccess, Role, Rounding, Trigger, expected_in_words,
};
pub use cd_core::{NoProgress, Progress};
pub use dataset::{
    CelebAConfig, Cifar10Config, Cifar100Config, DATASETS, DataError, Dataset, DatasetConfig,
    DatasetInfo, DemoConfig, FolderConfig, GtsrbConfig, ImageNetConfig, LoadContext, MnistConfig,
    NotRead, NpyConfig, ParquetConfig, PictureOptions, Pictured, Split, SvhnConfig,
    TinyImageNetConfig, WebDatasetConfig,
};
pub use export::{ExportError, export, export_as};
pub use fetch::{FetchError, Fetched, PUBLISHED, Published, published};
pub use picture::{Orientation, PictureError, picture_side, read_rgb};
pub use poison::{
    ClassMap, LabelMap, Manifest, ManifestEntry, ManifestError, PlanCounts, PlanEntry, PlanRequest,
    PoisonConfig, PoisonError, PoisonPlan, Poisoned, Selection, Truth, poison,
};
