//! The random fill colours of masked-out pixels.

use cd_core::random;
use cd_models::burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// How the fill colours of an image follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Independent uniform colours, as published.
    #[default]
    Random,
    /// A uniform colour, from which each step goes on by the same amount around the cube of colours, so
    /// that few steps cover the cube evenly (Roberts' additive recurrence, a low-discrepancy sequence).
    Stratified,
    /// As `Stratified`, from one start for all images of a seed: what a colour does to the size of a mask it does to
    /// all of them, and their order is less noisy (common random numbers).
    Shared,
}

impl Fill {
    fn colour(self, seed: u64, image: u64, step: usize) -> [f32; 3] {
        match self {
            Self::Random => colour(seed, image, step),
            Self::Stratified => moved(colour(seed, image, 0), step),
            Self::Shared => moved(colour(seed, 0, 0), step),
        }
    }
}

/// Words of the generator reserved for one step of one image.
const WORDS_PER_STEP: u128 = 4;

/// Step of the recurrence along each axis: 1/g, 1/g^2 and 1/g^3 for the root g of g^4 = g + 1, as fractions of 2^32.
const STRIDES: [u32; 3] = [3_518_319_155, 2_882_110_345, 2_360_945_575];

/// One uniform colour in `[0, 1)` per step and image: a function of (`seed`, image, step) alone, so
/// results do not depend on batches, shards or threads.
///
/// # Shapes
///
/// Output `[steps, B, 3]` for `B` image numbers.
pub(crate) fn colours(
    fill: Fill,
    seed: u64,
    images: &[u64],
    steps: usize,
    device: &Device,
) -> Tensor<3> {
    let mut values = vec![0.0_f32; steps * images.len() * 3];
    for (column, &image) in images.iter().enumerate() {
        for step in 0..steps {
            let at = (step * images.len() + column) * 3;
            values[at..at + 3].copy_from_slice(&fill.colour(seed, image, step));
        }
    }
    let shape = [steps, images.len(), 3];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn colour(seed: u64, image: u64, step: usize) -> [f32; 3] {
    let mut random = random::stream(seed, image);
    random.set_word_pos(step as u128 * WORDS_PER_STEP);
    random.random()
}

/// `colour` after `steps` steps of the recurrence.
fn moved(colour: [f32; 3], steps: usize) -> [f32; 3] {
    std::array::from_fn(|axis| {
        let way = STRIDES[axis].wrapping_mul(steps as u32);
        (colour[axis] + way as f32 / 2.0_f32.powi(32)).fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_belong_to_seed_image_and_step() {
        assert_eq!(colour(1, 2, 3), colour(1, 2, 3));
        for other in [colour(9, 2, 3), colour(1, 9, 3), colour(1, 2, 9)] {
            assert_ne!(colour(1, 2, 3), other);
        }
    }

    #[test]
    fn a_shared_sequence_is_the_same_for_all_images_of_a_seed() {
        let of = |seed, image| [0, 1, 2].map(|step| Fill::Shared.colour(seed, image, step));
        assert_eq!(of(7, 3), of(7, 900));
        assert_ne!(of(7, 3), of(8, 3));
        assert_ne!(of(7, 3)[0], of(7, 3)[1]);
    }

    #[test]
    fn colours_are_uniform() {
        let drawn: Vec<f32> = (0..4000).flat_map(|step| colour(0, 0, step)).collect();
        let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
        assert!(drawn.iter().all(|v| (0.0..1.0).contains(v)));
    }

    #[test]
    fn a_stratified_sequence_starts_anywhere_and_covers_the_cube() {
        let cell = |colour: [f32; 3]| {
            assert!(colour.iter().all(|v| (0.0..1.0).contains(v)), "{colour:?}");
            colour.map(|v| (v * 2.0) as usize)
        };
        for image in 0..20 {
            let start = colour(0, image, 0);
            assert_eq!(moved(start, 0), start);
            let mut cells: Vec<_> = (0..24).map(|step| cell(moved(start, step))).collect();
            cells.sort_unstable();
            cells.dedup();
            assert_eq!(cells.len(), 8, "image {image}");
        }
    }
}
