//! Cognitive Distillation as detectors: `cd-l` on logits, `cd-f` on features.
//!
//! Threat model: the classifier was trained on the poisoned set. A trigger decides the output alone,
//! so the mask that keeps the output of a poisoned image shrinks to the trigger.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use cd_models::{StorageError, Tap, batch, quantize, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo, Suspects};
use crate::cognitive::{CognitiveDistillation, Decay, Fill, Preset, Reduction};
use crate::detection::{Detection, Direction, Masks, Measure, Scale};
use crate::error::DetectError;
use crate::parts::{Part, Parts, ranges};

const PAPER: &str =
    "Huang, Ma, Erfani, Bailey: Distilling Cognitive Backdoor Patterns within an Image, ICLR 2023";

/// The settings of one of the two variants; they differ in their defaults.
macro_rules! variant {
    ($(#[$doc:meta])* $type:ident, $info:expr, $base:ident, $lr:literal, $alpha:literal, $beta:literal
        $(, $tap_field:ident = $tap_default:expr)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $type {
            /// Optimisation steps; at least 1.
            pub steps: usize,
            /// Adam's learning rate; above 0.
            pub learning_rate: f64,
            /// How the learning rate goes over the steps: `none` (constant) or `cosine`.
            pub decay: Decay,
            /// Adam's decay rates, each at least 0 and below 1.
            pub betas: [f64; 2],
            /// Searches per image, whose masks are averaged; at least 1.
            pub repeats: usize,
            /// The masks after so many last steps are averaged; at least 1.
            pub tail: usize,
            /// Weight of the mask's norm; at least 0.
            pub alpha: f64,
            /// Weight of the total variation; at least 0.
            pub beta: f64,
            /// The norm to minimise: 1 or 2.
            pub p: u8,
            /// Channels of the mask: 1 or 3.
            pub mask_channels: usize,
            /// Sides of the grid of the mask as a share of the image's; above 0, at most 1 (every pixel).
            #[serde(skip_serializing_if = "is_one")]
            pub mask_scale: f64,
            /// An image stops when its norm changes by at most this share in ten steps; 0 to below 1.
            #[serde(skip_serializing_if = "is_zero")]
            pub tolerance: f64,
            /// Seed of the fill colours.
            pub seed: u64,
            /// How the fill colours follow each other: `random` (independent), `stratified` or `shared`.
            pub fill: Fill,
            /// How the images of a batch are combined.
            pub reduction: Reduction,
            $(
                /// Where features are read: `stage1`.., `deep` or `penultimate`.
                pub $tap_field: String,
            )?
        }

        impl Default for $type {
            fn default() -> Self {
                Self {
                    steps: 100,
                    learning_rate: $lr,
                    decay: Decay::None,
                    betas: [0.1, 0.1],
                    repeats: 1,
                    tail: 1,
                    alpha: $alpha,
                    beta: $beta,
                    p: 1,
                    mask_channels: 1,
                    mask_scale: 1.0,
                    tolerance: 0.0,
                    seed: 0,
                    fill: Fill::Random,
                    reduction: Reduction::Sum,
                    $($tap_field: $tap_default,)?
                }
            }
        }

        impl $type {
            /// What the registry says of it.
            pub const INFO: DetectorInfo = $info;

            fn method(&self) -> Result<CognitiveDistillation, DetectError> {
                let distillation = CognitiveDistillation::$base()
                    .with_steps(self.steps)
                    .with_learning_rate(self.learning_rate)
                    .with_decay(self.decay)
                    .with_betas(self.betas)
                    .with_repeats(self.repeats)
                    .with_tail(self.tail)
                    .with_alpha(self.alpha)
                    .with_beta(self.beta)
                    .with_p(self.p)
                    .with_mask_channels(self.mask_channels)
                    .with_mask_scale(self.mask_scale)
                    .with_tolerance(self.tolerance)
                    .with_seed(self.seed)
                    .with_fill(self.fill)
                    .with_reduction(self.reduction);
                $(let distillation = distillation.with_tap(self.$tap_field.parse::<Tap>()?);)?
                Ok(distillation)
            }
        }

        impl Detector for $type {
            fn info(&self) -> &'static DetectorInfo {
                &Self::INFO
            }

            fn detect(&self, suspects: &Suspects<'_>) -> Result<Option<Detection>, DetectError> {
                let settings = serde_json::to_string(self).expect("plain numbers and names");
                let settings = format!("{} {settings}", Self::INFO.name);
                distill_all(&self.method()?, &settings, suspects)
            }

            fn seed_mut(&mut self) -> Option<&mut u64> {
                Some(&mut self.seed)
            }

            fn steps_mut(&mut self) -> Option<&mut usize> {
                Some(&mut self.steps)
            }

            fn apply(&mut self, preset: Preset) {
                let method = CognitiveDistillation::$base().with_preset(preset);
                self.steps = method.steps;
                self.learning_rate = method.learning_rate;
                self.decay = method.decay;
                self.betas = method.betas;
                self.repeats = method.repeats;
                self.tail = method.tail;
                self.fill = method.fill;
                self.mask_scale = method.mask_scale;
                self.tolerance = 0.0;
            }

            fn distillation(&self) -> Result<Option<CognitiveDistillation>, DetectError> {
                self.method().map(Some)
            }
        }
    };
}

variant!(
    /// Settings of CD-L, which keeps the logits.
    Cdl,
    DetectorInfo {
        name: "cd-l",
        title: "Cognitive Distillation on logits (CD-L)",
        summary: "Optimises for each image the smallest mask that keeps the logits; a small mask is suspicious.",
        paper: PAPER,
    },
    logits,
    0.1,
    0.01,
    1.0
);

variant!(
    /// Settings of CD-F, which keeps a feature map.
    Cdf,
    DetectorInfo {
        name: "cd-f",
        title: "Cognitive Distillation on features (CD-F)",
        summary: "Optimises for each image the smallest mask that keeps the last feature map; a small mask is suspicious.",
        paper: PAPER,
    },
    features,
    0.05,
    0.001,
    10.0,
    tap = Tap::Deep.to_string()
);

/// Defaults of later settings are left out of files, so that runs from before them keep their names.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// As [`is_zero`].
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// Distils every part of this shard, keeping partial results where there is a store.
fn distill_all(
    distillation: &CognitiveDistillation,
    settings: &str,
    suspects: &Suspects<'_>,
) -> Result<Option<Detection>, DetectError> {
    distillation.check()?;
    if suspects.images.is_empty() {
        return Err(DetectError::Empty);
    }
    let identity = suspects
        .store
        .map(|store| format!("{} {settings}", store.fingerprint))
        .unwrap_or_default();
    let parts = suspects
        .store
        .map(|store| Parts::new(store.folder, &identity));
    let ranges = ranges(suspects.images.len());
    let mut found = Found::default();
    suspects
        .progress
        .start("distilling", Some(suspects.images.len() as u64));
    for (number, range) in ranges.iter().enumerate() {
        let kept = match &parts {
            Some(parts) => parts.read(range)?,
            None => None,
        };
        let mine = number % suspects.shard.count.max(1) == suspects.shard.index;
        let part = match kept {
            Some(part) => {
                suspects.progress.advance(range.len() as u64);
                part
            }
            None if mine => {
                let part = distill_part(distillation, suspects, range)?;
                if let Some(parts) = &parts {
                    parts.write(range, &part)?;
                }
                part
            }
            None => continue,
        };
        found.add(part)?;
    }
    suspects.progress.finish();
    Ok((found.norms.len() == suspects.images.len()).then(|| found.detection()))
}

/// Norms and masks of the parts so far.
#[derive(Default)]
struct Found {
    norms: Vec<f64>,
    masks: Option<Masks>,
}

impl Found {
    fn add(&mut self, part: Part) -> Result<(), StorageError> {
        self.norms.extend(part.norms);
        let masks = self.masks.get_or_insert_with(|| Masks::new(part.shape));
        masks.extend(&part.masks)
    }

    fn detection(self) -> Detection {
        Detection {
            measure: Measure {
                name: "mask_l1",
                title: "L1 norm of the mask",
                direction: Direction::Low,
                scale: Scale::Ratio,
            },
            raw: self.norms,
            masks: self.masks,
        }
    }
}

fn distill_part(
    distillation: &CognitiveDistillation,
    suspects: &Suspects<'_>,
    range: &Range<usize>,
) -> Result<Part, DetectError> {
    let indices: Vec<usize> = range.clone().collect();
    let chunks: Vec<&[usize]> = indices.chunks(suspects.batch_size.max(1)).collect();
    let done = in_order(chunks.len(), suspects.workers, |number| {
        distill_chunk(distillation, suspects, chunks[number])
    });
    done.into_iter()
        .collect::<Result<Vec<Part>, _>>()
        .map(concatenated)
}

fn distill_chunk(
    distillation: &CognitiveDistillation,
    suspects: &Suspects<'_>,
    chunk: &[usize],
) -> Result<Part, DetectError> {
    let images = batch(suspects.images, chunk, suspects.device)?;
    let numbers: Vec<u64> = chunk.iter().map(|&index| index as u64).collect();
    let done = distillation.distill(suspects.model, images, &numbers)?;
    let [_, channels, height, width] = done.masks.dims();
    suspects.progress.advance(chunk.len() as u64);
    Ok(Part {
        norms: done.norms,
        shape: [channels, height, width],
        masks: quantize(&to_host(done.masks)),
    })
}

/// `work(0)`, `work(1)`, ... up to `count`, on `workers` threads; results in order.
fn in_order<T: Send>(count: usize, workers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(number)));
        }
    };
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.clamp(1, count.max(1)))
            .map(|_| scope.spawn(take))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<(usize, T)>>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

fn concatenated(parts: Vec<Part>) -> Part {
    let mut whole = Part::default();
    for part in parts {
        whole.norms.extend(part.norms);
        whole.shape = part.shape;
        whole.masks.extend(part.masks);
    }
    whole
}
