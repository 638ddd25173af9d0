//! Python's pickles, interpreted as data: nothing is imported, nothing is called, and what is not known stays a placeholder.
//!
//! Memory is bounded whatever the bytes say: bytes and long texts stay in the file, and what the rest unpacks to is counted.

mod error;
mod input;
mod machine;
mod value;

pub(super) use error::PickleError;
pub(super) use input::Input;
pub(super) use machine::unpickle;
pub(super) use value::{Blob, Item, Object, Pickle, Value, size};
