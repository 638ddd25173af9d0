//! Features and logits of every image of a set.

use std::collections::BTreeMap;

use cd_core::{Matrix, Pixels};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, Predictions, Tap, to_host};

use crate::compute::Compute;
use crate::error::DetectError;
use crate::sweep::{Column, Kind, Sweep};

const VALUES: &str = "values";

/// What a classifier makes of a set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extracted {
    /// Features by tap, one row per image: `[F]` at the penultimate tap, `[F * h * w]` at the others.
    pub features: BTreeMap<Tap, Matrix>,
    /// Logits, where they were asked for.
    pub predictions: Option<Predictions>,
}

/// Features of all images at `taps`, and their logits with `predictions`; `None` when parts of other shards are missing.
///
/// Every tap is a [`Sweep`] of its own, so what lies in the store is not computed again when another tap is asked for later.
///
/// # Errors
///
/// When the model lacks a tap or gives what is not finite, or a sweep fails.
pub fn extract(
    model: &dyn Classifier,
    images: Pixels<'_>,
    taps: &[Tap],
    predictions: bool,
    compute: &Compute<'_>,
) -> Result<Option<Extracted>, DetectError> {
    let mut extracted = Extracted::default();
    let mut complete = true;
    for &tap in taps {
        let read = |images| Ok(model.features(images, tap)?.flatten(1, 3));
        match swept(&tap.to_string(), images, compute, read)? {
            Some(features) => {
                extracted.features.insert(tap, features);
            }
            None => complete = false,
        }
    }
    if predictions {
        match swept("logits", images, compute, |images| Ok(model.logits(images)))? {
            Some(logits) => {
                let (classes, values) = (logits.columns(), logits.values().to_vec());
                extracted.predictions = Some(Predictions::new(classes, values));
            }
            None => complete = false,
        }
    }
    Ok(complete.then_some(extracted))
}

/// What `read` makes of every image.
fn swept(
    name: &str,
    images: Pixels<'_>,
    compute: &Compute<'_>,
    read: impl Fn(Tensor<4>) -> Result<Tensor<2>, DetectError> + Sync,
) -> Result<Option<Matrix>, DetectError> {
    let sweep = Sweep {
        name,
        task: &format!("reading {name}"),
        settings: "",
        images,
        columns: &[(VALUES, Kind::Vectors)],
    };
    let swept = sweep.run(compute, |batch| {
        let values = read(batch.images)?;
        let width = values.dims()[1];
        let values = to_host(values);
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(DetectError::ModelOutput {
                index: batch.numbers[at / width],
            }),
            None => Ok(vec![Column::Vectors { width, values }]),
        }
    })?;
    Ok(swept.map(|mut swept| swept.vectors(VALUES)))
}

#[cfg(all(test, feature = "flex"))]
mod tests;
