use cd_models::Device;
use cd_models::burn::module::{Param, RunningState};

use super::*;
use crate::compute::Compute;
use crate::detector::golden::{Golden, relative};
use crate::evidence::Clean;

fn tensor<const D: usize>(golden: &Golden, name: &str, dims: [usize; D]) -> Tensor<D> {
    let values: Vec<f32> = golden.values(name).into_iter().map(|v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, dims), &Device::flex())
}

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
    let mut network = Network::new(32, 32, &device);
    let mut entry = 3;
    for (number, layer) in network.layers.iter_mut().enumerate() {
        let out = [32, 64, 128][number / 2];
        let part = |kind: &str| format!("block{}.{}.out_conv.{kind}", number / 2 + 1, number % 2);
        let vector = |kind: &str| tensor(&weights, &part(kind), [out]);
        let kernel = tensor(&weights, &part("0.weight"), [out, entry, 3, 3]);
        layer.conv.weight = Param::from_tensor(kernel);
        layer.conv.bias = Some(Param::from_tensor(vector("0.bias")));
        layer.norm.gamma = Param::from_tensor(vector("2.weight"));
        layer.norm.beta = Param::from_tensor(vector("2.bias"));
        layer.norm.running_mean = RunningState::new(vector("2.running_mean"));
        layer.norm.running_var = RunningState::new(vector("2.running_var"));
        entry = out;
    }
    let head = tensor::<2>(&weights, "fc.weight", [2, 2048]).transpose();
    network.head.weight = Param::from_tensor(head);
    network.head.bias = Some(Param::from_tensor(tensor(&weights, "fc.bias", [2])));
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
