//! What classes are taken apart in: penultimate features, and how rare the values are that enter each BatchNorm.

use std::borrow::Cow;

use cd_core::Matrix;
use cd_models::Tap;

use crate::detector::bn_density::densities;
use crate::detector::members::in_folder;
use crate::error::DetectError;
use crate::evidence::{Clean, Evidence};

/// One description of every image, a row each.
pub(super) struct View<'a> {
    /// Where it is from, in words.
    pub(super) name: &'static str,
    pub(super) images: Cow<'a, Matrix>,
    /// The same of the trusted images, where there are some.
    pub(super) trusted: Option<Cow<'a, Matrix>>,
}

/// The penultimate features.
pub(super) fn features<'a>(evidence: &Evidence<'a>) -> Result<View<'a>, DetectError> {
    let images = evidence.features(Tap::Penultimate)?;
    let trusted = trusted(evidence).map(|clean| clean.features(Tap::Penultimate));
    Ok(View {
        name: "in the features",
        images: Cow::Borrowed(images),
        trusted: trusted.transpose()?.map(Cow::Borrowed),
    })
}

/// Rarities at the BatchNorms, about in standard deviations, with the plain densities of the images; `None` when parts of other shards
/// are missing.
pub(super) fn rarities(
    name: &'static str,
    evidence: &Evidence<'_>,
) -> Result<Option<(View<'static>, Matrix)>, DetectError> {
    let of_images = in_folder(evidence, "images", |evidence| densities(name, evidence))?;
    let of_trusted = match trusted(evidence) {
        None => None,
        Some(clean) => {
            let evidence = Evidence {
                images: clean.images,
                ..*evidence
            };
            match in_folder(&evidence, "trusted", |evidence| densities(name, evidence))? {
                None => return Ok(None),
                found => found,
            }
        }
    };
    let Some(of_images) = of_images else {
        return Ok(None);
    };
    let most: Vec<f32> = (0..of_images.columns())
        .map(|column| {
            let values = (0..of_images.rows()).map(|row| of_images.row(row)[column]);
            values.fold(f32::NEG_INFINITY, f32::max)
        })
        .collect();
    let scaled = |densities: &Matrix| {
        let values = densities.values().chunks_exact(most.len()).flat_map(|row| {
            // A density falls with the square of the distance.
            row.iter()
                .zip(&most)
                .map(|(value, most)| (most - value).max(0.0).sqrt())
        });
        Cow::Owned(Matrix::new(most.len(), values.collect()))
    };
    let view = View {
        name: "at the BatchNorms",
        images: scaled(&of_images),
        trusted: of_trusted.as_ref().map(scaled),
    };
    Ok(Some((view, of_images)))
}

/// The trusted images, where there are some.
pub(super) fn trusted<'a>(evidence: &Evidence<'a>) -> Option<Clean<'a>> {
    evidence.clean.filter(|clean| !clean.images.is_empty())
}
