//! Trains encoder and decoder together: first to pass the secret on, then to change the image little.

use cd_core::Task;
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Device, to_host};
use rand::Rng;

use super::network::{Decoder, Encoder};
use super::{Hiding, INFO, IssbaConfig, repeated};
use crate::attack::generator::{Batches, CraftRecord, Likeness, Scale, numbered};
use crate::attack::{AttackError, CraftContext};

/// Steps between two looks at how well it goes.
const LOOK_EVERY: usize = 50;
/// Share of the bits that must be recovered before the image counts.
const ENOUGH_BITS: f64 = 0.9;
/// Share of the bits that must be recovered at the end.
const ALL_BITS: f64 = 0.995;
/// Steps over which the weight of the image rises.
const RAMP: f64 = 300.0;
/// Images that are measured at once.
const AT_ONCE: usize = 64;
/// Seconds on two cores of a step for an image of 32 pixels a side at 8 channels.
const SECONDS: f64 = 0.0009;

/// What it costs at most.
pub(super) fn seconds(options: &IssbaConfig, side: usize) -> f64 {
    let side = side.min(options.side);
    let pixels = (side * side) as f64 / (32.0 * 32.0);
    let width = (options.width as f64 / 8.0).powi(2);
    (options.steps * options.batch_size) as f64 * SECONDS * pixels * width
}

/// Trains both networks.
pub(super) fn train(
    options: &IssbaConfig,
    context: &CraftContext<'_>,
) -> Result<Hiding, AttackError> {
    let size = [context.images.height(), context.images.width()];
    let scale = Scale::of(INFO.name, size, options.side, Encoder::LEAST_SIDE)?;
    let batches = Batches::new(context, scale);
    let mut record = CraftRecord::default();
    let mut pair = Pair::new(options, context.seed, &batches.device);
    let task = Task::start(
        context.progress,
        "training an encoder and a decoder",
        Some(options.steps as u64),
    );
    let mut look = Look::default();
    for step in 0..options.steps {
        let mut random = numbered(context.seed, "issba images", step);
        let count = options.batch_size;
        let chosen: Vec<usize> = (0..count)
            .map(|_| batches.training[random.random_range(0..batches.training.len())])
            .collect();
        let mut random = numbered(context.seed, "issba secrets", step);
        let secrets = (0..count * options.bits).map(|_| f32::from(random.random::<bool>()));
        let secrets = TensorData::new(secrets.collect::<Vec<_>>(), [count, options.bits]);
        let secrets = Tensor::from_data(secrets, &batches.device);
        let weight = look.weight(step) * options.image_weight;
        look.add(pair.step(batches.tensor(&chosen)?, secrets, weight as f32));
        task.advance(1);
        if (step + 1) % LOOK_EVERY == 0 || step + 1 == options.steps {
            let end = look.at(step + 1, options.psnr, &mut record);
            task.note(&look.said);
            if end {
                break;
            }
        }
    }
    let encoder = pair.encoder.valid();
    let right = measure(
        &batches,
        &encoder,
        &pair.decoder.valid(),
        options,
        &mut record,
    )?;
    let record = record.checked(INFO.name, "learning_rate")?;
    tracing::info!(figures = record.line(), "the encoder of ISSBA is trained");
    if right < ENOUGH_BITS {
        tracing::warn!(
            share = right,
            "few bits of the secret are recovered; more `steps` help, or fewer `bits`"
        );
    }
    Ok(Hiding {
        options: options.clone(),
        encoder,
        device: batches.device.clone(),
        record,
    })
}

/// Both networks with their optimisers.
struct Pair<'a> {
    options: &'a IssbaConfig,
    encoder: Encoder,
    decoder: Decoder,
    optimizers: [ModuleOptimizer; 2],
}

/// Loss, share of recovered bits and mean squared difference of a step.
type Stepped = [f64; 3];

impl<'a> Pair<'a> {
    fn new(options: &'a IssbaConfig, seed: u64, device: &Device) -> Self {
        let (width, bits) = (options.width, options.bits);
        let adam = || AdamConfig::new().init();
        Self {
            options,
            encoder: Encoder::new(width, bits, seed, device).train(),
            decoder: Decoder::new(width, bits, seed, device).train(),
            optimizers: [adam(), adam()],
        }
    }

    fn step(&mut self, images: Tensor<4>, secrets: Tensor<2>, weight: f32) -> Stepped {
        let images = images.autodiff();
        let drawn = self
            .encoder
            .forward(images.clone(), secrets.clone().autodiff());
        let hidden = (images.clone() + drawn).clamp(0.0, 1.0);
        let read = self.decoder.forward(hidden.clone());
        let right = recovered(read.clone().inner(), secrets.clone());
        let wrong = bit_loss(read, secrets.autodiff());
        let different = (hidden - images).square().mean();
        let loss = wrong + different.clone() * weight;
        let scalar = |x: &Tensor<1>| f64::from(x.clone().into_scalar::<f32>());
        let stepped = [scalar(&loss), right, scalar(&different)];
        let mut gradients = loss.backward();
        let rate = self.options.learning_rate;
        let of_encoder = GradientsParams::from_module(&mut gradients, &self.encoder);
        let of_decoder = GradientsParams::from_module(&mut gradients, &self.decoder);
        let [encoding, decoding] = &mut self.optimizers;
        self.encoder = encoding.step(rate, self.encoder.clone(), of_encoder);
        self.decoder = decoding.step(rate, self.decoder.clone(), of_decoder);
        stepped
    }
}

/// Mean cross-entropy of bits, `read` being above 0 where a 1 is read.
fn bit_loss(read: Tensor<2>, bits: Tensor<2>) -> Tensor<1> {
    let rest = (read.clone().abs().neg().exp() + 1.0).log();
    (read.clone().clamp_min(0.0) - read * bits + rest).mean()
}

/// Share of the bits that are read right.
fn recovered(read: Tensor<2>, bits: Tensor<2>) -> f64 {
    let (read, bits) = (to_host(read), to_host(bits));
    let right = read.iter().zip(&bits);
    let right = right.filter(|(read, bit)| (**read > 0.0) == (**bit > 0.5));
    right.count() as f64 / bits.len().max(1) as f64
}

/// How well it goes since the last look.
#[derive(Default)]
struct Look {
    sums: Stepped,
    steps: usize,
    /// The step from which on the image counts.
    since: Option<usize>,
    said: String,
}

impl Look {
    fn add(&mut self, stepped: Stepped) {
        for (sum, value) in self.sums.iter_mut().zip(stepped) {
            *sum += value;
        }
        self.steps += 1;
    }

    /// Weight of the image in this step, 0 to 1.
    fn weight(&self, step: usize) -> f64 {
        let since = self.since.map_or(0.0, |since| (step - since) as f64);
        (since / RAMP).min(1.0)
    }

    /// Enters what happened before `step`; whether it is good enough.
    fn at(&mut self, step: usize, psnr: f64, record: &mut CraftRecord) -> bool {
        let [loss, right, different] = self.sums.map(|sum| sum / self.steps.max(1) as f64);
        let decibels = -10.0 * different.max(1e-12).log10();
        record.point("loss", loss);
        record.point("share of the bits recovered", right);
        record.point("PSNR in 100 dB", decibels / 100.0);
        self.said = format!("{:.1} % of the bits, {decibels:.1} dB", 100.0 * right);
        (self.sums, self.steps) = ([0.0; 3], 0);
        if self.since.is_none() && right > ENOUGH_BITS {
            self.since = Some(step);
        }
        self.since.is_some() && right >= ALL_BITS && decibels >= psnr
    }
}

/// Enters what the networks reach on held-out images, as bytes and with the secret of the attack; gives the share of recovered bits.
fn measure(
    batches: &Batches<'_>,
    encoder: &Encoder,
    decoder: &Decoder,
    options: &IssbaConfig,
    record: &mut CraftRecord,
) -> Result<f64, AttackError> {
    let (secret, mut likeness, mut right) = (options.secret(), Likeness::default(), 0.0);
    for indices in batches.held_out.chunks(AT_ONCE) {
        let images = batches.tensor(indices)?;
        let secrets = repeated(&secret, indices.len(), &batches.device);
        let drawn = encoder.forward(images.clone(), secrets.clone());
        let hidden = ((images.clone() + drawn).clamp(0.0, 1.0) * 255.0).round() / 255.0;
        likeness.add(images, hidden.clone());
        right += indices.len() as f64 * recovered(decoder.forward(hidden), secrets);
    }
    let right = right / batches.held_out.len().max(1) as f64;
    record.share("bits recovered on held-out images", right);
    likeness.enter(record);
    Ok(right)
}
