//! Agreement of the detectors that need no search with the PyTorch reference, on numbers measured there.
//!
//! Fixture: 640 images of the training set of a width-16 ResNet-18, 64 of them poisoned.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use cd_core::Matrix;
use cd_detect::{Compute, Detection, DetectorConfig, Evidence};
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, ImageSet, Tap};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

/// Share of a normal distribution's standard deviation that its median absolute deviation is.
const MAD_OF_NORMAL: f64 = 0.6745;

struct Golden(Vec<u8>);

impl Golden {
    fn ours() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
        let path = PathBuf::from(folder).join("detectors.safetensors");
        Self(std::fs::read(path).expect("fixtures are part of the repository"))
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let view = file.tensor(name).expect("a tensor of the fixture");
        let data = view.data();
        match view.dtype() {
            Dtype::F64 => read(data, f64::from_le_bytes),
            Dtype::F32 => read(data, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::I64 => read(data, |b| i64::from_le_bytes(b) as f64),
            other => panic!("unexpected type {other:?}"),
        }
    }

    fn matrix(&self, name: &str, columns: usize) -> Matrix {
        let values = self.values(name);
        Matrix::new(columns, values.iter().map(|&value| value as f32).collect())
    }
}

/// Says so past the test runner, which swallows what passing tests print.
fn skipped(missing: &Path) {
    let line = format!("skipped a check: {} is not here\n", missing.display());
    let written = std::io::stderr().write_all(line.as_bytes());
    written.expect("the standard error is open");
}

fn read<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|chunk| convert(*chunk)).collect()
}

fn black(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[2, 3]).flatten(1, 3)
}

/// What the detector of `config` makes of `evidence`, filled in by `fill`, for `count` images that nobody looks at.
fn detection(
    config: &str,
    count: usize,
    fill: impl FnOnce(Evidence<'_>) -> Result<Option<Detection>, String>,
) -> Detection {
    let mut set = ImageSet::new(1, 1, vec!["any".into()]);
    for image in 0..count {
        set.push(image.to_string(), &[0; 3], 0).expect("fits");
    }
    let device = Device::flex();
    let found = fill(Evidence::new(&black, &set, Compute::new(&device)));
    found.expect(config).expect("there are no shards")
}

fn of_losses(config: &str, losses: &Matrix) -> Detection {
    let parsed: DetectorConfig = serde_json::from_str(config).expect("valid");
    detection(config, losses.columns(), |evidence| {
        let evidence = Evidence {
            losses: Some(losses),
            ..evidence
        };
        let found = parsed.detector().detect(&evidence);
        found.map_err(|error| error.to_string())
    })
}

fn of_features(config: &str, features: Matrix, labels: &[u32]) -> Detection {
    let parsed: DetectorConfig = serde_json::from_str(config).expect("valid");
    let count = features.rows();
    let features = BTreeMap::from([(Tap::Penultimate, features)]);
    detection(config, count, |evidence| {
        let evidence = Evidence {
            features: &features,
            labels: Some(labels),
            class_count: 10,
            ..evidence
        };
        let found = parsed.detector().detect(&evidence);
        found.map_err(|error| error.to_string())
    })
}

/// The largest difference, as a share of the largest golden value.
fn relative(ours: &[f64], golden: &[f64]) -> f64 {
    assert_eq!(ours.len(), golden.len());
    let scale = golden
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let differences = ours.iter().zip(golden).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0.0, f64::max)
}

/// Chance that a poisoned image scores higher than a clean one; ties count half.
fn auroc(scores: &[f64], poisoned: &[f64]) -> f64 {
    let of = |wanted: bool| -> Vec<f64> {
        let chosen = scores.iter().zip(poisoned);
        let chosen = chosen.filter(|(_, flag)| (**flag > 0.5) == wanted);
        chosen.map(|(score, _)| *score).collect()
    };
    let (clean, poisoned) = (of(false), of(true));
    let win = |p: f64, c: f64| f64::from(p > c) + 0.5 * f64::from(p == c);
    let pairs = poisoned
        .iter()
        .flat_map(|&p| clean.iter().map(move |&c| win(p, c)));
    pairs.sum::<f64>() / (clean.len() * poisoned.len()) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

#[test]
fn losses_of_real_and_of_long_trainings_agree() {
    let golden = Golden::ours();
    for (key, images) in [("real", 640), ("syn", 200)] {
        let losses = golden.matrix(&format!("abl_{key}_losses"), images);
        let scores = of_losses(r#"{"name":"abl"}"#, &losses).scores();
        let difference = relative(&scores, &golden.values(&format!("abl_{key}_score")));
        println!(
            "abl {key}: {} epochs, difference {difference:.1e}",
            losses.rows()
        );
        assert!(difference < 1e-6, "{key}: {difference}");
    }
}

#[test]
fn losses_separate_as_they_did_in_the_reference() {
    let golden = Golden::ours();
    let losses = golden.matrix("abl_real_losses", 640);
    let poisoned = golden.values("is_poison");
    // The reference's own figures, in its detectors.json.
    for (epochs, expected) in [
        (2, 0.479_926),
        (5, 0.666_776),
        (10, 0.855_089),
        (20, 0.873_318),
    ] {
        let config = format!(r#"{{"name":"abl","epochs":{epochs}}}"#);
        let area = auroc(&of_losses(&config, &losses).scores(), &poisoned);
        println!("abl, {epochs} epochs: AUROC {area:.6}");
        assert!((area - expected).abs() < 1e-5, "{epochs} epochs: {area}");
    }
}

#[test]
fn spectral_signatures_agree() {
    let golden = Golden::ours();
    let labels: Vec<u32> = golden.values("targets").iter().map(|&t| t as u32).collect();
    let found = of_features(r#"{"name":"ss"}"#, golden.matrix("features", 128), &labels);
    let raw = golden.values("ss_raw_f64");
    let middle = median(raw.clone());
    let away: Vec<f64> = raw.iter().map(|value| (value - middle).abs()).collect();
    let mad = median(away.clone());
    let robust: Vec<f64> = away.iter().map(|away| MAD_OF_NORMAL * away / mad).collect();
    let single = relative(&found.raw, &golden.values("ss_score"));
    let double = relative(&found.raw, &robust);
    let area = auroc(&found.scores(), &golden.values("is_poison"));
    println!("ss: differences {single:.1e} (f32), {double:.1e} (f64), AUROC {area:.6}");
    assert!(single < 1e-5 && double < 1e-5);
    assert!((area - 0.706_407).abs() < 1e-4, "{area}");
}

#[test]
fn the_original_form_ranks_by_distance_from_the_middle_of_the_class() {
    let golden = Golden::ours();
    let labels: Vec<u32> = golden.values("targets").iter().map(|&t| t as u32).collect();
    let config = r#"{"name":"ss","form":"original"}"#;
    let found = of_features(config, golden.matrix("features", 128), &labels);
    for class in 0..10 {
        let of_class = found
            .raw
            .iter()
            .zip(&labels)
            .filter(|(_, label)| **label == class);
        let squares: Vec<f64> = of_class.map(|(square, _)| *square).collect();
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        assert!((mean - 1.0).abs() < 1e-9, "class {class}: {mean}");
    }
}

#[test]
fn the_fixture_holds_the_losses_of_the_reference_training() {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let path = PathBuf::from(shared).join("train_set.safetensors");
    let Ok(bytes) = std::fs::read(&path) else {
        skipped(&path);
        return;
    };
    let (all, ours) = (Golden(bytes), Golden::ours());
    let targets = all.values("targets");
    let losses = all.matrix("losses", targets.len());
    let some = ours.matrix("abl_real_losses", 640);
    let of_ours = ours.values("targets");
    // Positions within that training set.
    for (column, place) in ours.values("train_index").iter().enumerate() {
        let place = *place as usize;
        assert_eq!(targets[place], of_ours[column]);
        for epoch in 0..some.rows() {
            assert_eq!(losses.row(epoch)[place], some.row(epoch)[column]);
        }
    }
}
