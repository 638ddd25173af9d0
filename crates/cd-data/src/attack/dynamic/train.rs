//! Trains the mask, then the painting network together with a classifier.

use cd_core::Task;
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::activation::relu;
use cd_models::to_host;

use super::{
    DynamicConfig, INFO, MOST_PARTNERS, Networks, Painting, Partners, covered, measure, opened,
    squashed,
};
use crate::attack::generator::{
    Autoencoder, Batches, CraftRecord, Learner, Scale, cross_entropy, diversity,
};
use crate::attack::{AttackError, CraftContext};

/// Most images of an epoch that trains the mask.
const MASK_IMAGES: usize = 5000;
/// Weight of the share that a mask covers beyond what it may.
const SPARSENESS: f32 = 100.0;
/// Learning rate of the networks that paint and mask.
const RATE: f64 = 1e-2;
/// Seconds on two cores of a pass forth and back through a network of 8 channels for an image of 32 pixels a side.
const SECONDS: f64 = 0.0006;

/// What it costs: the mask sees two images at a time, the painting network a part of every batch.
pub(super) fn seconds(options: &DynamicConfig, images: usize, side: usize) -> f64 {
    let side = side.min(options.side);
    let pixels = (side * side) as f64 / (32.0 * 32.0);
    let network = SECONDS * (options.width as f64 / 8.0).powi(2);
    let masks = 2 * options.mask_epochs * images.min(MASK_IMAGES);
    let painted = (options.attack_rate + options.cross_rate) * network;
    let classified = (options.surrogate.epochs * images) as f64;
    pixels
        * (masks as f64 * network + classified * (options.surrogate.seconds_per_image() + painted))
}

/// Trains all networks.
pub(super) fn train(
    options: &DynamicConfig,
    context: &CraftContext<'_>,
) -> Result<Painting, AttackError> {
    let size = [context.images.height(), context.images.width()];
    let scale = Scale::of(INFO.name, size, options.side, Autoencoder::LEAST_SIDE)?;
    let batches = Batches::new(context, scale);
    let surrogate = &options.surrogate;
    let steps = batches.training.len().div_ceil(surrogate.batch_size);
    let total = surrogate.epochs * steps;
    let classifier = Learner::new(INFO.name, surrogate, context, scale, total)?;
    let run = Run {
        options,
        context,
        batches,
    };
    let mut record = CraftRecord::default();
    let mask = run.mask(&mut record)?;
    let (generator, classifier) = run.generator(&mask, classifier, &mut record)?;
    let networks = Networks { generator, mask }.valid();
    measure::enter(
        &run.batches,
        &networks,
        &classifier.freeze(),
        context.target,
        &mut record,
    )?;
    let record = record.checked(INFO.name, "surrogate.learning_rate")?;
    tracing::info!(figures = record.line(), "networks of Dynamic are trained");
    Ok(Painting {
        side: options.side,
        networks,
        partners: run.partners()?,
        device: run.batches.device.clone(),
        record,
    })
}

struct Run<'a> {
    options: &'a DynamicConfig,
    context: &'a CraftContext<'a>,
    batches: Batches<'a>,
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_beta_1(0.5).with_beta_2(0.9).init()
}

impl Run<'_> {
    /// Trains the mask to cover little, and other places for other images.
    fn mask(&self, record: &mut CraftRecord) -> Result<Autoencoder, AttackError> {
        let epochs = self.options.mask_epochs;
        let device = &self.batches.device;
        let mut mask = Networks::mask(self.options, self.context.seed, device).train();
        let mut optimizer = adam();
        let task = Task::start(
            self.context.progress,
            "training the mask",
            Some(epochs as u64),
        );
        for epoch in 0..epochs {
            // Down by a tenth after 40 and 80 % of the epochs, as published.
            let passed = (5 * epoch / epochs) as i32 / 2;
            let rate = RATE * 0.1_f64.powi(passed);
            let order = |purpose| self.batches.order(purpose, epoch, MASK_IMAGES);
            let (first, second) = (order("dynamic mask"), order("dynamic mask, other"));
            let (mut sum, mut steps) = (0.0, 0);
            let size = self.options.surrogate.batch_size;
            for (first, second) in first.chunks(size).zip(second.chunks(size)) {
                let images = [self.batches.tensor(first)?, self.batches.tensor(second)?];
                let together = Tensor::cat(images.to_vec(), 0).autodiff();
                let masks = opened(mask.forward(together));
                let dense = relu(masks.clone() - self.options.density as f32).mean() * SPARSENESS;
                let count = first.len();
                let apart = [
                    masks.clone().narrow(0, 0, count),
                    masks.narrow(0, count, count),
                ];
                let loss = dense + diversity(images.map(Tensor::autodiff), apart);
                sum += f64::from(loss.clone().into_scalar::<f32>());
                steps += 1;
                let gradients = GradientsParams::from_grads(loss.backward(), &mask);
                mask = optimizer.step(rate, mask, gradients);
            }
            let loss = sum / f64::from(steps.max(1));
            record.point("loss of the mask", loss);
            task.note(&format!("loss {loss:.3}"));
            task.advance(1);
        }
        Ok(mask)
    }

    /// Trains painting network and classifier together.
    fn generator(
        &self,
        mask: &Autoencoder,
        mut classifier: Learner,
        record: &mut CraftRecord,
    ) -> Result<(Autoencoder, Learner), AttackError> {
        let surrogate = &self.options.surrogate;
        let device = &self.batches.device;
        let mut generator = Networks::generator(self.options, self.context.seed, device).train();
        let (mask, mut painter) = (mask.valid(), adam());
        let steps = self.batches.training.len().div_ceil(surrogate.batch_size);
        let total = surrogate.epochs * steps;
        let task = Task::start(
            self.context.progress,
            "training the painting network and a classifier",
            Some(total as u64),
        );
        for epoch in 0..surrogate.epochs {
            let order = |purpose| self.batches.order(purpose, epoch, usize::MAX);
            let (order, others) = (order("dynamic order"), order("dynamic order, other"));
            let batches = order.chunks(surrogate.batch_size);
            let mut sums = [0.0; 2];
            for (number, indices) in batches.enumerate() {
                let others = &others[number * surrogate.batch_size..][..indices.len()];
                let [wrong, alike] =
                    self.losses(&generator, &mask, &classifier, indices, others)?;
                for (sum, loss) in sums.iter_mut().zip([&wrong, &alike]) {
                    *sum += f64::from(loss.clone().into_scalar::<f32>());
                }
                let rate = RATE * classifier.factor();
                let loss = wrong + alike * self.options.diversity as f32;
                let mut gradients = loss.backward();
                classifier.step(&mut gradients);
                let own = GradientsParams::from_module(&mut gradients, &generator);
                generator = painter.step(rate, generator, own);
                task.advance(1);
            }
            let [wrong, alike] = sums.map(|sum| sum / steps as f64);
            record.point("loss of the classifier", wrong);
            record.point("loss of diversity", alike);
            task.note(&format!("losses {wrong:.3}, {alike:.3}"));
        }
        Ok((generator, classifier))
    }

    /// Cross-entropy of a batch of which a part is triggered and another part carries patches of `others`, and the loss of diversity.
    fn losses(
        &self,
        generator: &Autoencoder,
        mask: &Autoencoder,
        classifier: &Learner,
        indices: &[usize],
        others: &[usize],
    ) -> Result<[Tensor<1>; 2], AttackError> {
        let part = |rate: f64| (rate * indices.len() as f64).ceil() as usize;
        let triggered = part(self.options.attack_rate);
        let crossed = part(self.options.cross_rate).min(indices.len() - triggered);
        let painted = triggered + crossed;
        let mut labels = self.batches.labels(indices);
        labels[..triggered].fill(self.context.target);
        let images = self.batches.tensor(indices)?;
        let own = images.clone().narrow(0, 0, triggered);
        let shown = if crossed == 0 {
            own.clone()
        } else {
            let others = self.batches.tensor(&others[triggered..painted])?;
            Tensor::cat(vec![own.clone(), others], 0)
        };
        let masks = opened(mask.forward(shown.clone())).autodiff();
        let patches = squashed(generator.forward(shown.clone().autodiff()));
        let below = images.clone().narrow(0, 0, painted).autodiff();
        let changed = covered(below, [patches.clone(), masks]);
        let rest = indices.len() - painted;
        let all = if rest == 0 {
            changed
        } else {
            Tensor::cat(vec![changed, images.narrow(0, painted, rest).autodiff()], 0)
        };
        let wrong = cross_entropy(classifier.forward(all), &labels);
        let pairs = triggered.min(crossed);
        let alike = if pairs == 0 {
            wrong.clone() * 0.0
        } else {
            let halves =
                |x: Tensor<4>| [x.clone().narrow(0, 0, pairs), x.narrow(0, triggered, pairs)];
            diversity(halves(shown.autodiff()), halves(patches))
        };
        Ok([wrong, alike])
    }

    /// The images whose patches covers carry.
    fn partners(&self) -> Result<Partners, AttackError> {
        let chosen = self.batches.order("dynamic partners", 0, MOST_PARTNERS);
        let images = self.batches.tensor(&chosen)?;
        let [_, _, height, width] = images.dims();
        Ok(Partners {
            values: to_host(images),
            size: [height, width],
            indices: chosen,
        })
    }
}
