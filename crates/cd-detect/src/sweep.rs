//! One computation over every image of a set: parts that are kept, shards, worker threads, batches.
//!
//! A set is cut into parts of 64 images, parts into batches. Batches are read ahead and computed on several threads. With a
//! [`Store`](crate::Store) each finished part is one file: an interrupted sweep continues where it was, and processes may
//! share the parts. Values are functions of the image, so none of this changes them.

mod column;
mod gather;
mod jobs;
mod part;

use cd_conv::Occupied;
use cd_core::{Pixels, Task, workers};
use cd_models::burn::tensor::Tensor;
use cd_models::device::is_cpu;
use cd_models::host_batch;

use crate::compute::{Compute, Store};
use crate::error::DetectError;
use jobs::{Assembly, InOrder, jobs};
use part::{Part, Parts, ranges};

pub use column::{Column, Kind};
pub use gather::Swept;

/// What is computed of every image.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// Name of the folder of its parts within the store.
    pub name: &'a str,
    /// Words for people who wait, such as `distilling`.
    pub task: &'a str,
    /// All settings that the values depend on, as text; partial results of other settings are refused.
    pub settings: &'a str,
    /// The images.
    pub images: Pixels<'a>,
    /// The columns that every batch gives, in order.
    pub columns: &'a [(&'static str, Kind)],
}

/// Images that are computed together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Positions of the images in their set.
    pub numbers: Vec<u64>,
    /// `[B, 3, H, W]` in `[0, 1]`.
    pub images: Tensor<4>,
}

/// Values of all images that stay on disk.
#[derive(Debug)]
pub struct Kept {
    parts: Vec<Part>,
    columns: Vec<Kind>,
}

impl Kept {
    /// The columns of consecutive images, part after part; one part at a time is in memory.
    pub fn parts(&self) -> impl Iterator<Item = Result<Vec<Column>, DetectError>> {
        self.parts.iter().map(|part| {
            let columns = self.columns.iter().enumerate();
            columns
                .map(|(number, &kind)| part.read(number, kind))
                .collect()
        })
    }
}

impl Sweep<'_> {
    /// Computes what is missing of this shard and puts everything together; `None` when parts of other shards are missing.
    ///
    /// `work` gives the columns of a batch. What it gives of an image must not depend on the rest of the batch.
    ///
    /// # Errors
    ///
    /// Those of `work`; when images cannot be read or parts not be kept; [`DetectError::Empty`] without images. Finished
    /// parts stay.
    ///
    /// # Panics
    ///
    /// When `work` gives other columns than [`columns`](Self::columns), or not one value per image.
    pub fn run(
        &self,
        compute: &Compute<'_>,
        work: impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync,
    ) -> Result<Option<Swept>, DetectError> {
        if self.images.is_empty() {
            return Err(DetectError::Empty);
        }
        let task = Task::start(compute.progress, self.task, Some(self.images.len() as u64));
        match compute.store {
            Some(store) => self.stored(&self.parts(store), compute, &task, &work),
            None => self.in_memory(compute, &task, &work),
        }
    }

    /// As [`run`](Self::run) with `store`, but leaves the values where they are, to be read part by part.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn keep(
        &self,
        store: Store<'_>,
        compute: &Compute<'_>,
        work: impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync,
    ) -> Result<Option<Kept>, DetectError> {
        if self.images.is_empty() {
            return Err(DetectError::Empty);
        }
        let task = Task::start(compute.progress, self.task, Some(self.images.len() as u64));
        let parts = self.complete(&self.parts(store), compute, &task, &work)?;
        let columns = self.columns.iter().map(|(_, kind)| *kind).collect();
        Ok(parts.map(|parts| Kept { parts, columns }))
    }

    fn parts(&self, store: Store<'_>) -> Parts<'_> {
        let identity = format!("{} {} {}", store.fingerprint, self.name, self.settings);
        Parts::new(store.folder.join(self.name), identity, self.columns)
    }

    fn stored(
        &self,
        parts: &Parts<'_>,
        compute: &Compute<'_>,
        task: &Task<'_>,
        work: &(impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync),
    ) -> Result<Option<Swept>, DetectError> {
        let Some(found) = self.complete(parts, compute, task, work)? else {
            return Ok(None);
        };
        Swept::stored(self.columns, &found, parts.folder(), self.images.len()).map(Some)
    }

    /// Computes the missing parts of this shard; all parts, once other shards have theirs, too.
    fn complete(
        &self,
        parts: &Parts<'_>,
        compute: &Compute<'_>,
        task: &Task<'_>,
        work: &(impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync),
    ) -> Result<Option<Vec<Part>>, DetectError> {
        let ranges = ranges(self.images.len());
        let mut missing = Vec::new();
        for (number, range) in ranges.iter().enumerate() {
            if parts.find(range)?.is_some() {
                task.advance(range.len() as u64);
            } else if compute.shard.has(number) {
                missing.push(number);
            }
        }
        self.compute(&missing, compute, task, work, |number, columns| {
            parts.write(&ranges[number], &columns)
        })?;
        // Looked at once more: another process may have finished its parts in the meantime.
        let found: Result<Vec<Option<Part>>, _> = ranges.iter().map(|r| parts.find(r)).collect();
        Ok(found?.into_iter().collect())
    }

    fn in_memory(
        &self,
        compute: &Compute<'_>,
        task: &Task<'_>,
        work: &(impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync),
    ) -> Result<Option<Swept>, DetectError> {
        let count = ranges(self.images.len()).len();
        let mine: Vec<usize> = (0..count).filter(|&part| compute.shard.has(part)).collect();
        let mut whole = Swept::new(self.columns);
        let mut parts = InOrder::default();
        self.compute(&mine, compute, task, work, |number, columns| {
            parts
                .add(number, columns)
                .try_for_each(|columns| whole.append(columns))
        })?;
        Ok((mine.len() == count).then_some(whole))
    }

    /// Computes the parts of these numbers and hands each one to `keep` when it is finished.
    fn compute(
        &self,
        missing: &[usize],
        compute: &Compute<'_>,
        task: &Task<'_>,
        work: &(impl Fn(Batch) -> Result<Vec<Column>, DetectError> + Sync),
        mut keep: impl FnMut(usize, Vec<Column>) -> Result<(), DetectError>,
    ) -> Result<(), DetectError> {
        let ranges = ranges(self.images.len());
        let jobs = jobs(&ranges, missing, compute.at_once(self.images));
        let mut assembly = Assembly::default();
        workers::each(
            jobs.len(),
            compute.workers,
            |number| Ok(host_batch(self.images, &jobs[number].indices())?),
            |number, data| {
                let _occupied = is_cpu(compute.device).then(Occupied::begin);
                let indices = jobs[number].indices();
                let columns = work(Batch {
                    numbers: indices.iter().map(|&index| index as u64).collect(),
                    images: Tensor::from_data(data, compute.device),
                })?;
                self.check(&columns, indices.len());
                Ok(columns)
            },
            |number, columns| {
                task.advance(jobs[number].indices().len() as u64);
                assembly
                    .add(&jobs[number], columns, &ranges)
                    .into_iter()
                    .try_for_each(|(part, columns)| keep(part, columns))
            },
        )
    }

    fn check(&self, columns: &[Column], count: usize) {
        let kinds: Vec<Kind> = columns.iter().map(Column::kind).collect();
        let expected: Vec<Kind> = self.columns.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, expected, "columns of the sweep `{}`", self.name);
        for (column, (name, _)) in columns.iter().zip(self.columns) {
            assert_eq!(column.images(), Some(count), "images of `{name}`");
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
