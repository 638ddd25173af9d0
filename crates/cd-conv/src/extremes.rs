//! The least and the largest value of every channel.

use crate::level::level;
use crate::parallel::each;

/// The least and the largest value of every channel of every image: `2 * channels` values an image, the least first. A channel with
/// a value that is not a number has none.
///
/// # Panics
///
/// When `x` holds no whole number of images of `pixels` pixels with `channels` values each.
pub fn extremes(x: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let image = pixels * channels;
    assert!(image > 0 && x.len().is_multiple_of(image), "whole images");
    let mut found = vec![0.0; x.len() / image * 2 * channels];
    let level = level();
    let tasks = x
        .chunks_exact(image)
        .zip(found.chunks_exact_mut(2 * channels));
    each(tasks, |(image, found)| {
        let (least, largest) = found.split_at_mut(channels);
        level.run(|| of_image(image, least, largest));
    });
    found
}

#[inline(always)]
fn of_image(image: &[f32], least: &mut [f32], largest: &mut [f32]) {
    let channels = least.len();
    least.copy_from_slice(&image[..channels]);
    largest.copy_from_slice(&image[..channels]);
    for pixel in image.chunks_exact(channels) {
        for ((least, largest), &value) in least.iter_mut().zip(&mut *largest).zip(pixel) {
            let lost = value.is_nan();
            *least = if value < *least || lost {
                value
            } else {
                *least
            };
            *largest = if value > *largest || lost {
                value
            } else {
                *largest
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_of_every_image_has_its_own() {
        let pixels = [
            [3.0, -1.0, 0.0],
            [1.0, 5.0, 0.0],
            [2.0, 2.0, 9.0],
            [4.0, -7.0, 9.5],
        ];
        let found = extremes(pixels.as_flattened(), 2, 3);
        assert_eq!(found[..6], [1.0, -1.0, 0.0, 3.0, 5.0, 0.0]);
        assert_eq!(found[6..], [2.0, -7.0, 9.0, 4.0, 2.0, 9.5]);
    }

    #[test]
    fn what_is_no_number_is_not_passed_over() {
        for at in 0..4 {
            let mut x = [1.0, 2.0, 3.0, 4.0, 0.5, 0.5, 0.5, 0.5];
            x[at] = f32::NAN;
            let found = extremes(&x, 4, 1);
            assert!(found[..2].iter().all(|value| value.is_nan()), "{at}");
            assert_eq!(found[2..], [0.5, 0.5]);
        }
    }
}
