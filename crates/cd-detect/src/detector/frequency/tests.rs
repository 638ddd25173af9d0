use cd_models::{Device, NamedTensor, StateDict};

use super::*;
use crate::compute::Compute;
use crate::detector::golden::{Golden, relative};
use crate::evidence::Clean;

#[test]
fn spectra_and_the_reference_network_agree() {
    let (Some(reference), Some(weights)) =
        (Golden::shared("detectors"), Golden::shared("freq_detector"))
    else {
        return;
    };
    let images = reference.images("images_u8", &[0; 640]);
    let transform = Cosine::new(32, 32);
    let mut spectra = Vec::new();
    for image in 0..16 {
        spectra.extend(transform.of(&images.pixels(image).expect("in memory")));
    }
    let ours: Vec<f64> = spectra.iter().map(|&value| f64::from(value)).collect();
    let difference = relative(&ours, &reference.values("freq_dct_f64"));
    assert!(difference < 1e-6, "{difference:e}");
    let device = Device::flex();
    let mut state = StateDict::default();
    let mut insert = |ours: String, theirs: &str, shape: &[usize]| {
        let values = weights.values(theirs).into_iter();
        let tensor = NamedTensor {
            shape: shape.to_vec(),
            values: values.map(|value| value as f32).collect(),
        };
        state.insert(ours, tensor);
    };
    let mut entry = 3;
    for number in 0..6 {
        let out = [32, 64, 128][number / 2];
        let theirs = format!("block{}.{}.out_conv", number / 2 + 1, number % 2);
        let kernel = [out, entry, 3, 3];
        for (part, kind, shape) in [
            ("conv.conv", "0.weight", &kernel[..]),
            ("conv.conv", "0.bias", &[out]),
            ("norm", "2.weight", &[out]),
            ("norm", "2.bias", &[out]),
            ("norm", "2.running_mean", &[out]),
            ("norm", "2.running_var", &[out]),
        ] {
            let ours = format!("layers.{number}.{part}.{}", &kind[2..]);
            insert(ours, &format!("{theirs}.{kind}"), shape);
        }
        entry = out;
    }
    insert("head.weight".to_owned(), "fc.weight", &[2, 2048]);
    insert("head.bias".to_owned(), "fc.bias", &[2]);
    let network = Network::new([32, 32], 0, &device);
    let network = state.apply_to(network, "spectra").expect("its parameters");
    let spectra = Tensor::from_data(TensorData::new(spectra, [16, 3, 32, 32]), &device);
    let logits: Vec<f64> = to_host(network.forward(spectra))
        .iter()
        .map(|&v| f64::from(v))
        .collect();
    let difference = relative(&logits, &reference.values("freq_logits_f64"));
    assert!(difference < 1e-4, "{difference:e}");
}

#[test]
fn training_tells_clean_pictures_from_corrupted_ones() {
    let Some(set) = Golden::shared("train_set") else {
        return;
    };
    let device = Device::flex();
    let pictures = set.images("test_images_u8", &set.labels("test_labels"));
    let (learned, held) = (0..200, 200..260);
    let learned = pictures.subset(&learned.collect::<Vec<_>>());
    let held = pictures.subset(&held.collect::<Vec<_>>());
    let evidence = Evidence {
        clean: Some(Clean::new(&learned)),
        ..Evidence::new(&crate::testing::black, &held, Compute::new(&device))
    };
    let method = Frequency {
        rounds: 2,
        passes: 3,
        seed: 0,
    };
    let network = method
        .trained(&evidence, Clean::new(&learned).images)
        .expect("readable");
    let transform = Cosine::new(32, 32);
    let judge = |pixels: &[u8]| {
        let spectrum = TensorData::new(transform.of(pixels), [1, 3, 32, 32]);
        let logits = to_host(network.forward(Tensor::from_data(spectrum, &device)));
        softmax(&logits)[1]
    };
    let (mut wins, mut pairs) = (0.0, 0.0);
    let held = Clean::new(&held).images;
    let clean: Vec<f64> = (0..60)
        .map(|i| judge(&held.get(i).expect("in memory")))
        .collect();
    for image in 0..60 {
        let corrupted = judge(&corrupted(held, image, 7, 0).expect("in memory"));
        for &clean in &clean {
            wins += f64::from(u8::from(corrupted > clean))
                + 0.5 * f64::from(u8::from(corrupted == clean));
            pairs += 1.0;
        }
    }
    assert!(wins / pairs > 0.7, "{}", wins / pairs);
}
