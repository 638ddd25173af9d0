//! The stages of a run, one file each: what a stage depends on, and the work itself.

mod agreement;
pub(crate) mod canary;
pub(crate) mod classifier;
mod counting;
pub(crate) mod data;
pub(crate) mod decide;
pub(crate) mod detect;
pub(crate) mod evaluate;
pub(crate) mod features;
mod left_out;
pub(crate) mod look;
pub(crate) mod masks;
pub(crate) mod numbers;
pub(crate) mod poison;
pub(crate) mod proof;
pub(crate) mod reference;
pub(crate) mod report;
mod report_texts;
mod report_verdict;
mod sample;
mod shared;
pub(crate) mod train;
mod trusted;
pub(crate) mod verdict;

use std::path::Path;
use std::time::Instant;

use cd_detect::{Compute, Shard, Store as Parts};

use counting::Counting;

use super::pipeline::{PipelineError, RunOptions};
use super::run_dir::{RunDir, RunDirError};
use super::store::{Slot, StageName, Store};
use crate::evaluation::{Evaluation, SCHEMA_VERSION};
use crate::experiment::Experiment;

/// What every stage works with.
pub(crate) struct Work<'a> {
    /// With the experiment's seed in every part.
    pub(crate) experiment: &'a Experiment,
    pub(crate) run: &'a RunDir,
    pub(crate) store: &'a Store,
    pub(crate) options: &'a RunOptions<'a>,
    /// The progress of `options`, which also counts.
    counting: Counting<'a>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        experiment: &'a Experiment,
        run: &'a RunDir,
        store: &'a Store,
        options: &'a RunOptions<'a>,
    ) -> Self {
        Self {
            experiment,
            run,
            store,
            options,
            counting: Counting::new(options.progress),
        }
    }

    /// The slot of `stage` under `key`, noted as the stage `name` of this run.
    pub(crate) fn slot(
        &self,
        name: &str,
        stage: StageName,
        key: &str,
    ) -> Result<Slot, PipelineError> {
        let slot = self.store.slot(stage, key);
        if self.run.refer(name, &slot)? && slot.is_done() {
            // `gc` may be about to remove it and holds its lock meanwhile. A store that cannot be locked cannot be collected.
            drop(slot.lock(self.options.progress));
        }
        Ok(slot)
    }

    /// How to compute over a set, with partial results in `folder`.
    fn compute<'b>(&'b self, folder: &'b Path, fingerprint: &'b str) -> Compute<'b> {
        Compute {
            device: self.options.device,
            batch_size: self.experiment.detect.batch_size,
            workers: self.options.workers,
            shard: self.options.shard,
            store: Some(Parts {
                folder,
                fingerprint,
            }),
            progress: &self.counting,
        }
    }

    /// Fills `slot` together with the other shards: `compute` does this shard's part and gives the whole once every part is
    /// there, which `keep` writes. `false` when parts of other shards are missing.
    fn share<T>(
        &self,
        slot: &Slot,
        what: &str,
        compute: impl Fn(&Path) -> Result<Option<T>, PipelineError>,
        keep: impl Fn(&Path, T) -> Result<(), PipelineError>,
    ) -> Result<bool, PipelineError> {
        if slot.is_done() {
            return Ok(true);
        }
        // The only process keeps others out while it computes; shards work side by side and take turns at the end.
        let alone = self.options.shard == Shard::WHOLE;
        let early = alone
            .then(|| slot.lock(self.options.progress))
            .transpose()?;
        if slot.is_done() {
            return Ok(true);
        }
        let (started, before) = (Instant::now(), self.counting.images());
        let folder = slot.make()?;
        // The shard that came last may have ended meanwhile and taken the parts away.
        let whole = match compute(&folder) {
            Ok(Some(whole)) => whole,
            Err(error) if !slot.is_done() => return Err(error),
            _ => return Ok(slot.is_done()),
        };
        let _lock = match early {
            Some(lock) => lock,
            None => slot.lock(self.options.progress)?,
        };
        if !slot.is_done() {
            keep(&folder, whole)?;
            let images = self.counting.images() - before;
            slot.seal(what, started, Some(images))?;
        }
        Ok(true)
    }
}

/// Fails when what a run was begun with is not what it has now: results of both must not stand side by side.
fn unchanged(
    run: &RunDir,
    stored: Option<&String>,
    now: &str,
    what: &str,
) -> Result<(), PipelineError> {
    if stored.is_none_or(|stored| stored == now) {
        return Ok(());
    }
    Err(PipelineError::Missing(format!(
        "{}: {what} have changed since this run; choose another folder, or delete this one to start again",
        run.path().display()
    )))
}

/// `evaluate/metrics.json` of a complete run.
pub(crate) fn stored_evaluation(run: &RunDir) -> Result<Evaluation, PipelineError> {
    let file = Path::new("evaluate/metrics.json");
    let evaluation: Evaluation = run.read_json(file)?;
    if evaluation.schema_version == SCHEMA_VERSION {
        return Ok(evaluation);
    }
    Err(RunDirError::Damaged {
        path: run.join(file),
        reason: format!(
            "version {} is not supported, only {SCHEMA_VERSION}",
            evaluation.schema_version
        ),
    }
    .into())
}
