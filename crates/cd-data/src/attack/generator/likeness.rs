//! How much images with the trigger look like the clean ones: PSNR and SSIM of bytes.

use cd_core::CHANNELS;
use cd_models::burn::tensor::Tensor;
use cd_models::to_host;

use super::record::CraftRecord;
use super::scale::pixels;

/// Side of the windows of SSIM.
const WINDOW: usize = 7;
/// What keeps SSIM apart from dividing by zero: squares of 1 and 3 % of the range.
const STEADY: [f64; 2] = [6.5025, 58.5225];

/// Sums over pairs of images.
#[derive(Debug, Default)]
pub(in crate::attack) struct Likeness {
    squares: f64,
    values: usize,
    ssim: f64,
    images: usize,
}

impl Likeness {
    /// Adds pairs of images `[B, 3, H, W]` in 0 to 1, which are compared as the bytes that they become.
    pub(in crate::attack) fn add(&mut self, clean: Tensor<4>, triggered: Tensor<4>) {
        let [count, channels, height, width] = clean.dims();
        let image_len = channels * height * width;
        if count * image_len == 0 {
            return;
        }
        let (clean, triggered) = (to_host(clean), to_host(triggered));
        let pairs = clean
            .chunks_exact(image_len)
            .zip(triggered.chunks_exact(image_len));
        for (clean, triggered) in pairs {
            self.pair(&pixels(clean), &pixels(triggered), width);
        }
    }

    fn pair(&mut self, clean: &[u8], triggered: &[u8], width: usize) {
        let squares = clean.iter().zip(triggered).map(|(&clean, &triggered)| {
            let difference = f64::from(clean) - f64::from(triggered);
            difference * difference
        });
        self.squares += squares.sum::<f64>();
        self.values += clean.len();
        self.ssim += ssim(clean, triggered, width);
        self.images += 1;
    }

    /// Peak signal-to-noise ratio of the mean square over all images, in decibels; at most 99, which stands for equal ones.
    pub(in crate::attack) fn psnr(&self) -> f64 {
        let mean = self.squares / self.values.max(1) as f64;
        (10.0 * (255.0 * 255.0 / mean).log10()).min(99.0)
    }

    /// Enters both into a record.
    pub(in crate::attack) fn enter(&self, record: &mut CraftRecord) {
        record.figure("PSNR", self.psnr(), "dB");
        record.figure("SSIM", self.ssim / self.images.max(1) as f64, "");
    }
}

/// Mean over channels and windows of 7 x 7 pixels of the structural similarity of two images `[H, W, 3]` (Wang, Bovik, Sheikh and
/// Simoncelli 2004).
fn ssim(one: &[u8], other: &[u8], width: usize) -> f64 {
    let height = one.len() / (width * CHANNELS);
    let (tall, wide) = (WINDOW.min(height), WINDOW.min(width));
    let mut sum = 0.0;
    let mut count = 0.0;
    for top in 0..=height - tall {
        for left in 0..=width - wide {
            for channel in 0..CHANNELS {
                let places = (top..top + tall).flat_map(|row| {
                    (left..left + wide)
                        .map(move |column| (row * width + column) * CHANNELS + channel)
                });
                sum += window(places, one, other);
                count += 1.0;
            }
        }
    }
    sum / count
}

fn window(places: impl Iterator<Item = usize>, one: &[u8], other: &[u8]) -> f64 {
    let [mut count, mut a, mut b, mut aa, mut bb, mut ab] = [0.0; 6];
    for place in places {
        let (x, y) = (f64::from(one[place]), f64::from(other[place]));
        count += 1.0;
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let (a, b) = (a / count, b / count);
    let (aa, bb, ab) = (aa / count - a * a, bb / count - b * b, ab / count - a * b);
    let [c1, c2] = STEADY;
    (2.0 * a * b + c1) * (2.0 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2))
}

#[cfg(test)]
mod tests {
    use cd_models::Device;

    use super::*;

    #[test]
    fn equal_images_are_alike_and_noisy_ones_less_so() {
        let device = Device::default();
        let clean = Tensor::<4>::full([1, 3, 8, 9], 0.5, &device);
        let mut same = Likeness::default();
        same.add(clean.clone(), clean.clone());
        assert_eq!((same.psnr(), same.ssim), (99.0, 1.0));
        let mut other = Likeness::default();
        // 128 and 153 grey levels.
        other.add(clean.clone(), clean + 0.1);
        assert!((other.psnr() - 20.172).abs() < 0.01, "{}", other.psnr());
        let expected =
            (2.0 * 128.0 * 153.0 + STEADY[0]) / (128.0 * 128.0 + 153.0 * 153.0 + STEADY[0]);
        assert!((other.ssim - expected).abs() < 1e-9, "{}", other.ssim);
    }
}
