//! What was measured after each pass so far, kept beside the state of the training.

use std::path::{Path, PathBuf};

use cd_core::StorageError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{StoreError, read_json, write_json};

const FILE: &str = "measured.json";

/// A line for each pass, in a file that is written anew after every one.
pub(super) struct Measured<T> {
    file: PathBuf,
    passes: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> Measured<T> {
    /// What an interrupted start has left in `folder`, or nothing.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join(FILE);
        let passes = if file.exists() {
            read_json(&file)?
        } else {
            Vec::new()
        };
        Ok(Self { file, passes })
    }

    /// Enters the pass `number`, from 0, in the place of what an interrupted start measured of it.
    pub(super) fn enter(&mut self, number: usize, pass: T) -> Result<(), StorageError> {
        self.passes.truncate(number);
        self.passes.push(pass);
        write_json(&self.file, &self.passes).map_err(|error| StorageError::Source {
            path: self.file.clone(),
            reason: error.to_string(),
        })
    }

    pub(super) fn into_passes(self) -> Vec<T> {
        self.passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_comes_twice_counts_once() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let open = || Measured::<f64>::in_folder(scratch.path()).expect("readable");
        let mut first = open();
        for (number, pass) in [0.1, 0.2, 0.3].into_iter().enumerate() {
            first.enter(number, pass).expect("written");
        }
        let mut second = open();
        second.enter(2, 0.7).expect("written");
        assert_eq!(open().into_passes(), [0.1, 0.2, 0.7]);
        assert_eq!(second.into_passes(), [0.1, 0.2, 0.7]);
    }
}
