use std::sync::atomic::{AtomicUsize, Ordering};

use cd_core::ImageSet;
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, TapError};

use super::*;
use crate::compute::{Shard, Store};

/// Its features are the pixels, its logits their means by colour; counts the images that it was asked about.
#[derive(Default)]
struct Counting {
    features: AtomicUsize,
    logits: AtomicUsize,
}

impl Classifier for Counting {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits.fetch_add(images.dims()[0], Ordering::Relaxed);
        images.mean_dims(&[2, 3]).flatten(1, 3)
    }

    fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        self.features.fetch_add(images.dims()[0], Ordering::Relaxed);
        match tap {
            Tap::Stage(1) => Ok(images),
            Tap::Deep => Ok(images.log()),
            _ => Err(TapError::Missing {
                tap,
                available: self.taps(),
            }),
        }
    }

    fn taps(&self) -> Vec<Tap> {
        vec![Tap::Stage(1), Tap::Deep]
    }
}

fn images() -> ImageSet {
    let mut set = ImageSet::new(1, 2, vec!["only".into()]);
    for image in 0..100_u8 {
        let pushed = set.push(image.to_string(), &[image, 51, 0, 102, 255, 0], 0);
        pushed.expect("fits");
    }
    set
}

#[test]
fn rows_are_flat_maps_and_logits_in_the_order_of_the_set() {
    let (set, device) = (images(), Device::flex());
    let (model, compute) = (Counting::default(), Compute::new(&device));
    let taps = [Tap::Stage(1)];
    let found = extract(&model, (&set).into(), &taps, true, &compute).expect("finite");
    let found = found.expect("there are no shards");
    let features = &found.features[&Tap::Stage(1)];
    assert_eq!((features.rows(), features.columns()), (100, 6));
    let third = features.row(3).iter().map(|value| value * 255.0);
    let third: Vec<f32> = third.map(f32::round).collect();
    assert_eq!(third, [3.0, 102.0, 51.0, 255.0, 0.0, 0.0]);
    let predictions = found.predictions.expect("asked for");
    assert_eq!((predictions.len(), predictions.classes()), (100, 3));
    assert_eq!(predictions.class(99), 1);
    let nothing = extract(&model, (&set).into(), &[], false, &compute).expect("no work");
    assert_eq!(nothing, Some(Extracted::default()));
}

#[test]
fn what_is_stored_is_not_computed_again_when_more_is_asked_for() {
    let (set, device) = (images(), Device::flex());
    let folder = tempfile::tempdir().expect("temporary folder");
    let model = Counting::default();
    let read = |index, count, predictions| {
        let compute = Compute {
            shard: Shard { index, count },
            store: Some(Store {
                folder: folder.path(),
                fingerprint: "these",
            }),
            ..Compute::new(&device)
        };
        let taps = [Tap::Stage(1)];
        extract(&model, (&set).into(), &taps, predictions, &compute).expect("finite")
    };
    assert_eq!(read(1, 2, false), None);
    let features = read(0, 2, false).expect("both shards are there");
    let more = read(0, 1, true).expect("whole");
    assert_eq!(more.features, features.features);
    assert_eq!(model.features.into_inner(), 100);
    assert_eq!(model.logits.into_inner(), 100);
}

#[test]
fn missing_taps_and_numbers_that_are_none_are_errors() {
    let (set, device) = (images(), Device::flex());
    let (model, compute) = (Counting::default(), Compute::new(&device));
    let read = |tap| {
        let read = extract(&model, (&set).into(), &[tap], false, &compute);
        read.expect_err("refused").to_string()
    };
    assert!(read(Tap::Penultimate).contains("`penultimate`"));
    assert!(read(Tap::Deep).contains("image 0"), "{}", read(Tap::Deep));
}
