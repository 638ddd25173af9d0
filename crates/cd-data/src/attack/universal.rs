//! A smooth pattern that leads many images to one class, computed against a classifier: what `lf` and `smooth` add.
//!
//! For every image that the pattern does not lead to the target yet, a minimal step over the boundary of the classifier is added
//! to it; then it is blurred and brought back to its range.

#[cfg(test)]
mod tests;

use std::path::Path;

use cd_core::npy;
use cd_core::random::{named, stream};
use cd_core::{CHANNELS, Task};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Device, Model, host_batch, to_host};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::artefact::{Precision, Raster, numbers, unusable};
use super::option::{share, within};
use super::surrogate::SurrogateConfig;
use super::{AttackError, AttackNeeds, CraftContext};

/// Name of the stored pattern in its folder.
const FILE: &str = "pattern.npy";
/// Taps and deviation of the blur at 32 pixels a side.
const TAPS: usize = 30;
const SIGMA: f64 = 6.0;

/// How a smooth pattern is computed against a classifier of the attacker's own.
///
/// Zeng, Park, Mao and Jia, ICCV 2021, section 5. There the pattern follows whatever wrong class dominates; here it leads to
/// the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UniversalConfig {
    /// Clean training images that it is computed on; at least 1, and no more than there are.
    pub images: usize,
    /// Most passes over these images; at least 1.
    pub passes: usize,
    /// Share of the images led to the target at which it is good enough, above 0 and at most 1.
    pub fooled: f64,
    /// Most steps for an image in a pass; at least 1.
    pub iterations: usize,
    /// How much further than the boundary an image is moved, as a share of the way, 0 to 1.
    pub overshoot: f64,
    /// The classifier.
    pub surrogate: SurrogateConfig,
}

impl Default for UniversalConfig {
    fn default() -> Self {
        Self {
            images: 100,
            passes: 50,
            fooled: 0.2,
            iterations: 200,
            overshoot: 0.02,
            surrogate: SurrogateConfig::default(),
        }
    }
}

impl UniversalConfig {
    pub(super) fn check(&self, attack: &'static str) -> Result<(), AttackError> {
        let count = "a whole number from 1 on";
        for (option, value) in [
            ("craft.images", self.images),
            ("craft.passes", self.passes),
            ("craft.iterations", self.iterations),
        ] {
            within(attack, option, value, 1..=usize::MAX, count)?;
        }
        share(attack, "craft.fooled", self.fooled)?;
        let expected = "a number from 0 to 1";
        within(
            attack,
            "craft.overshoot",
            self.overshoot,
            0.0..=1.0,
            expected,
        )?;
        self.surrogate.check(attack)
    }

    pub(super) fn needs(&self) -> AttackNeeds {
        AttackNeeds {
            images: self.images.max(2),
            stored: true,
        }
    }

    /// Roughly the seconds that it takes: training, and some passes of some steps each.
    pub(super) fn seconds(&self, images: usize, side: usize) -> f64 {
        let pixels = (side * side) as f64 / (32.0 * 32.0);
        let passes = self.surrogate.epochs * images + self.images * self.passes.min(10) * 10;
        pixels * passes as f64 * self.surrogate.seconds_per_image()
    }

    /// Trains the classifier and computes the pattern, 0 to `peak` on the scale 0 to 1.
    pub(super) fn pattern(
        &self,
        attack: &'static str,
        peak: f64,
        context: &CraftContext<'_>,
    ) -> Result<Raster, AttackError> {
        let model = self.surrogate.train(attack, context)?;
        let mut chosen: Vec<usize> = (0..context.images.len()).collect();
        chosen.shuffle(&mut stream(context.seed, named("universal images")));
        chosen.truncate(self.images);
        let values = host_batch(context.images, &chosen)?.try_to_vec::<f32>();
        let values = values.map_err(|error| AttackError::Prepare {
            attack,
            problem: format!("{error:?}"),
        })?;
        let size = [context.images.height(), context.images.width()];
        let search = Search {
            options: self,
            model: &model,
            device: context.device.clone().without_autodiff(),
            size,
            target: context.target as usize,
            peak: peak as f32,
        };
        let task = Task::start(context.progress, "computing a smooth pattern", None);
        let (pattern, fooled) = search.run(&values, &task);
        if fooled >= self.fooled {
            tracing::info!(
                fooled,
                "share of images that the pattern leads to the target"
            );
        } else {
            tracing::warn!(
                fooled,
                "the pattern leads few images to the target; a larger `peak`, more `craft.passes` or `craft.surrogate.epochs` may help"
            );
        }
        Ok(channels_last(&pattern, size))
    }
}

/// Writes a pattern into a folder.
pub(super) fn save(
    attack: &'static str,
    pattern: &Raster,
    folder: &Path,
) -> Result<(), AttackError> {
    let path = folder.join(FILE);
    let values: Vec<f32> = pattern.values.iter().map(|&value| value as f32).collect();
    let shape = [pattern.height, pattern.width, CHANNELS];
    npy::save(&path, &shape, &values).map_err(|error| stored(attack, &path, error.to_string()))
}

/// Reads what [`save`] wrote.
pub(super) fn load(attack: &'static str, folder: &Path) -> Result<Raster, AttackError> {
    let path = folder.join(FILE);
    let read = numbers(attack, &path).map_err(|error| stored(attack, &path, error.to_string()))?;
    match read.shape[..] {
        [height, width, CHANNELS] if read.precision == Precision::Single => Ok(Raster {
            height,
            width,
            values: read.values,
            precision: Precision::Double,
        }),
        _ => Err(stored(
            attack,
            &path,
            format!("its shape is {:?}", read.shape),
        )),
    }
}

/// The pattern for images of this size; there is one size only.
pub(super) fn of_size(
    attack: &'static str,
    pattern: &Raster,
    height: usize,
    width: usize,
) -> Result<Raster, AttackError> {
    if (pattern.height, pattern.width) == (height, width) {
        return Ok(pattern.clone());
    }
    let problem = format!(
        "it was computed for images of {} x {} pixels, these have {height} x {width}",
        pattern.height, pattern.width
    );
    Err(unusable(attack, FILE.as_ref(), problem))
}

fn stored(attack: &'static str, path: &Path, problem: String) -> AttackError {
    AttackError::Stored {
        attack,
        path: path.to_owned(),
        problem,
    }
}

fn channels_last(planes: &[f32], [height, width]: [usize; 2]) -> Raster {
    let pixels = height * width;
    let at = |value: usize| f64::from(planes[value % CHANNELS * pixels + value / CHANNELS]);
    Raster {
        height,
        width,
        values: (0..pixels * CHANNELS).map(at).collect(),
        precision: Precision::Double,
    }
}

struct Search<'a> {
    options: &'a UniversalConfig,
    model: &'a Model,
    device: Device,
    size: [usize; 2],
    target: usize,
    peak: f32,
}

impl Search<'_> {
    /// The best pattern, `[3, height, width]`, and the share of the images that it leads to the target.
    fn run(&self, images: &[f32], task: &Task<'_>) -> (Vec<f32>, f64) {
        let image_len = CHANNELS * self.size[0] * self.size[1];
        let mut pattern = vec![0.0; image_len];
        let (mut best, mut most) = (pattern.clone(), -1.0);
        for _ in 0..self.options.passes {
            for image in images.chunks_exact(image_len) {
                let start = sum(image, &pattern);
                if let Some(step) = self.over_the_boundary(&start) {
                    let step = self.blurred(&step);
                    pattern = self.in_range(self.blurred(&sum(&pattern, &step)));
                }
            }
            let fooled = self.fooled(images, &pattern);
            if fooled > most {
                (best, most) = (pattern.clone(), fooled);
            }
            task.advance(1);
            if most >= self.options.fooled {
                break;
            }
        }
        (best, most)
    }

    /// The smallest steps, one after the other, that bring an image to the target; nothing where it is there already.
    fn over_the_boundary(&self, start: &[f32]) -> Option<Vec<f32>> {
        let mut step = vec![0.0; start.len()];
        let further = 1.0 + self.options.overshoot as f32;
        let mut moved = false;
        for _ in 0..self.options.iterations {
            let place: Vec<f32> = start
                .iter()
                .zip(&step)
                .map(|(a, b)| a + further * b)
                .collect();
            let Some((gap, slope)) = self.gap(&place) else {
                break;
            };
            let norm: f32 = slope.iter().map(|slope| slope * slope).sum();
            if norm <= f32::MIN_POSITIVE || !gap.is_finite() {
                break;
            }
            let length = (gap.abs() + 1e-4) / norm;
            for (step, slope) in step.iter_mut().zip(&slope) {
                *step += length * slope;
            }
            moved = true;
        }
        moved.then_some(step)
    }

    /// How far the score of the target lies below that of the predicted class, and the gradient of the difference; nothing where
    /// they are the same.
    fn gap(&self, image: &[f32]) -> Option<(f32, Vec<f32>)> {
        let data = TensorData::new(image.to_vec(), [1, CHANNELS, self.size[0], self.size[1]]);
        let image = Tensor::<4>::from_data(data, &self.device)
            .autodiff()
            .require_grad();
        let scores = self.model.logits(image.clone());
        let predicted = highest(&to_host(scores.clone()));
        if predicted == self.target {
            return None;
        }
        let of = |class: usize| scores.clone().slice([0..1, class..class + 1]).sum();
        let gap = of(self.target) - of(predicted);
        let gradients = gap.backward();
        let slope = image
            .grad(&gradients)
            .expect("gradients were asked for above");
        Some((to_host(gap)[0], to_host(slope)))
    }

    /// Share of the images that the pattern leads to the target.
    fn fooled(&self, images: &[f32], pattern: &[f32]) -> f64 {
        let image_len = pattern.len();
        let shape = [1, CHANNELS, self.size[0], self.size[1]];
        let mut fooled = 0;
        for image in images.chunks_exact(image_len) {
            let data = TensorData::new(sum(image, pattern), shape);
            let scores = self.model.logits(Tensor::from_data(data, &self.device));
            fooled += usize::from(highest(&to_host(scores)) == self.target);
        }
        fooled as f64 / (images.len() / image_len).max(1) as f64
    }

    /// Stretched to 0 to the peak; a plain pattern becomes black.
    fn in_range(&self, mut pattern: Vec<f32>) -> Vec<f32> {
        let low = pattern.iter().copied().fold(f32::INFINITY, f32::min);
        let high = pattern.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let span = (high - low).max(f32::MIN_POSITIVE);
        for value in &mut pattern {
            *value = (*value - low) / span * self.peak;
        }
        pattern
    }

    /// A Gaussian blur of every plane, dark beyond the border; taps and deviation follow the size.
    fn blurred(&self, planes: &[f32]) -> Vec<f32> {
        let [height, width] = self.size;
        let kernel = |side: usize| -> Vec<f32> {
            let (taps, sigma) = ((TAPS * side / 32).max(1), SIGMA * side as f64 / 32.0);
            let distance = |tap: usize| tap as f64 - (taps - 1) as f64 / 2.0;
            let weight = |tap| (-distance(tap) * distance(tap) / (2.0 * sigma * sigma)).exp();
            let sum: f64 = (0..taps).map(weight).sum();
            (0..taps).map(|tap| (weight(tap) / sum) as f32).collect()
        };
        let (down, across) = (kernel(height), kernel(width));
        let mut blurred = vec![0.0; planes.len()];
        for (plane, result) in planes
            .chunks_exact(height * width)
            .zip(blurred.chunks_exact_mut(height * width))
        {
            let mut rows = vec![0.0; plane.len()];
            for (at, value) in rows.iter_mut().enumerate() {
                let (row, column) = (at / width, at % width);
                *value = filtered(&down, row, height, |row| plane[row * width + column]);
            }
            for (at, value) in result.iter_mut().enumerate() {
                let (row, column) = (at / width, at % width);
                *value = filtered(&across, column, width, |column| rows[row * width + column]);
            }
        }
        blurred
    }
}

fn filtered(kernel: &[f32], place: usize, side: usize, value: impl Fn(usize) -> f32) -> f32 {
    let half = kernel.len() / 2;
    let taps = kernel.iter().enumerate().filter_map(|(tap, weight)| {
        let at = (place + tap).checked_sub(half).filter(|&at| at < side)?;
        Some(weight * value(at))
    });
    taps.sum()
}

fn sum(left: &[f32], right: &[f32]) -> Vec<f32> {
    left.iter()
        .zip(right)
        .map(|(left, right)| left + right)
        .collect()
}

fn highest(scores: &[f32]) -> usize {
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
    best.unwrap_or(0)
}
