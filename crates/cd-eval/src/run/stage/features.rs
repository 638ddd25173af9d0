//! Features and logits of images, for all detectors that ask for them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use cd_core::{Key, Matrix};
use cd_detect::{Needs, extract};
use cd_models::{Classifier, Predictions, Tap};

use super::Work;
use super::classifier::Trained;
use super::data::Keyed;
use crate::pipeline::PipelineError;
use crate::store::StageName;

/// What the classifier makes of a set.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) features: BTreeMap<Tap, Matrix>,
    pub(super) predictions: Option<Predictions>,
}

/// What `needs` want of `images`, computed once and read back later; `None` when parts of other shards are missing.
pub(super) fn seen(
    work: &Work<'_>,
    trained: &Trained,
    images: &Keyed,
    needs: &Needs,
) -> Result<Option<Seen>, PipelineError> {
    let mut seen = Seen::default();
    let mut complete = true;
    let taps = needs.features.iter().map(|&tap| Some(tap));
    let logits = needs.predictions.then_some(None);
    for tap in taps.chain(logits) {
        match extracted(work, &trained.model, &trained.key, images, tap, None)? {
            Some(one) => {
                seen.features.extend(one.features);
                seen.predictions = one.predictions.or(seen.predictions);
            }
            None => complete = false,
        }
    }
    Ok(complete.then_some(seen))
}

/// Features at `tap` of the classifier whose key is `key`, or logits; each is a stage of its own, so asking for one more
/// computes that one alone. `side` is that at which the classifier sees the images, where that is not their own.
pub(super) fn extracted(
    work: &Work<'_>,
    classifier: &dyn Classifier,
    key: &str,
    images: &Keyed,
    tap: Option<Tap>,
    side: Option<usize>,
) -> Result<Option<Seen>, PipelineError> {
    let [height, width] = match side {
        Some(side) => [side, side],
        None => [images.set.height(), images.set.width()],
    };
    let name = tap.map_or("logits".to_owned(), |tap| tap.to_string());
    let key = Key::of("features 1")
        .text("classifier", key)
        .text("images", &images.key)
        .text("values", &name)
        .text("device", work.options.device_name)
        .finish();
    // One name for each, as a run may stand on several.
    let digits = work.store.slot(StageName::Features, &key);
    let slot = work.slot(
        &format!("features/{}", digits.key()),
        StageName::Features,
        &key,
    )?;
    let read = |folder: &Path| -> Result<Option<Seen>, PipelineError> {
        let taps: Vec<Tap> = tap.into_iter().collect();
        let compute = work.compute(folder, slot.key());
        let compute = compute.with_batches_for(height, width);
        let found = extract(
            classifier,
            (&images.set).into(),
            &taps,
            tap.is_none(),
            &compute,
        )?;
        Ok(found.map(|found| Seen {
            features: found.features,
            predictions: found.predictions,
        }))
    };
    let what = format!("{name} of {} images", images.set.len());
    // The parts stay where they are and are what is read back.
    let fresh = Cell::new(None);
    let keep = |_: &Path, seen| {
        fresh.set(Some(seen));
        Ok(())
    };
    if !work.share(&slot, &what, read, keep)? {
        return Ok(None);
    }
    match fresh.take() {
        Some(seen) => Ok(Some(seen)),
        None => read(&slot.folder()),
    }
}
