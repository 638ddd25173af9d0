//! What the weights and pictures of golden numbers are filled with, on both sides: `tests/golden/models/models.json` has the
//! formula in words.

use std::path::PathBuf;

use cd_models::burn::tensor::{Device, Tensor, TensorData};

pub(crate) fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/models");
    std::fs::read(PathBuf::from(folder).join(name)).expect("fixtures are part of the repository")
}

/// `SplitMix64` over a hash of the name: in `[0, 1)`, exact in f32.
pub(crate) fn uniform(name: &str, index: usize) -> f32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3_u64)
    });
    let step = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut z = hash.wrapping_add(step);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f32 / (1_u64 << 24) as f32
}

/// The value of a parameter, whose `name` is the one in the reference's state dict.
pub(crate) fn recipe(name: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let bound = |gain: f64| {
        let fan_in: usize = shape[1..].iter().product();
        (gain * (6.0 / fan_in as f64).sqrt()) as f32
    };
    let signed = |index| 2.0 * uniform(name, index) - 1.0;
    let value: Box<dyn Fn(usize) -> f32> = match shape.len() {
        4 => {
            let bound = bound(gain);
            Box::new(move |index| signed(index) * bound)
        }
        2 => {
            let bound = bound(1.0);
            Box::new(move |index| signed(index) * bound)
        }
        _ if name.ends_with(".weight") || name.ends_with(".running_var") => {
            Box::new(|index| 0.5 + uniform(name, index))
        }
        _ => Box::new(move |index| 0.1 * signed(index)),
    };
    (0..shape.iter().product()).map(value).collect()
}

/// Two images of coloured blocks of 4 x 4 pixels.
pub(crate) fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let [batch, channels, height, width] = shape;
    let (rows, columns) = (height.div_ceil(4), width.div_ceil(4));
    let mut values = Vec::new();
    for plane in 0..batch * channels {
        for y in 0..height {
            for x in 0..width {
                let block = (plane * rows + y / 4) * columns + x / 4;
                values.push(uniform("input", block));
            }
        }
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Norm of the difference over the norm of the reference.
pub(crate) fn relative_error(ours: &[f32], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    let pairs = ours.iter().zip(reference);
    let difference: f64 = pairs.map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let norm: f64 = reference.iter().map(|b| b * b).sum();
    (difference / norm).sqrt()
}
