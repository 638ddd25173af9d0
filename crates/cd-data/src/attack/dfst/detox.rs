//! Detoxification: images that excite the compromised units of a classifier, so that it can be taught that those are not enough.

use cd_core::Task;
use cd_models::burn::module::Module;
use cd_models::burn::optim::{AdamConfig, GradientsParams};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Model, Tap, to_host};

use super::train::Images;
use super::{DfstConfig, INFO, injected};
use crate::attack::generator::{Autoencoder, CraftRecord};
use crate::attack::{AttackError, CraftContext};

/// Images on which units are compared.
const COMPARED: usize = 256;
/// Images at once.
const AT_ONCE: usize = 64;
const RATE: f64 = 1e-2;
/// Weight of the squared change of the image.
const LIKENESS: f32 = 10.0;

/// How much a unit of the last map says on average, `[B, F]`.
fn units(model: &Model, images: Tensor<4>) -> Result<Tensor<2>, AttackError> {
    let features = model.features(images, Tap::Deep);
    let features = features.map_err(|error| AttackError::Prepare {
        attack: INFO.name,
        problem: error.to_string(),
    })?;
    Ok(features.mean_dims(&[2, 3]).flatten(1, 3))
}

/// For every unit 1 over the usual difference of restyled images where it is among those with the largest difference, else 0.
pub(super) fn compromised(
    images: &Images<'_>,
    model: &Model,
    options: &DfstConfig,
) -> Result<Vec<f32>, AttackError> {
    let chosen = images.batches.order("dfst units", 0, COMPARED);
    let mut sums: Vec<f32> = Vec::new();
    for indices in chosen.chunks(AT_ONCE) {
        let clean = images.batches.tensor(indices)?;
        let restyled = images.restyled(clean.clone());
        let difference = units(model, restyled)? - units(model, clean)?;
        let row = to_host(difference.sum_dim(0));
        sums.resize(row.len(), 0.0);
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value / chosen.len() as f32;
        }
    }
    let count = (options.unit_share * sums.len() as f64).ceil() as usize;
    let mut order: Vec<usize> = (0..sums.len()).collect();
    order.sort_by(|&one, &other| sums[other].total_cmp(&sums[one]).then(one.cmp(&other)));
    let mut weights = vec![0.0; sums.len()];
    for unit in order.into_iter().take(count) {
        weights[unit] = 1.0 / sums[unit].max(1e-3);
    }
    Ok(weights)
}

/// Trains a network whose images excite these units as much as restyled ones do, changing them little.
pub(super) fn injector(
    images: &Images<'_>,
    model: &Model,
    options: &DfstConfig,
    context: &CraftContext<'_>,
    record: &mut CraftRecord,
) -> Result<Autoencoder, AttackError> {
    let weights = compromised(images, model, options)?;
    let device = &images.batches.device;
    let count = weights.iter().filter(|weight| **weight > 0.0).count();
    record.figure("compromised units", count as f64, "");
    let weights = TensorData::new(weights.clone(), [1, weights.len()]);
    let weights = Tensor::<2>::from_data(weights, device).autodiff();
    // Not the values of the other networks.
    let seed = context.seed ^ 0x6465_746f;
    let mut network = Autoencoder::new(options.width, 3, seed, device).train();
    let mut adam = AdamConfig::new().init();
    let total = options.detox_epochs as u64;
    let task = Task::start(context.progress, "exciting compromised units", Some(total));
    for epoch in 0..options.detox_epochs {
        let order = images.batches.order("dfst injector", epoch, usize::MAX);
        let (mut sum, mut steps) = (0.0, 0);
        for indices in order.chunks(options.surrogate.batch_size) {
            let clean = images.batches.tensor(indices)?;
            let before = units(model, clean.clone())?.autodiff();
            let added = injected(&network, clean.clone().autodiff());
            let changed = (clean.autodiff() + added.clone()).clamp(0.0, 1.0);
            // 1 is what restyling does; more is not asked for.
            let excited = ((units(model, changed)? - before) * weights.clone()).sum_dim(1);
            let excited = (excited / count.max(1) as f32).clamp_max(1.0).mean();
            let loss = added.square().mean() * LIKENESS - excited;
            sum += f64::from(loss.clone().into_scalar::<f32>());
            steps += 1;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = adam.step(RATE, network, gradients);
        }
        let loss = sum / f64::from(steps.max(1));
        record.point("loss of detoxification", loss);
        task.note(&format!("loss {loss:.3}"));
        task.advance(1);
    }
    Ok(network.valid())
}
