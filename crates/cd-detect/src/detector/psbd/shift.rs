//! What dropout does to predictions.

use cd_core::{Pixels, random};
use cd_models::burn::tensor::{Device, Tensor, TensorData};
use cd_models::{Model, to_host};
use rand::Rng;

use super::Psbd;
use crate::detector::confidence::softmax;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::sweep::{Batch, Column, Kind, Sweep};

/// Passes at each rate.
const PASSES: usize = 3;
const LOSSES: &str = "losses";
const SHIFTED: &str = "shifted";

/// What every rate does to a set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shifts {
    /// By rate, for each image: the confidence in its prediction less the mean of it under dropout.
    pub(super) losses: Vec<Vec<f64>>,
    /// By rate: the share of images and passes whose prediction changes.
    pub(super) shifted: Vec<f64>,
}

/// Uniform numbers, one for each value of an image behind a block: of seed, pass, block, image and their number.
pub(super) type Uniforms = fn(u64, usize, usize, u64, usize) -> Vec<f32>;

/// Those of the toolkit.
pub(super) fn uniforms(seed: u64, pass: usize, block: usize, image: u64, count: usize) -> Vec<f32> {
    let purpose = random::named(&format!("dropout, pass {pass}, block {block}"));
    let mut drawn = random::stream(seed, purpose.wrapping_add(image));
    (0..count).map(|_| drawn.random()).collect()
}

/// Shifts of all images; `None` when parts of other shards are missing.
pub(super) fn swept(
    name: &str,
    evidence: &Evidence<'_>,
    images: Pixels<'_>,
    rates: &[f64],
    seed: u64,
) -> Result<Option<Shifts>, DetectError> {
    let model = evidence.trainable()?;
    let sweep = Sweep {
        name,
        task: "dropping values",
        settings: &format!("{rates:?} {seed}"),
        images,
        columns: &[(LOSSES, Kind::Vectors), (SHIFTED, Kind::Vectors)],
    };
    let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
        let (losses, shifted) = of_batch(model, images, &numbers, rates, seed, uniforms)?;
        let column = |values| Column::Vectors {
            width: rates.len(),
            values,
        };
        Ok(vec![column(losses), column(shifted)])
    })?;
    Ok(swept.map(|mut swept| {
        let (losses, shifted) = (swept.vectors(LOSSES), swept.vectors(SHIFTED));
        let column = |matrix: &cd_core::Matrix, rate: usize| -> Vec<f64> {
            let rows = 0..matrix.rows();
            rows.map(|row| f64::from(matrix.row(row)[rate])).collect()
        };
        Shifts {
            losses: (0..rates.len()).map(|rate| column(&losses, rate)).collect(),
            shifted: (0..rates.len())
                .map(|rate| column(&shifted, rate).iter().sum::<f64>() / images.len() as f64)
                .collect(),
        }
    }))
}

/// Losses of confidence and shares of shifted passes, image after image, one of each rate.
pub(super) fn of_batch(
    model: &Model,
    images: Tensor<4>,
    numbers: &[u64],
    rates: &[f64],
    seed: u64,
    uniforms: Uniforms,
) -> Result<(Vec<f32>, Vec<f32>), DetectError> {
    let device = images.device();
    let plain = {
        let device = device.clone();
        let ones = move |_, dims: [usize; 4]| Tensor::ones(dims, &device);
        let (logits, sums) = model.logits_with_factors(images.clone(), ones);
        if sums == 0 {
            return Err(DetectError::Unfit {
                detector: Psbd::INFO.name,
                reason: "it has no residual blocks to drop values behind",
            });
        }
        shares(logits)
    };
    let own: Vec<usize> = plain.iter().map(|shares| best(shares)).collect();
    if let Some(at) = plain
        .iter()
        .position(|shares| shares.iter().any(|v| !v.is_finite()))
    {
        return Err(DetectError::ModelOutput { index: numbers[at] });
    }
    let mut losses = vec![0.0; numbers.len() * rates.len()];
    let mut shifted = losses.clone();
    for (at, &rate) in rates.iter().enumerate() {
        for pass in 0..PASSES {
            let dropped = factors(&device, numbers.to_vec(), rate, (seed, pass), uniforms);
            let (logits, _) = model.logits_with_factors(images.clone(), dropped);
            for (image, shares) in shares(logits).iter().enumerate() {
                let place = image * rates.len() + at;
                let class = own[image];
                losses[place] += ((plain[image][class] - shares[class]) / PASSES as f64) as f32;
                if best(shares) != class {
                    shifted[place] += 1.0 / PASSES as f32;
                }
            }
        }
    }
    Ok((losses, shifted))
}

/// 0 for what is dropped, and what keeps the mean for the rest.
fn factors(
    device: &Device,
    numbers: Vec<u64>,
    rate: f64,
    (seed, pass): (u64, usize),
    uniforms: Uniforms,
) -> impl FnMut(usize, [usize; 4]) -> Tensor<4> + 'static {
    let device = device.clone();
    let (least, kept) = (rate as f32, (1.0 / (1.0 - rate)) as f32);
    move |block, dims| {
        let count = dims[1] * dims[2] * dims[3];
        let drawn = numbers
            .iter()
            .flat_map(|&image| uniforms(seed, pass, block, image, count));
        let values: Vec<f32> = drawn.map(|u| if u < least { 0.0 } else { kept }).collect();
        Tensor::from_data(TensorData::new(values, dims), &device)
    }
}

/// Class probabilities of each image.
fn shares(logits: Tensor<2>) -> Vec<Vec<f64>> {
    let classes = logits.dims()[1];
    to_host(logits).chunks_exact(classes).map(softmax).collect()
}

fn best(shares: &[f64]) -> usize {
    (0..shares.len()).fold(0, |best, k| if shares[k] > shares[best] { k } else { best })
}
