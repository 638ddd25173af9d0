//! The random fill colours of masked-out pixels.

use cd_models::burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words of the generator reserved for one step of one image.
const WORDS_PER_STEP: u128 = 4;

/// One uniform colour in `[0, 1)` per step and image: a function of (`seed`, image, step) alone, so
/// results do not depend on batches, shards or threads.
///
/// # Shapes
///
/// Output `[steps, B, 3]` for `B` image numbers.
pub(crate) fn colours(seed: u64, images: &[u64], steps: usize, device: &Device) -> Tensor<3> {
    let mut values = vec![0.0_f32; steps * images.len() * 3];
    for (column, &image) in images.iter().enumerate() {
        for step in 0..steps {
            let at = (step * images.len() + column) * 3;
            values[at..at + 3].copy_from_slice(&colour(seed, image, step));
        }
    }
    let shape = [steps, images.len(), 3];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn colour(seed: u64, image: u64, step: usize) -> [f32; 3] {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(image);
    random.set_word_pos(step as u128 * WORDS_PER_STEP);
    random.random()
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
    fn colours_are_uniform() {
        let drawn: Vec<f32> = (0..4000).flat_map(|step| colour(0, 0, step)).collect();
        let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
        assert!(drawn.iter().all(|v| (0.0..1.0).contains(v)));
    }
}
