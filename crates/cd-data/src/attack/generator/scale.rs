//! The size at which networks see images.

use cd_core::{CHANNELS, resample};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Device, quantize, to_host};
use rayon::prelude::*;

use super::autoencoder::resized;
use crate::attack::{AttackError, Batch};

/// Images that a network paints at once.
const AT_ONCE: usize = 64;

/// The size of images, and that at which networks see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::attack) struct Scale {
    /// Height and width.
    own: [usize; 2],
    seen: [usize; 2],
}

impl Scale {
    /// Images of `height` x `width` pixels are shrunk so that their longer side has `most`, if it has more.
    ///
    /// # Errors
    ///
    /// When networks would see fewer than `least` pixels a side.
    pub(in crate::attack) fn of(
        attack: &'static str,
        [height, width]: [usize; 2],
        most: usize,
        least: usize,
    ) -> Result<Self, AttackError> {
        let longer = height.max(width);
        let shrunk = |side: usize| (2 * side * most + longer) / (2 * longer.max(1));
        let seen = if longer > most {
            [shrunk(height), shrunk(width)]
        } else {
            [height, width]
        };
        if seen[0] < least || seen[1] < least {
            return Err(AttackError::TooSmall {
                attack,
                least,
                height,
                width,
            });
        }
        Ok(Self {
            own: [height, width],
            seen,
        })
    }

    /// The size that networks see, height and width.
    pub(in crate::attack) fn seen(self) -> [usize; 2] {
        self.seen
    }

    /// Images `[H, W, 3]` as networks see them: `[B, 3, h, w]` in 0 to 1.
    pub(in crate::attack) fn shrunk<I: AsRef<[u8]> + Sync>(
        self,
        images: &[I],
        device: &Device,
    ) -> Tensor<4> {
        let ([height, width], [to_height, to_width]) = (self.own, self.seen);
        let planes = |image: &I| {
            let pixels = image.as_ref();
            if self.own == self.seen {
                return planes(pixels);
            }
            planes(&resample::triangle(
                pixels,
                (width, height),
                (to_width, to_height),
            ))
        };
        let values: Vec<f32> = images.par_iter().flat_map_iter(planes).collect();
        let shape = [images.len(), CHANNELS, to_height, to_width];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// What a network said, at the size of the images.
    pub(in crate::attack) fn enlarged(self, x: Tensor<4>) -> Tensor<4> {
        resized(x, self.own)
    }

    /// Images at their own size.
    fn whole(self, images: &[&[u8]], device: &Device) -> Tensor<4> {
        let [height, width] = self.own;
        let values: Vec<f32> = images
            .par_iter()
            .flat_map_iter(|image| planes(image))
            .collect();
        let shape = [images.len(), CHANNELS, height, width];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// An image `[H, W, 3]` as planes `[3, H, W]` in 0 to 1.
fn planes(pixels: &[u8]) -> Vec<f32> {
    let channel = |channel| pixels.iter().skip(channel).step_by(CHANNELS);
    let levels = (0..CHANNELS).flat_map(channel);
    levels.map(|&level| f32::from(level) / 255.0).collect()
}

/// Planes `[3, H, W]` in 0 to 1 as an image `[H, W, 3]`, to the nearest level.
pub(super) fn pixels(planes: &[f32]) -> Vec<u8> {
    let levels = quantize(planes);
    let plane_len = levels.len() / CHANNELS;
    let level = |at: usize| levels[at % CHANNELS * plane_len + at / CHANNELS];
    (0..levels.len()).map(level).collect()
}

/// Replaces the images of a batch by what `draw` makes of some of them at a time.
///
/// `draw` gets them at their own size `[B, 3, H, W]`, as networks see them `[B, 3, h, w]`, and where in the batch the first one lies; it
/// gives them back at their own size.
pub(in crate::attack) fn paint(
    batch: &mut Batch,
    scale: Scale,
    device: &Device,
    draw: impl Fn(Tensor<4>, Tensor<4>, usize) -> Tensor<4>,
) {
    let image_len = batch.image_len().max(1);
    let parts = batch.pixels_mut().chunks_mut(AT_ONCE * image_len);
    for (number, part) in parts.enumerate() {
        let images: Vec<&[u8]> = part.chunks_exact(image_len).collect();
        let (whole, seen) = (scale.whole(&images, device), scale.shrunk(&images, device));
        let drawn = to_host(draw(whole, seen, number * AT_ONCE));
        for (image, planes) in part
            .chunks_exact_mut(image_len)
            .zip(drawn.chunks_exact(image_len))
        {
            image.copy_from_slice(&pixels(planes));
        }
    }
}
