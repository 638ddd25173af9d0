//! Evidence for the tests of detectors.

use std::collections::BTreeMap;

use cd_core::random::{named, stream};
use cd_core::{ImageSet, Matrix};
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, Tap};
use rand::Rng;

use crate::compute::Compute;
use crate::detection::Detection;
use crate::detector::Detector;
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

/// Classes of pictures of hills.
const HILLS: usize = 4;

/// Pictures of smooth random hills with some noise, `count` of each class; `change` puts something into a picture of class 0.
pub(crate) fn hills(side: usize, count: usize, change: impl Fn(usize, &mut [u8])) -> ImageSet {
    let names = (0..HILLS).map(|class| class.to_string()).collect();
    let mut set = ImageSet::new(side, side, names);
    for image in 0..count * HILLS {
        let mut random = stream(image as u64, named("hills"));
        let hills: Vec<[f64; 4]> = (0..5)
            .map(|_| {
                [
                    random.random_range(0.0..side as f64),
                    random.random_range(0.0..side as f64),
                    random.random_range(2.0..9.0),
                    random.random_range(-90.0..90.0),
                ]
            })
            .collect();
        let mut pixels = vec![0; side * side * 3];
        for (at, value) in pixels.iter_mut().enumerate() {
            let (y, x) = ((at / 3 / side) as f64, (at / 3 % side) as f64);
            let height: f64 = hills
                .iter()
                .map(|[top, left, wide, tall]| {
                    let square = (y - top).powi(2) + (x - left).powi(2);
                    tall * (-square / (2.0 * wide * wide)).exp()
                })
                .sum();
            *value = (128.0 + height + random.random_range(-8.0..8.0)).clamp(0.0, 255.0) as u8;
        }
        if image % HILLS == 0 {
            change(image / HILLS, &mut pixels);
        }
        set.push(image.to_string(), &pixels, (image % HILLS) as u32)
            .expect("fits");
    }
    set
}

/// Which images of class 0 are flagged, by their number in the class, and how many of all others.
pub(crate) fn flagged(detector: &dyn Detector, set: &ImageSet) -> (Vec<usize>, usize) {
    let device = Device::flex();
    let evidence = Evidence {
        labels: Some(set.labels()),
        class_count: HILLS,
        ..Evidence::new(&black, set, Compute::new(&device))
    };
    let found = detector.detect(&evidence);
    let found = found.expect("has labels").expect("there are no shards");
    let own = found.own.expect("it has a rule").flagged;
    let flags: Vec<usize> = (0..set.len()).filter(|&image| own[image]).collect();
    let (first, others): (Vec<usize>, Vec<usize>) =
        flags.into_iter().partition(|image| image % HILLS == 0);
    let first = first.into_iter().map(|image| image / HILLS).collect();
    (first, others.len())
}
