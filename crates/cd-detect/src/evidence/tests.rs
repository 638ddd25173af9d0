use cd_core::ImageSet;
use cd_models::Device;
use cd_models::burn::tensor::Tensor;

use super::*;

fn mean_colour(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[2, 3]).flatten(1, 3)
}

fn two_images() -> ImageSet {
    let mut set = ImageSet::new(1, 1, vec!["a".into(), "b".into()]);
    for name in ["x", "y"] {
        set.push(name.into(), &[7; 3], 0).expect("fits");
    }
    set
}

#[test]
fn what_is_absent_is_named() {
    let (set, device) = (two_images(), Device::flex());
    let evidence = Evidence::new(&mean_colour, &set, Compute::new(&device));
    let clean = Clean::new(&set);
    let absent = [
        (evidence.labels().err(), "class of every image"),
        (evidence.predictions().err(), "predictions"),
        (evidence.features(Tap::Deep).err(), "features at `deep`"),
        (evidence.losses().err(), "losses of training"),
        (evidence.clean().err(), "trusted clean images"),
        (evidence.trainable().err(), "may be trained on"),
        (clean.labels(2).err(), "class of every image"),
        (clean.predictions().err(), "predictions"),
        (clean.features(Tap::Deep).err(), "features at `deep`"),
    ];
    for (error, words) in absent {
        let error = error.expect(words).to_string();
        assert!(
            error.contains(words) && error.contains("`needs`"),
            "{error}"
        );
    }
}

#[test]
fn what_does_not_fit_the_images_is_refused() {
    let (set, device) = (two_images(), Device::flex());
    let features = BTreeMap::from([
        (Tap::Deep, Matrix::new(1, vec![0.0; 3])),
        (
            Tap::Penultimate,
            Matrix::new(2, vec![0.0, 1.0, 2.0, f32::NAN]),
        ),
    ]);
    let (few, diverged) = (
        Matrix::new(3, vec![0.0; 6]),
        Matrix::new(2, vec![0.0, 1.0, f32::INFINITY, 1.0]),
    );
    let evidence = Evidence {
        labels: Some(&[0, 2]),
        class_count: 2,
        predictions: Some(&Predictions::new(2, vec![0.0; 2])),
        features: &features,
        losses: Some(&few),
        ..Evidence::new(&mean_colour, &set, Compute::new(&device))
    };
    let of_diverged = Evidence {
        losses: Some(&diverged),
        labels: Some(&[0]),
        ..evidence
    };
    let wrong = [
        (evidence.labels().err(), "image 1 has class 2"),
        (evidence.predictions().err(), "1 images, expected 2"),
        (evidence.features(Tap::Deep).err(), "3 images, expected 2"),
        (evidence.features(Tap::Penultimate).err(), "of image 1"),
        (evidence.losses().err(), "3 images, expected 2"),
        (of_diverged.losses().err(), "of image 0"),
        (of_diverged.labels().err(), "1 images, expected 2"),
    ];
    for (error, words) in wrong {
        let error = error.expect(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}
