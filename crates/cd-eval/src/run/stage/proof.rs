//! Proof: the triggers of the classes whose images are flagged, recovered and tried on other images, before the verdict.

use std::collections::BTreeMap;
use std::path::Path;

use cd_core::Key;
use cd_detect::{Proof, Recovery};
use serde::{Deserialize, Serialize};

use super::Work;
use super::classifier::Trained;
use super::data::Data;
use super::decide::{Decided, finders, flagged_by_any};
use crate::experiment::SearchedImages;
use crate::pipeline::PipelineError;
use crate::recovery::{predictions, proven, shown};
use crate::store::StoreError;

const FILE: &str = "proof/proofs.json";

/// What is kept, with what it depends on: one folder holds one experiment, but detectors may be added to it.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    flagged: String,
    proofs: BTreeMap<u32, Proof>,
}

/// The proofs of the classes that a detector which finds classes flags images of. Only where nobody knows the answer: with truth the figures of the
/// evaluation say more, and tables do not pay for it.
pub(crate) fn proofs(
    work: &Work<'_>,
    data: &Data,
    trained: &Trained,
    decided: &[Decided],
) -> Result<BTreeMap<u32, Proof>, PipelineError> {
    if work.experiment.poison.is_some() || data.searched_images == SearchedImages::Test {
        return Ok(BTreeMap::new());
    }
    let flagged = flagged(work, data, decided)?;
    let key = Key::of("proof 2").with("flagged", &flagged).finish();
    if work.run.join(FILE).exists() {
        let stored: Stored = work.run.read_json(Path::new(FILE))?;
        if stored.flagged == key {
            return Ok(stored.proofs);
        }
    }
    let mut proofs = BTreeMap::new();
    if !flagged.is_empty() {
        let folder = work.run.join("proof");
        std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let set = data.poisoned.train();
        let labels = set.labels();
        let mut classes: Vec<u32> = flagged.iter().map(|&index| labels[index]).collect();
        classes.sort_unstable();
        classes.dedup();
        let predictions = predictions(work, data, trained)?;
        let settings = Recovery::default();
        for class in classes {
            let found = proven(
                work,
                data,
                trained,
                &predictions,
                class,
                &flagged,
                &settings,
            )?;
            if let Some(found) = found {
                let name = format!("proof/trigger-{class}.png");
                proofs.insert(
                    class,
                    shown(&found, set, settings.seed, work.run.path(), name)?,
                );
            }
        }
        let stored = Stored {
            flagged: key,
            proofs: proofs.clone(),
        };
        work.run.write_json(Path::new(FILE), &stored)?;
    }
    Ok(proofs)
}

/// Positions among the training images of what is flagged by a detector that finds classes.
fn flagged(work: &Work<'_>, data: &Data, decided: &[Decided]) -> Result<Vec<usize>, PipelineError> {
    let flags = flagged_by_any(&finders(work, decided), data)?;
    let positions = flags.iter().zip(&data.positions);
    Ok(positions
        .filter(|(flag, _)| **flag)
        .map(|(_, &position)| position)
        .collect())
}
