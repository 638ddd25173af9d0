//! Numbers of the PyTorch reference for the tests of detectors: those of the repository, and the larger ones beside it.

use std::io::Write;
use std::path::{Path, PathBuf};

use cd_core::{ImageSet, Matrix};
use cd_models::{Device, Model, load_weights};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

pub(crate) struct Golden(Vec<u8>);

impl Golden {
    /// `NAME.safetensors` of the repository.
    pub(crate) fn ours(name: &str) -> Self {
        let path = repository(&format!("{name}.safetensors"));
        Self(std::fs::read(path).expect("fixtures are part of the repository"))
    }

    /// `NAME.safetensors` of the folder `shared/golden` beside the repository or above it; says so where it is absent.
    pub(crate) fn shared(name: &str) -> Option<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let places = own.ancestors().map(|folder| {
            let golden = folder.join("shared").join("golden");
            golden.join(format!("{name}.safetensors"))
        });
        if let Some(bytes) = places.into_iter().find_map(|path| std::fs::read(path).ok()) {
            return Some(Self(bytes));
        }
        // Past the test runner, which swallows what passing tests print.
        let line = format!("skipped a check: shared/golden/{name}.safetensors is not here\n");
        let written = std::io::stderr().write_all(line.as_bytes());
        written.expect("the standard error is open");
        None
    }

    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let view = file.tensor(name).expect("a tensor of the fixture");
        let data = view.data();
        match view.dtype() {
            Dtype::F64 => read(data, f64::from_le_bytes),
            Dtype::F32 => read(data, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::I64 => read(data, |b| i64::from_le_bytes(b) as f64),
            Dtype::I32 => read(data, |b| f64::from(i32::from_le_bytes(b))),
            Dtype::I16 => read(data, |b| f64::from(i16::from_le_bytes(b))),
            Dtype::I8 => read(data, |b| f64::from(i8::from_le_bytes(b))),
            Dtype::U8 => read(data, |[b]: [u8; 1]| f64::from(b)),
            other => panic!("unexpected type {other:?}"),
        }
    }

    pub(crate) fn matrix(&self, name: &str, columns: usize) -> Matrix {
        let values = self.values(name).into_iter().map(|value| value as f32);
        Matrix::new(columns, values.collect())
    }

    pub(crate) fn labels(&self, name: &str) -> Vec<u32> {
        self.values(name)
            .into_iter()
            .map(|label| label as u32)
            .collect()
    }

    /// Pictures of 32 pixels, with these labels of ten classes.
    pub(crate) fn images(&self, name: &str, labels: &[u32]) -> ImageSet {
        let classes = (0..10).map(|class| class.to_string());
        let mut set = ImageSet::new(32, 32, classes.collect());
        let bytes: Vec<u8> = self.values(name).into_iter().map(|v| v as u8).collect();
        for (image, pixels) in bytes.chunks_exact(32 * 32 * 3).enumerate() {
            let pushed = set.push(image.to_string(), pixels, labels[image]);
            pushed.expect("fits");
        }
        set
    }
}

/// The classifier of the fixture.
pub(crate) fn fixture_model(device: &Device) -> Model {
    let weights = repository("resnet18_w16_badnets.safetensors");
    load_weights(&weights, device).expect("the fixture's weights")
}

/// A file of `tests/golden`.
pub(crate) fn repository(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    PathBuf::from(folder).join(name)
}

fn read<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|chunk| convert(*chunk)).collect()
}

/// The largest difference, as a share of the largest golden value.
pub(crate) fn relative(ours: &[f64], golden: &[f64]) -> f64 {
    assert_eq!(ours.len(), golden.len());
    let scale = golden
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let differences = ours.iter().zip(golden).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0.0, f64::max)
}

/// Chance that a poisoned image scores higher than a clean one; ties count half.
pub(crate) fn auroc(scores: &[f64], poisoned: &[f64]) -> f64 {
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

/// Shares of the poisoned and of the clean images that are flagged.
pub(crate) fn rates(flagged: &[bool], poisoned: &[f64]) -> (f64, f64) {
    let share = |wanted: bool| {
        let of = poisoned
            .iter()
            .zip(flagged)
            .filter(|(p, _)| (**p > 0.5) == wanted);
        let of: Vec<bool> = of.map(|(_, flag)| *flag).collect();
        of.iter().filter(|&&flag| flag).count() as f64 / of.len() as f64
    };
    (share(true), share(false))
}
