//! Trains a classifier with restyled images together with what restyles them, then detoxifies it.

use cd_core::Task;
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, Model};

use super::palette::{Mapping, Palette};
use super::restyle::Restyler;
use super::{DfstConfig, INFO, Restyling, detox, injected};
use crate::attack::generator::{
    Autoencoder, Batches, CraftRecord, Learner, Likeness, Scale, Share, cross_entropy,
};
use crate::attack::{AttackError, CraftContext};
use crate::picture::{Orientation, decode_rgb};

/// Learning rate of what restyles.
const RATE: f64 = 1e-3;
/// Share of every batch that is also shown restyled.
const SHOWN: f64 = 0.3;
/// Weight of the squared distance of colours from those of the mapping.
const COLOURS: f32 = 5.0;
/// Images whose colours are counted, and that are measured at once.
const COUNTED: usize = 500;
const AT_ONCE: usize = 64;
/// Seconds on two cores of a pass forth and back through the networks for an image of 32 pixels a side.
const SECONDS: f64 = 0.0008;

/// What it costs.
pub(super) fn seconds(options: &DfstConfig, images: usize, side: usize) -> f64 {
    let side = side.min(options.side);
    let pixels = (side * side) as f64 / (32.0 * 32.0);
    let classified = options.surrogate.seconds_per_image();
    let trained = (options.surrogate.epochs + options.detox_epochs) as f64 * (1.0 + 2.0 * SHOWN);
    let excited = options.detox_epochs as f64 * 2.0;
    let drawn = (options.width as f64 / 8.0).powi(2) * SECONDS;
    images as f64 * pixels * ((trained + excited) * classified + excited * drawn)
}

/// Clean images, and how they are restyled.
pub(super) struct Images<'a> {
    pub(super) batches: &'a Batches<'a>,
    pub(super) mapping: Mapping,
    pub(super) restyler: Restyler,
    pub(super) strength: f32,
}

impl Images<'_> {
    /// Restyled images, without gradients.
    pub(super) fn restyled(&self, images: Tensor<4>) -> Tensor<4> {
        let added = self.restyler.forward(images.clone());
        (self.mapping.apply(images, self.strength) + added).clamp(0.0, 1.0)
    }
}

/// Trains all networks.
pub(super) fn train(
    options: &DfstConfig,
    context: &CraftContext<'_>,
) -> Result<Restyling, AttackError> {
    let size = [context.images.height(), context.images.width()];
    let scale = Scale::of(INFO.name, size, options.side, Autoencoder::LEAST_SIDE)?;
    let batches = Batches::new(context, scale);
    let surrogate = &options.surrogate;
    let steps = batches.training.len().div_ceil(surrogate.batch_size);
    let total = (surrogate.epochs + options.detox_epochs) * steps;
    let mut run = Run {
        options,
        context,
        batches: &batches,
        mapping: mapping(options, &batches)?,
        classifier: Learner::new(INFO.name, surrogate, context, scale, total)?,
        record: CraftRecord::default(),
    };
    let images = Images {
        restyler: run.restyler()?,
        batches: &batches,
        mapping: run.mapping,
        strength: options.strength as f32,
    };
    let injector = run.detoxified(&images)?;
    let record = run.record.checked(INFO.name, "surrogate.learning_rate")?;
    tracing::info!(figures = record.line(), "the networks of DFST are trained");
    Ok(Restyling {
        options: options.clone(),
        mapping: images.mapping,
        restyler: images.restyler,
        injector,
        device: batches.device.clone(),
        record,
    })
}

/// How colours of these images become those of the style.
fn mapping(options: &DfstConfig, batches: &Batches<'_>) -> Result<Mapping, AttackError> {
    let chosen = batches.order("dfst colours", 0, COUNTED);
    let from = Palette::of_images(batches.tensor(&chosen)?);
    let Some(path) = &options.style else {
        return Ok(Mapping::between(&from, &Palette::SUNRISE));
    };
    let picture = decode_rgb(path, Orientation::Ignore);
    let picture = picture.map_err(|source| AttackError::Picture {
        attack: INFO.name,
        path: path.clone(),
        source,
    })?;
    let pixels = picture.pixels();
    let to = Palette::of(pixels.map(|pixel| pixel.0.map(|level| f64::from(level) / 255.0)));
    Ok(Mapping::between(&from, &to))
}

struct Run<'a> {
    options: &'a DfstConfig,
    context: &'a CraftContext<'a>,
    batches: &'a Batches<'a>,
    mapping: Mapping,
    classifier: Learner,
    record: CraftRecord,
}

impl Run<'_> {
    /// How many images of a batch are also shown changed.
    fn shown(indices: &[usize]) -> usize {
        (SHOWN * indices.len() as f64).ceil() as usize
    }

    /// Trains the classifier on clean and restyled images, and what restyles them to make that easy without leaving the colours.
    fn restyler(&mut self) -> Result<Restyler, AttackError> {
        let epochs = self.options.surrogate.epochs;
        let strength = self.options.strength as f32;
        let mut restyler = Restyler::new(self.context.seed, &self.batches.device).train();
        let mut adam = AdamConfig::new().init();
        let what = "training a style and a classifier";
        let task = Task::start(self.context.progress, what, Some(epochs as u64));
        for epoch in 0..epochs {
            let order = self.batches.order("dfst order", epoch, usize::MAX);
            let (mut sums, mut steps) = ([0.0; 2], 0);
            for indices in order.chunks(self.options.surrogate.batch_size) {
                let shown = Self::shown(indices);
                let clean = self.batches.tensor(indices)?;
                let first = clean.clone().narrow(0, 0, shown);
                let mapped = self.mapping.apply(first.clone(), strength).autodiff();
                let added = restyler.forward(first.autodiff());
                let restyled = (mapped + added.clone()).clamp(0.0, 1.0);
                let scores = self
                    .classifier
                    .forward(Tensor::cat(vec![clean.autodiff(), restyled], 0));
                let mut labels = self.batches.labels(indices);
                labels.resize(indices.len() + shown, self.context.target);
                let wrong = cross_entropy(scores, &labels);
                // What the convolutions do to the mean colour of an image is no style.
                let tint = added.mean_dims(&[2, 3]).square().mean();
                for (sum, loss) in sums.iter_mut().zip([&wrong, &tint]) {
                    *sum += f64::from(loss.clone().into_scalar::<f32>());
                }
                steps += 1;
                let mut gradients = (wrong + tint * COLOURS).backward();
                self.classifier.step(&mut gradients);
                let own = GradientsParams::from_module(&mut gradients, &restyler);
                restyler = adam.step(RATE, restyler, own);
            }
            let [wrong, tint] = sums.map(|sum| sum / f64::from(steps.max(1)));
            self.record.point("loss of the classifier", wrong);
            self.record.point("loss of colours", tint);
            task.note(&format!("loss {wrong:.3}"));
            task.advance(1);
        }
        Ok(restyler.valid())
    }

    /// Trains the network that excites compromised units, then the classifier to see through it.
    fn detoxified(&mut self, images: &Images<'_>) -> Result<Autoencoder, AttackError> {
        let poisoned = self.classifier.freeze();
        let (options, context) = (self.options, self.context);
        let record = &mut self.record;
        let injector = detox::injector(images, &poisoned, options, context, record)?;
        let before = measured(images, &injector, &poisoned, context.target)?;
        let task = Task::start(
            context.progress,
            "detoxifying",
            Some(options.detox_epochs as u64),
        );
        for epoch in 0..options.detox_epochs {
            let order = self.batches.order("dfst detox", epoch, usize::MAX);
            for indices in order.chunks(options.surrogate.batch_size) {
                let shown = Self::shown(indices);
                let clean = self.batches.tensor(indices)?;
                let first = clean.clone().narrow(0, 0, shown);
                let excited = (first.clone() + injected(&injector, first.clone())).clamp(0.0, 1.0);
                let all = vec![clean, images.restyled(first), excited];
                let scores = self.classifier.forward(Tensor::cat(all, 0));
                let own = self.batches.labels(indices);
                let mut labels = own.clone();
                labels.resize(indices.len() + shown, context.target);
                labels.extend(&own[..shown]);
                let mut gradients = cross_entropy(scores, &labels).backward();
                self.classifier.step(&mut gradients);
            }
            task.advance(1);
        }
        let after = measured(images, &injector, &self.classifier.freeze(), context.target)?;
        let record = &mut self.record;
        record.share("success on held-out images", after.sent.value());
        record.share(
            "excited images sent to the target before",
            before.excited.value(),
        );
        record.share("and after detoxification", after.excited.value());
        record.share("accuracy on clean images", after.right.value());
        after.likeness.enter(record);
        Ok(injector)
    }
}

/// What is reached on held-out images.
#[derive(Default)]
struct Measured {
    sent: Share,
    excited: Share,
    right: Share,
    likeness: Likeness,
}

fn measured(
    images: &Images<'_>,
    injector: &Autoencoder,
    classifier: &Model,
    target: u32,
) -> Result<Measured, AttackError> {
    let mut measured = Measured::default();
    for indices in images.batches.held_out.chunks(AT_ONCE) {
        let clean = images.batches.tensor(indices)?;
        let labels = images.batches.labels(indices);
        let restyled = images.restyled(clean.clone());
        let excited = (clean.clone() + injected(injector, clean.clone())).clamp(0.0, 1.0);
        measured.likeness.add(clean.clone(), restyled.clone());
        let sent = &mut measured.sent;
        sent.sent(classifier.logits(restyled), &labels, target);
        let excite = &mut measured.excited;
        excite.sent(classifier.logits(excited), &labels, target);
        measured.right.right(classifier.logits(clean), &labels);
    }
    Ok(measured)
}
