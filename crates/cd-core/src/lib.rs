//! What every crate of the toolkit stands on, and nothing of tensors: [`ImageSet`]s on pixel sources, [`Key`]s of
//! content, [`Lock`]s between processes, files that appear whole ([`atomic`]), progress, names, seeded streams.
//!
//! ```
//! use cd_core::{ImageSet, Key};
//!
//! let mut set = ImageSet::new(1, 1, vec!["sky".into(), "sea".into()]);
//! set.push("first.png".into(), &[80, 120, 255], 0)?;
//! assert_eq!(set.class_counts(), [1, 0]);
//! let key = Key::of("example").with("rate", &0.1).finish();
//! assert_eq!(key.len(), 64);
//! # Ok::<(), cd_core::ImageSetError>(())
//! ```

pub mod ahead;
pub mod atomic;
mod images;
mod key;
mod labels;
mod lock;
mod matrix;
pub mod names;
pub mod npy;
mod pixels;
mod progress;
pub mod random;
mod records;
pub mod resample;
mod source;
pub mod workers;

pub use images::{CHANNELS, ImageSet, ImageSetError};
pub use key::{Key, content_key};
pub use labels::{Attributes, Labels};
pub use lock::{Lock, LockError};
pub use matrix::Matrix;
pub use pixels::{Pixels, SelectedPixels};
pub use progress::{NoProgress, Progress, Task};
pub use records::Records;
pub use source::{PixelSource, RecordFile, StorageError, read_at};
