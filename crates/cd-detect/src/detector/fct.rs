//! FCT: features of poisoned images jump when images are turned and shifted.
//!
//! Threat model: dirty-label poison whose trigger breaks when the image is transformed, so the features of poisoned images jump.
//!
//! Chen, Wu, Wang: *Effective Backdoor Defense by Exploiting Sensitivity of Poisoned Samples*, NeurIPS 2022: the first step, which tells
//! poisoned samples by the consistency of features under transformations, after a fine-tuning that pushes the class centres apart.

mod transform;

use cd_core::Task;
use cd_models::burn::optim::SgdConfig;
use cd_models::burn::optim::decay::WeightDecayConfig;
use cd_models::burn::optim::momentum::MomentumConfig;
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Model, Tap, Trainable, batch, one_batch, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

use transform::Transform;

/// Images of a step of fine-tuning.
const TOGETHER: usize = 128;
const RATE: f64 = 0.01;
const CHANGES: &str = "changes";

/// Settings of FCT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fct {
    /// Epochs of fine-tuning on the suspects; 0 for none.
    pub rounds: usize,
    /// Chooses the turns and shifts.
    pub seed: u64,
}

impl Default for Fct {
    fn default() -> Self {
        Self {
            rounds: 10,
            seed: 0,
        }
    }
}

impl Fct {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "fct",
        title: "Feature consistency under transformations (FCT)",
        summary: "Fine-tunes a copy that pushes the class centres apart, turns and shifts each image and measures how far its features move; a large move is suspicious.",
        threat_model: "Dirty-label poison whose trigger breaks when images are turned or shifted. Needs the labels that training saw and a copy of the network to train.",
        paper: "Chen, Wu, Wang: Effective Backdoor Defense by Exploiting Sensitivity of Poisoned Samples, NeurIPS 2022",
        source: "https://github.com/SCLBD/Effective_backdoor_defense",
        notes: "Ten epochs on the suspects in their order, 128 at a time, SGD at .01; turns of up to 180 degrees, then shifts of up to 20 %, nearest pixel, black outside; every image has its own.",
        judges_clean: false,
        rule: None,
    };
}

impl Detector for Fct {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: true,
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let labels = evidence.labels()?;
        let model = evidence.trainable()?;
        if evidence.images.is_empty() {
            return Err(DetectError::Empty);
        }
        let (tuned, _) = self.tuned(evidence, model, labels)?;
        let sweep = Sweep {
            name: "turned",
            task: "turning and shifting",
            settings: &format!("{self:?}"),
            images: evidence.images,
            columns: &[(CHANGES, Kind::Numbers)],
        };
        let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
            let moved = self.moved(evidence, &numbers)?;
            let changes = changes(&tuned, images, moved)?;
            match changes.iter().position(|change| !change.is_finite()) {
                Some(at) => Err(DetectError::ModelOutput { index: numbers[at] }),
                None => Ok(vec![Column::Numbers(changes)]),
            }
        })?;
        Ok(swept.map(|mut swept| {
            let measure =
                Measure::high("mean squared change of the features when turned and shifted");
            Detection::new(measure, swept.numbers(CHANGES))
        }))
    }
}

impl Fct {
    /// A copy after fine-tuning, and the loss before each step.
    fn tuned(
        &self,
        evidence: &Evidence<'_>,
        model: &Model,
        labels: &[u32],
    ) -> Result<(Model, Vec<f32>), DetectError> {
        let mut copy = model.trainable();
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let mut optimizer = SgdConfig::new()
            .with_momentum(Some(momentum))
            .with_weight_decay(Some(WeightDecayConfig::new(5e-4)))
            .init();
        let all: Vec<usize> = (0..labels.len()).collect();
        let mut losses = Vec::new();
        let total = self.rounds * all.len();
        let progress = evidence.compute.progress;
        let task = Task::start(progress, "fine-tuning a copy", Some(total as u64));
        for _ in 0..self.rounds {
            for chunk in all.chunks(TOGETHER) {
                let images = batch(evidence.images, chunk, evidence.compute.device)?;
                let of_chunk: Vec<u32> = chunk.iter().map(|&image| labels[image]).collect();
                let loss = likeness(&copy, images, &of_chunk)?;
                copy.step(&mut optimizer, RATE, loss.clone());
                losses.push(to_host(loss)[0]);
                task.advance(chunk.len() as u64);
            }
        }
        Ok((copy.freeze(), losses))
    }

    /// The images at these positions, turned and shifted.
    fn moved(&self, evidence: &Evidence<'_>, numbers: &[u64]) -> Result<Tensor<4>, DetectError> {
        let (height, width) = (evidence.images.height(), evidence.images.width());
        let moved = numbers.iter().map(|&number| {
            let pixels = evidence.images.get(number as usize)?;
            let transform = Transform::drawn(self.seed, number, height, width);
            let pixels = transform.apply(&pixels, height, width);
            Ok(one_batch(&pixels, height, width, evidence.compute.device))
        });
        let moved = moved.collect::<Result<Vec<_>, DetectError>>()?;
        Ok(Tensor::cat(moved, 0))
    }
}

/// Mean cosine of the features of different class centres, over all pairs of classes.
fn likeness(copy: &Trainable, images: Tensor<4>, labels: &[u32]) -> Result<Tensor<1>, DetectError> {
    let device = images.device();
    let features: Tensor<2> = copy.features(images, Tap::Penultimate)?.flatten(1, 3);
    let mut classes = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let (count, images) = (classes.len(), labels.len());
    let mut shares = vec![0.0_f32; count * images];
    for (row, class) in classes.iter().enumerate() {
        let own = labels.iter().filter(|label| *label == class).count() as f32;
        for (image, _) in labels
            .iter()
            .enumerate()
            .filter(|(_, label)| *label == class)
        {
            shares[row * images + image] = 1.0 / own;
        }
    }
    let constant = |values: Vec<f32>, dims: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values, dims), &device).autodiff()
    };
    let centres = constant(shares, [count, images]).matmul(features);
    let lengths = centres
        .clone()
        .powi_scalar(2)
        .sum_dim(1)
        .clamp_min(1e-16)
        .sqrt();
    let centres = centres / lengths;
    let others = (0..count * count).map(|at| if at / count == at % count { 0.0 } else { 1.0 });
    let others = constant(others.collect(), [count, count]);
    let likeness = centres.clone().matmul(centres.transpose()) * others;
    Ok(likeness.mean())
}

/// Mean squared difference of the features of images and of their moved forms.
fn changes(model: &Model, images: Tensor<4>, moved: Tensor<4>) -> Result<Vec<f64>, DetectError> {
    let [before, after] = [images, moved].map(|images| model.features(images, Tap::Penultimate));
    let (before, after) = (before?, after?);
    let width = before.dims()[1];
    let squares = to_host((before - after).powi_scalar(2));
    let mean = |squares: &[f32]| squares.iter().map(|&s| f64::from(s)).sum::<f64>() / width as f64;
    Ok(squares.chunks_exact(width).map(mean).collect())
}

#[cfg(all(test, feature = "flex"))]
mod tests;
