//! Frequency: triggers leave traces in the cosine spectrum that natural pictures do not have.
//!
//! Threat model: triggers with sharp edges or strong high frequencies. Neither the classifier nor its labels are looked at.
//!
//! Zeng, Park, Mao, Jia: *Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective*, ICCV 2021. A small network learns to tell
//! clean pictures from the same with an artificial trigger, by their spectra; here from the trusted clean images, at their size.

mod corruption;
mod network;

use cd_core::{Pixels, Task, random};
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams};
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::to_host;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::confidence::softmax;
use super::{Detector, DetectorInfo};
use crate::cosine::Cosine;
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

use corruption::corrupted;
use network::Network;

/// Pictures of a step, half of them clean.
const TOGETHER: usize = 64;
const RATE: f64 = 1e-3;
const SHARES: &str = "shares";
/// Smallest side that three poolings leave something of.
const LEAST_SIDE: usize = 8;

/// Settings of the frequency detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Frequency {
    /// How often all clean images get new artificial triggers; at least 1.
    pub rounds: usize,
    /// Epochs of each round; at least 1.
    pub passes: usize,
    /// Chooses triggers, initial weights and the order of training.
    pub seed: u64,
}

impl Default for Frequency {
    fn default() -> Self {
        Self {
            rounds: 5,
            passes: 10,
            seed: 0,
        }
    }
}

impl Frequency {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "frequency",
        title: "Frequency spectrum",
        summary: "A small network trained on clean pictures with artificial triggers judges the cosine spectrum of each image; a likely trigger is suspicious.",
        threat_model: "Triggers with sharp edges or strong high frequencies; smooth ones escape. Needs trusted clean images, best a few hundred, and neither labels nor a classifier that was trained on the poison.",
        paper: "Zeng, Park, Mao, Jia: Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021",
        source: "https://github.com/YiZeng623/frequency-backdoor",
        notes: "Trained from the trusted images by Adam without dropout, whose draws would not be a function of the seed; the published detector learns from another data set. Five artificial triggers: white block, random block, noise, shadow, another image.",
        judges_clean: true,
        rule: Some("a share of the artificial trigger above 0.5"),
    };
}

impl Detector for Frequency {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        let bounds = [("rounds", self.rounds), ("passes", self.passes)];
        match bounds.into_iter().find(|(_, value)| *value == 0) {
            None => Ok(()),
            Some((key, _)) => Err(DetectError::Config {
                key,
                value: "0".to_owned(),
                expected: "at least 1",
            }),
        }
    }

    fn needs(&self) -> Needs {
        Needs {
            clean: 1,
            ..Needs::default()
        }
    }

    fn looks_at_classifier(&self) -> bool {
        false
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let trusted = evidence.clean()?.images;
        if evidence.images.height().min(evidence.images.width()) < LEAST_SIDE {
            return Err(DetectError::Unfit {
                detector: Self::INFO.name,
                reason: "its images have fewer than 8 pixels along a side",
            });
        }
        let network = self.trained(evidence, trusted)?;
        // Parts that the network of version 1, drawn otherwise, has judged are not mixed with its own.
        let settings = format!("network 2, {self:?}");
        let judge = |name, images| judged(name, &settings, evidence, &network, images);
        let raw = judge("spectra", evidence.images)?;
        let clean = judge("spectra-trusted", trusted)?;
        Ok(raw.zip(clean).map(|(raw, clean)| Detection {
            own: Some(Decision {
                explanation: "a share of the artificial trigger above 0.5".to_owned(),
                cutoff: Some(0.5),
                flagged: raw.iter().map(|&share| share > 0.5).collect(),
            }),
            clean: Some(clean),
            ..Detection::new(Measure::high("share of an artificial trigger"), raw)
        }))
    }
}

/// Shares of the trigger of all images; `None` when parts of other shards are missing.
fn judged(
    name: &str,
    settings: &str,
    evidence: &Evidence<'_>,
    network: &Network,
    images: Pixels<'_>,
) -> Result<Option<Vec<f64>>, DetectError> {
    let transform = Cosine::new(images.height(), images.width());
    let sweep = Sweep {
        name,
        task: "judging spectra",
        settings,
        images,
        columns: &[(SHARES, Kind::Numbers)],
    };
    let swept = sweep.run(&evidence.compute, |Batch { numbers, .. }| {
        let mut spectra = Vec::new();
        for &number in &numbers {
            spectra.extend(transform.of(&images.get(number as usize)?));
        }
        let dims = [numbers.len(), 3, images.height(), images.width()];
        let spectra = Tensor::from_data(TensorData::new(spectra, dims), evidence.compute.device);
        let logits = to_host(network.forward(spectra));
        let shares: Vec<f64> = logits
            .chunks_exact(2)
            .map(|pair| softmax(pair)[1])
            .collect();
        match shares.iter().position(|share| !share.is_finite()) {
            Some(at) => Err(DetectError::ModelOutput { index: numbers[at] }),
            None => Ok(vec![Column::Numbers(shares)]),
        }
    })?;
    Ok(swept.map(|mut swept| swept.numbers(SHARES)))
}

impl Frequency {
    /// The network after training on clean images and their corrupted forms.
    fn trained(&self, evidence: &Evidence<'_>, clean: Pixels<'_>) -> Result<Network, DetectError> {
        let (height, width) = (clean.height(), clean.width());
        let device = evidence.compute.device.clone();
        let transform = Cosine::new(height, width);
        let mut network = Network::new([height, width], self.seed, &device).train();
        let mut optimizer = AdamConfig::new().init();
        let mut order: Vec<usize> = (0..clean.len()).collect();
        let total = self.rounds * self.passes * clean.len();
        let task = Task::start(
            evidence.compute.progress,
            "learning spectra",
            Some(total as u64),
        );
        for round in 0..self.rounds {
            for pass in 0..self.passes {
                let number = (round * self.passes + pass) as u64;
                let purpose = random::named("spectra in order").wrapping_add(number);
                order.sort_unstable();
                order.shuffle(&mut random::stream(self.seed, purpose));
                for chunk in order.chunks(TOGETHER / 2) {
                    let mut spectra = Vec::new();
                    for &image in chunk {
                        spectra.extend(transform.of(&clean.get(image)?));
                    }
                    for &image in chunk {
                        let pixels = corrupted(clean, image, self.seed, round)?;
                        spectra.extend(transform.of(&pixels));
                    }
                    let dims = [2 * chunk.len(), 3, height, width];
                    let spectra = Tensor::<4>::from_data(TensorData::new(spectra, dims), &device);
                    let logits = network.forward(spectra.autodiff());
                    let loss = loss(logits, chunk.len());
                    let gradients = GradientsParams::from_grads(loss.backward(), &network);
                    network = optimizer.step(RATE, network, gradients);
                    task.advance(chunk.len() as u64);
                }
            }
        }
        Ok(network.valid())
    }
}

/// Cross-entropy of logits of which the first half is clean.
fn loss(logits: Tensor<2>, half: usize) -> Tensor<1> {
    let device = logits.device().without_autodiff();
    let rows = (0..2 * half).flat_map(|row| {
        if row < half {
            [1.0_f32, 0.0]
        } else {
            [0.0, 1.0]
        }
    });
    let right = TensorData::new(rows.collect::<Vec<_>>(), [2 * half, 2]);
    let right = Tensor::<2>::from_data(right, &device).autodiff();
    (log_softmax(logits, 1) * right).sum().neg() / (2 * half) as f64
}

#[cfg(all(test, feature = "flex"))]
mod tests;
