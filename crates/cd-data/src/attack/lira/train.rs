//! Trains the network that draws together with a classifier, then the classifier alone.

use cd_core::Task;
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, Model};

use super::{Drawing, INFO, LiraConfig, pattern};
use crate::attack::generator::{
    Autoencoder, Batches, CraftRecord, Learner, Likeness, Scale, Share, cross_entropy,
};
use crate::attack::{AttackError, CraftContext};

/// Learning rate of the network that draws.
const RATE: f64 = 1e-3;
/// Images that are measured at once.
const AT_ONCE: usize = 64;
/// Seconds on two cores of a pass forth and back through a network of 8 channels for an image of 32 pixels a side.
const SECONDS: f64 = 0.0006;

/// What it costs.
pub(super) fn seconds(options: &LiraConfig, images: usize, side: usize) -> f64 {
    let side = side.min(options.side);
    let pixels = (side * side) as f64 / (32.0 * 32.0);
    let drawn = options.attack_share * SECONDS * (options.width as f64 / 8.0).powi(2);
    let classified = (1.0 + options.attack_share) * options.surrogate.seconds_per_image();
    let passes = (options.surrogate.epochs + options.tune_epochs) * images;
    passes as f64 * pixels * (classified + drawn)
}

/// Trains the network.
pub(super) fn train(
    options: &LiraConfig,
    context: &CraftContext<'_>,
) -> Result<Drawing, AttackError> {
    let size = [context.images.height(), context.images.width()];
    let scale = Scale::of(INFO.name, size, options.side, Autoencoder::LEAST_SIDE)?;
    let batches = Batches::new(context, scale);
    let surrogate = &options.surrogate;
    let steps = batches.training.len().div_ceil(surrogate.batch_size);
    let total = (surrogate.epochs + options.tune_epochs) * steps;
    let mut classifier = Learner::new(INFO.name, surrogate, context, scale, total)?;
    let mut record = CraftRecord::default();
    let generator = generator(options, context, &batches, &mut classifier, &mut record)?;
    let drawing = Drawing {
        options: options.clone(),
        generator,
        device: batches.device.clone(),
        record,
    };
    let record = measured(&batches, &drawing, &classifier.freeze(), context.target)?;
    let record = record.checked(INFO.name, "surrogate.learning_rate")?;
    tracing::info!(figures = record.line(), "the network of LIRA is trained");
    Ok(Drawing { record, ..drawing })
}

/// Trains network and classifier together, then the classifier alone.
fn generator(
    options: &LiraConfig,
    context: &CraftContext<'_>,
    batches: &Batches<'_>,
    classifier: &mut Learner,
    record: &mut CraftRecord,
) -> Result<Autoencoder, AttackError> {
    let together = options.surrogate.epochs;
    let epochs = together + options.tune_epochs;
    let fresh = Autoencoder::new(options.width, 3, context.seed, &batches.device);
    let mut generator = fresh.train();
    let mut adam = AdamConfig::new().init();
    let what = "training a pattern and a classifier";
    let task = Task::start(context.progress, what, Some(epochs as u64));
    for epoch in 0..epochs {
        if epoch == together {
            generator = generator.valid();
        }
        let step = Step {
            options,
            batches,
            target: context.target,
            is_drawn_for: epoch < together,
        };
        let order = batches.order("lira order", epoch, usize::MAX);
        let (mut sums, mut steps) = ([0.0; 2], 0);
        for indices in order.chunks(options.surrogate.batch_size) {
            let [clean, triggered] = step.losses(&generator, classifier, indices)?;
            for (sum, loss) in sums.iter_mut().zip([&clean, &triggered]) {
                *sum += f64::from(loss.clone().into_scalar::<f32>());
            }
            steps += 1;
            let alpha = options.alpha as f32;
            let mut gradients = (clean * alpha + triggered * (1.0 - alpha)).backward();
            classifier.step(&mut gradients);
            if step.is_drawn_for {
                let own = GradientsParams::from_module(&mut gradients, &generator);
                generator = adam.step(RATE, generator, own);
            }
        }
        let [clean, triggered] = sums.map(|sum| sum / f64::from(steps.max(1)));
        record.point("loss of clean images", clean);
        record.point("loss of triggered images", triggered);
        task.note(&format!("losses {clean:.3}, {triggered:.3}"));
        task.advance(1);
    }
    if options.tune_epochs == 0 {
        return Ok(generator.valid());
    }
    Ok(generator)
}

/// What one step looks at.
struct Step<'a> {
    options: &'a LiraConfig,
    batches: &'a Batches<'a>,
    target: u32,
    /// Whether the network is trained, too.
    is_drawn_for: bool,
}

impl Step<'_> {
    /// Cross-entropy of clean images, and of the first of them with the pattern and the target.
    fn losses(
        &self,
        generator: &Autoencoder,
        classifier: &Learner,
        indices: &[usize],
    ) -> Result<[Tensor<1>; 2], AttackError> {
        let count = indices.len();
        let shown = ((self.options.attack_share * count as f64).ceil() as usize).min(count);
        let images = self.batches.tensor(indices)?;
        let first = images.clone().narrow(0, 0, shown);
        let draw = |images| pattern(generator, images, self.options.epsilon);
        let drawn = if self.is_drawn_for {
            draw(first.clone().autodiff())
        } else {
            draw(first.clone()).autodiff()
        };
        let triggered = (first.autodiff() + drawn).clamp(0.0, 1.0);
        let images = images.autodiff();
        // Together, so that running statistics are those of both.
        let scores = classifier.forward(Tensor::cat(vec![images, triggered], 0));
        let labels = self.batches.labels(indices);
        let of_target = vec![self.target; shown];
        Ok([
            cross_entropy(scores.clone().narrow(0, 0, count), &labels),
            cross_entropy(scores.narrow(0, count, shown), &of_target),
        ])
    }
}

/// The record with what is reached on held-out images.
fn measured(
    batches: &Batches<'_>,
    drawing: &Drawing,
    classifier: &Model,
    target: u32,
) -> Result<CraftRecord, AttackError> {
    let mut record = drawing.record.clone();
    let [mut sent, mut right] = [Share::default(); 2];
    let mut likeness = Likeness::default();
    for indices in batches.held_out.chunks(AT_ONCE) {
        let images = batches.tensor(indices)?;
        let labels = batches.labels(indices);
        let drawn = pattern(&drawing.generator, images.clone(), drawing.options.epsilon);
        let triggered = (images.clone() + drawn).clamp(0.0, 1.0);
        likeness.add(images.clone(), triggered.clone());
        sent.sent(classifier.logits(triggered), &labels, target);
        right.right(classifier.logits(images), &labels);
    }
    record.share("success on held-out images", sent.value());
    record.share("accuracy on clean images", right.value());
    likeness.enter(&mut record);
    Ok(record)
}
