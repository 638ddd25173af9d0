//! What light, lens and sensor do to a picture.

use rand::Rng;

use super::canvas::{Canvas, SIDE};
use super::geometry::point;

/// Photographs the canvas: shadow, exposure, blur and noise. Returns `[H, W, 3]` bytes.
pub(super) fn photograph(rng: &mut impl Rng, mut canvas: Canvas) -> Vec<u8> {
    if rng.random_bool(0.35) {
        cast_shadow(rng, &mut canvas);
    }
    expose(rng, &mut canvas);
    blur(rng, &mut canvas);
    develop(rng, &canvas)
}

/// Darkens one side of a line across the picture.
fn cast_shadow(rng: &mut impl Rng, canvas: &mut Canvas) {
    let middle = SIDE as f32 / 2.0;
    let edge = point(
        middle + rng.random_range(-8.0..8.0),
        middle + rng.random_range(-8.0..8.0),
    );
    let towards_light = point(1.0, 0.0).rotated(rng.random_range(0.0..std::f32::consts::TAU));
    let darkest = rng.random_range(0.5..0.8);
    let softness = rng.random_range(0.5..4.0);
    canvas.map(|place, colour| {
        let lit = ((place - edge).dot(towards_light) / softness + 0.5).clamp(0.0, 1.0);
        colour.map(|value| value * (darkest + (1.0 - darkest) * lit))
    });
}

/// Brightness, contrast and a colour cast.
fn expose(rng: &mut impl Rng, canvas: &mut Canvas) {
    let brightness = rng.random_range(0.65..1.2);
    let contrast = rng.random_range(0.7..1.15);
    let cast: [f32; 3] = std::array::from_fn(|_| brightness * rng.random_range(0.9..1.1));
    let pivot = 0.5 * brightness;
    canvas.map(|_, colour| {
        std::array::from_fn(|channel| pivot + (colour[channel] * cast[channel] - pivot) * contrast)
    });
}

/// A lens slightly out of focus and, now and then, a hand that moved.
fn blur(rng: &mut impl Rng, canvas: &mut Canvas) {
    let side_weight = rng.random_range(0.0..0.17);
    let weights = [side_weight, 1.0 - 2.0 * side_weight, side_weight];
    canvas.convolve((0, 1), &weights);
    canvas.convolve((1, 0), &weights);
    if rng.random_bool(0.15) {
        let direction = DIRECTIONS[rng.random_range(0..DIRECTIONS.len())];
        canvas.convolve(direction, &[0.25, 0.5, 0.25]);
    }
}

/// Steps in rows and columns.
const DIRECTIONS: [(isize, isize); 4] = [(0, 1), (1, 0), (1, 1), (1, -1)];

/// Adds sensor noise and rounds to bytes.
fn develop(rng: &mut impl Rng, canvas: &Canvas) -> Vec<u8> {
    let strength = rng.random_range(0.005..0.03);
    canvas
        .pixels()
        .iter()
        .flatten()
        .map(|value| to_byte(value + strength * bell(rng)))
        .collect()
}

/// 0 to 1 becomes 0 to 255; what lies beyond is clipped.
fn to_byte(value: f32) -> u8 {
    // Conversion to an integer saturates.
    (value * 255.0).round() as u8
}

/// A bell-shaped random number of mean 0 and deviation 1: four uniform ones added up.
///
/// Exact normal numbers would cost more than the rest of the picture.
fn bell(rng: &mut impl Rng) -> f32 {
    let bits = rng.next_u64();
    let sum: u32 = (0..4)
        .map(|part| (bits >> (16 * part)) as u32 & 0xFFFF)
        .sum();
    // Each part has mean 1/2 and variance 1/12, so the sum has mean 2 and variance 1/3.
    (sum as f32 / 65_536.0 - 2.0) * 3.0_f32.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn sensor_noise_has_mean_zero_and_deviation_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let values: Vec<f32> = (0..20_000).map(|_| bell(&mut rng)).collect();
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / count;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn bytes_are_rounded_and_clipped() {
        assert_eq!(
            [-0.5, 0.0, 0.5, 1.0, 7.0].map(to_byte),
            [0, 0, 128, 255, 255]
        );
    }
}
