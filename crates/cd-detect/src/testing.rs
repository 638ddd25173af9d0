//! Evidence for the tests of detectors.

use std::collections::BTreeMap;

use cd_core::{ImageSet, Matrix};
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, Tap};

use crate::compute::Compute;
use crate::detection::Detection;
use crate::detector::golden::Golden;
use crate::error::DetectError;
use crate::evidence::{Clean, Evidence};

/// Classifies nothing: for detectors that do not ask it.
pub(crate) fn black(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[2, 3]).flatten(1, 3)
}

/// `count` images that nobody looks at.
pub(crate) fn blank(count: usize) -> ImageSet {
    let mut set = ImageSet::new(1, 1, vec!["any".into()]);
    for image in 0..count {
        set.push(image.to_string(), &[0; 3], 0).expect("fits");
    }
    set
}

type Found = Result<Option<Detection>, DetectError>;

/// What `detect` makes of the features and labels of the 640 golden images.
pub(crate) fn of_features(
    golden: &Golden,
    detect: impl FnOnce(Evidence<'_>) -> Found,
) -> Detection {
    with_clean(golden, None, detect)
}

/// The same with features and labels of clean images.
pub(crate) fn with_clean(
    golden: &Golden,
    clean: Option<(Matrix, &[u32])>,
    detect: impl FnOnce(Evidence<'_>) -> Found,
) -> Detection {
    let labels = golden.labels("targets");
    let features = BTreeMap::from([(Tap::Penultimate, golden.matrix("features", 128))]);
    let (images, device) = (blank(640), Device::flex());
    let trusted = blank(clean.as_ref().map_or(0, |(matrix, _)| matrix.rows()));
    let clean_labels = clean.as_ref().map(|(_, labels)| *labels);
    let of_clean = clean.map(|(matrix, _)| matrix);
    let of_clean = BTreeMap::from([(Tap::Penultimate, of_clean.unwrap_or_default())]);
    let evidence = Evidence {
        labels: Some(&labels),
        class_count: 10,
        features: &features,
        clean: clean_labels.map(|labels| Clean {
            labels: Some(labels),
            features: &of_clean,
            ..Clean::new(&trusted)
        }),
        ..Evidence::new(&black, &images, Compute::new(&device))
    };
    let found = detect(evidence);
    found
        .expect("its needs are met")
        .expect("there are no shards")
}
