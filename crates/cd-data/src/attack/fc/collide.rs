//! Images that keep close to their own pixels and come close to the features of others.

use cd_core::CHANNELS;
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Device, Model, Tap, quantize, to_host};

use super::{FcConfig, INFO};
use crate::attack::AttackError;
use crate::attack::planes::{planes, put_back};

/// Images that are changed together.
const AT_ONCE: usize = 64;
/// Steps whose mean objective a step has to get below.
const LOOKED_BACK: usize = 40;
/// What a step that does not help multiplies the next ones by.
const DECAY: f32 = 0.5;

/// The search for images whose features collide with those of targets.
pub(super) struct Collision<'a> {
    pub(super) model: &'a Model,
    /// Without autodiff.
    pub(super) device: Device,
    pub(super) options: &'a FcConfig,
    /// `[height, width]`.
    pub(super) size: [usize; 2],
}

/// What the search knows of one image.
struct Search {
    /// The image's own pixels with the watermark, `[3, height, width]` in 0 to 1.
    base: Vec<f32>,
    /// Where the last accepted step led, and the gradient there.
    at: Vec<f32>,
    slope: Vec<f32>,
    best: Vec<f32>,
    least: f32,
    /// Objectives of the accepted steps.
    objectives: Vec<f32>,
    length: f32,
}

impl Search {
    fn new(base: Vec<f32>, length: f32) -> Self {
        Self {
            at: base.clone(),
            slope: vec![0.0; base.len()],
            best: base.clone(),
            least: f32::INFINITY,
            objectives: Vec::new(),
            length,
            base,
        }
    }

    /// The image after a step towards the target's features and one back to its own pixels.
    fn next(&self, weight: f32) -> Vec<f32> {
        let pull = self.length * weight;
        let values = self.at.iter().zip(&self.slope).zip(&self.base);
        let next = values.map(|((value, slope), base)| {
            let towards = value - self.length * slope;
            ((towards + pull * base) / (1.0 + pull)).clamp(0.0, 1.0)
        });
        next.collect()
    }

    /// Takes the step, or makes the next ones shorter.
    fn judge(&mut self, tried: Vec<f32>, distance: f32, slope: &[f32], weight: f32) {
        let own = tried.iter().zip(&self.base);
        let own: f32 = own.map(|(value, base)| (value - base).powi(2)).sum();
        let objective = distance + weight * own;
        let last = &self.objectives[self.objectives.len().saturating_sub(LOOKED_BACK)..];
        let mean = last.iter().sum::<f32>() / last.len().max(1) as f32;
        let helps = last.is_empty() || objective < mean;
        if !helps {
            self.length *= DECAY;
            return;
        }
        if objective < self.least {
            self.least = objective;
            self.best.clone_from(&tried);
        }
        self.objectives.push(objective);
        self.at = tried;
        self.slope.copy_from_slice(slope);
    }
}

impl Collision<'_> {
    /// Changes images `[images, height, width, 3]`, each towards its target; none matters to another.
    pub(super) fn apply(&self, pixels: &mut [u8], targets: &[&[u8]]) -> Result<(), AttackError> {
        let [height, width] = self.size;
        let checked = self.model.check_size(height, width);
        checked.map_err(|error| AttackError::Prepare {
            attack: INFO.name,
            problem: error.to_string(),
        })?;
        let image_len = height * width * CHANNELS;
        for (pixels, targets) in pixels
            .chunks_mut(AT_ONCE * image_len)
            .zip(targets.chunks(AT_ONCE))
        {
            let made = self.collided(
                &planes(pixels, image_len),
                &planes(&targets.concat(), image_len),
            );
            put_back(&quantize(&made), pixels, image_len);
        }
        Ok(())
    }

    /// Images `[images, 3, height, width]` in 0 to 1 close to `bases` whose features are close to those of `targets`.
    fn collided(&self, bases: &[f32], targets: &[f32]) -> Vec<f32> {
        let image_len = self.size[0] * self.size[1] * CHANNELS;
        let goals = self.features(self.tensor(targets));
        let per_value = goals.dims()[1] as f32 / image_len as f32;
        let weight = self.options.similarity as f32 * per_value.powi(2);
        let mark = self.options.watermark as f32;
        let pairs = bases
            .chunks_exact(image_len)
            .zip(targets.chunks_exact(image_len));
        let mut searches: Vec<Search> = pairs
            .map(|(base, target)| {
                let mixed = base.iter().zip(target);
                let mixed = mixed.map(|(base, target)| (1.0 - mark) * base + mark * target);
                Search::new(mixed.collect(), self.options.learning_rate as f32)
            })
            .collect();
        // The first round only measures where the search starts.
        for _ in 0..=self.options.iterations {
            let tried: Vec<Vec<f32>> = searches.iter().map(|search| search.next(weight)).collect();
            let (distances, slopes) = self.distances(&tried.concat(), &goals);
            let results = distances.iter().zip(slopes.chunks_exact(image_len));
            for ((search, tried), (&distance, slope)) in searches.iter_mut().zip(tried).zip(results)
            {
                search.judge(tried, distance, slope, weight);
            }
        }
        searches
            .into_iter()
            .flat_map(|search| search.best)
            .collect()
    }

    /// Squared distances of the features of images from `goals`, and their gradients with respect to the images.
    fn distances(&self, images: &[f32], goals: &Tensor<4>) -> (Vec<f32>, Vec<f32>) {
        let images = self.tensor(images).autodiff().require_grad();
        let difference = self.features(images.clone()) - goals.clone().autodiff();
        let distances = difference.square().sum_dim(1);
        let gradients = distances.clone().sum().backward();
        let gradient = images.grad(&gradients);
        let gradient = gradient.expect("gradients were asked for above");
        (to_host(distances.inner()), to_host(gradient))
    }

    /// Penultimate features, `[images, features, 1, 1]`.
    fn features(&self, images: Tensor<4>) -> Tensor<4> {
        self.model
            .features(images, Tap::Penultimate)
            .expect("every architecture has penultimate features")
    }

    fn tensor(&self, values: &[f32]) -> Tensor<4> {
        let [height, width] = self.size;
        let count = values.len() / (CHANNELS * height * width).max(1);
        let data = TensorData::new(values.to_vec(), [count, CHANNELS, height, width]);
        Tensor::from_data(data, &self.device)
    }

    /// Squared distances of the features of two lots of images `[images, height, width, 3]`.
    #[cfg(test)]
    pub(super) fn apart(&self, left: &[u8], right: &[u8]) -> Vec<f32> {
        let image_len = self.size[0] * self.size[1] * CHANNELS;
        let of = |pixels: &[u8]| planes(pixels, image_len);
        let goals = self.features(self.tensor(&of(right)));
        self.distances(&of(left), &goals).0
    }
}
