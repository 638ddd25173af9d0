//! Weight files of every format, as tensors by name; values are read when they are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::about::Metadata;
use super::entry::{Entries, Entry, Place};
use super::error::{WeightsError, format_error, io_error};
use super::foreign::part;
use super::format::{WeightsFormat, format};
use super::naming::burn_names;
use super::state::{NamedTensor, StateDict};

mod burnpack;
mod numpy;
mod pickle;
mod pytorch;
mod safetensors;
mod tensors;
mod walk;
mod zip;

/// Tensors of a checkpoint may be views of each other, so their sizes can add up to more than the file; more than this many
/// times its size is refused.
const LARGEST_EXPANSION: u64 = 16;

/// What a weights file holds.
pub(super) struct Contents {
    path: PathBuf,
    pub(super) format: WeightsFormat,
    pub(super) entries: Entries,
    pub(super) metadata: Metadata,
}

/// Reads names, extents and places of everything in a weights file.
pub(super) fn read(path: &Path) -> Result<Contents, WeightsError> {
    if let Some((number, count)) = part(path) {
        let reason = format!(
            "file {number} of {count} that hold one network together: join them in PyTorch and save one state dict"
        );
        return Err(format_error(path, &reason));
    }
    let format = format(path)?;
    let (entries, metadata) = match format {
        WeightsFormat::PyTorch => (pytorch::read(path)?, Metadata::new()),
        WeightsFormat::Safetensors => safetensors::read(path)?,
        WeightsFormat::Burnpack => burnpack::read(path)?,
    };
    Ok(Contents {
        path: path.to_owned(),
        format,
        entries,
        metadata,
    })
}

impl Contents {
    /// A burnpack has names of Burn's; what was recorded from a network of ours gets PyTorch's.
    pub(super) fn named_as_in_pytorch(mut self, device: &Device) -> Self {
        if self.format == WeightsFormat::Burnpack {
            let shapes = self.entries.iter();
            let shapes = shapes.map(|(name, entry)| (name.clone(), entry.shape.clone()));
            let names = burn_names(&shapes.collect(), device);
            let entries = self.entries.into_iter();
            let renamed =
                entries.map(|(name, entry)| (names.get(&name).cloned().unwrap_or(name), entry));
            self.entries = renamed.collect();
        }
        self
    }

    /// The values of `names`, which lead from names in a network to those in the file.
    pub(super) fn state(
        &self,
        names: &BTreeMap<String, String>,
    ) -> Result<StateDict, WeightsError> {
        let entries = || {
            names
                .values()
                .map(|full| (full.as_str(), &self.entries[full]))
        };
        self.check_elements(entries())?;
        self.check_claims(entries().map(|(_, entry)| entry))?;
        let mut state = StateDict::default();
        let mut seen = BTreeSet::new();
        let mut file = self.open()?;
        for (plain, full) in names {
            let tensor = self.tensor(full, &mut file, &mut seen)?;
            state.insert(plain.clone(), tensor);
        }
        Ok(state)
    }

    /// The values of one tensor of the file.
    pub(super) fn values(&self, full: &str) -> Result<NamedTensor, WeightsError> {
        self.check_claims(std::iter::once(&self.entries[full]))?;
        self.tensor(full, &mut self.open()?, &mut BTreeSet::new())
    }

    fn open(&self) -> Result<File, WeightsError> {
        File::open(&self.path).map_err(|error| io_error(&self.path, error))
    }

    /// `seen` holds the parts of the file whose checksums were found to fit.
    fn tensor(
        &self,
        full: &str,
        file: &mut File,
        seen: &mut BTreeSet<u64>,
    ) -> Result<NamedTensor, WeightsError> {
        let failed =
            |error: std::io::Error| format_error(&self.path, &format!("`{full}`: {error}"));
        let entry = &self.entries[full];
        if let Place::File(stored) = &entry.place
            && let Some(part) = stored.checked
            && seen.insert(part.at)
        {
            pytorch::check(file, part).map_err(failed)?;
        }
        let tensor = entry.read(file).map_err(failed)?;
        tensor.ok_or_else(|| failed(std::io::Error::other("no floating-point numbers")))
    }

    fn check_elements<'a>(
        &self,
        entries: impl Iterator<Item = (&'a str, &'a Entry)>,
    ) -> Result<(), WeightsError> {
        let others = entries.filter(|(_, entry)| {
            !entry.element.is_float() && !matches!(entry.place, Place::Nowhere(_))
        });
        let others: Vec<(&str, &Entry)> = others.collect();
        let Some((name, first)) = others.first() else {
            return Ok(());
        };
        let same = others
            .iter()
            .filter(|(_, entry)| entry.element == first.element);
        Err(WeightsError::Elements {
            path: self.path.clone(),
            count: same.count(),
            element: first.element,
            example: (*name).to_owned(),
        })
    }

    /// Fails when views claim far more than the file has.
    pub(super) fn check_claims<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<(), WeightsError> {
        let length = self.open()?.metadata();
        let length = length.map_err(|error| io_error(&self.path, error))?.len();
        let claimed = entries.fold(0_u64, |sum, entry| sum.saturating_add(entry.claimed()));
        if claimed <= length.saturating_mul(LARGEST_EXPANSION) {
            return Ok(());
        }
        let reason = format!("its tensors claim {claimed} bytes, the file has {length}");
        Err(format_error(&self.path, &reason))
    }
}
