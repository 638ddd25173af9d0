//! Weights that everybody has, against logits that PyTorch gave for the same pictures.
//!
//! The weights are not part of the repository. `CD_PUBLISHED_WEIGHTS` names their file and `CD_PUBLISHED_LOGITS` a safetensors
//! file with `images` `[N, 3, H, W]` in `[0, 1]`, `logits` `[N, K]` (both f32) and `labels` `[N]` (i64), as
//! `benches/peer/published.py` writes it. Without them there is nothing to compare, and the test says so.

use std::path::PathBuf;

use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, device, load_weights, to_host};
use safetensors::SafeTensors;

/// Largest difference of a logit.
const TOLERANCE: f32 = 1e-4;

/// Pictures at a time.
const BATCH: usize = 20;

fn file(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = file.tensor(name).expect("as the script writes it");
    let (values, _) = view.data().as_chunks();
    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
    (view.shape().to_vec(), values.collect())
}

fn largest(scores: &[f32]) -> usize {
    let places = 0..scores.len();
    let best = places.max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    best.expect("there are classes")
}

#[test]
fn published_weights_answer_as_in_pytorch() {
    let files = file("CD_PUBLISHED_WEIGHTS").zip(file("CD_PUBLISHED_LOGITS"));
    let Some((weights, reference)) = files else {
        println!("skipped: CD_PUBLISHED_WEIGHTS and CD_PUBLISHED_LOGITS name no files");
        return;
    };
    let device = device::parse("cpu").expect("compiled in");
    let model = load_weights(&weights, &device).expect("weights of a registered architecture");
    let bytes = std::fs::read(reference).expect("the file of the script");
    let reference = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let (shape, images) = floats(&reference, "images");
    let (_, expected) = floats(&reference, "logits");
    let labels = reference.tensor("labels").expect("one for each image");
    let (labels, _) = labels.data().as_chunks();
    let labels: Vec<usize> = labels
        .iter()
        .map(|label| i64::from_le_bytes(*label) as usize)
        .collect();

    let own: usize = shape[1..].iter().product();
    let mut ours = Vec::new();
    for images in images.chunks(BATCH * own) {
        let shape = [images.len() / own, shape[1], shape[2], shape[3]];
        let images = Tensor::from_data(TensorData::new(images.to_vec(), shape), &device);
        ours.extend(to_host(model.logits(images)));
    }
    assert_eq!(ours.len(), expected.len());
    let pairs = ours.iter().zip(&expected);
    let difference = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    let right = |logits: &[f32]| {
        let answers = logits.chunks(model.classes()).map(largest);
        answers
            .zip(&labels)
            .filter(|(answer, label)| answer == *label)
            .count()
    };
    println!(
        "{} of {} pictures: largest difference {difference:.1e}; right {} here, {} in PyTorch",
        model.architecture().title,
        labels.len(),
        right(&ours),
        right(&expected),
    );
    assert!(difference <= TOLERANCE, "{difference:e}");
    assert_eq!(right(&ours), right(&expected));
}
