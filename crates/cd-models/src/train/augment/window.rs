//! Parts of images, enlarged.

use cd_core::CHANNELS;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A rectangle inside an image.
pub(super) struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Window {
    /// Area uniform in `[smallest, 1]`, logarithm of the ratio uniform; sides are cut to the image.
    pub(super) fn drawn(
        height: usize,
        width: usize,
        smallest: f64,
        elongation: f64,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let area: f64 = random.random_range(smallest..=1.0);
        let reach = elongation.ln();
        let ratio: f64 = random.random_range(-reach..=reach);
        let part = |side: usize, factor: f64| {
            let length = (side as f64 * (area * factor.exp()).sqrt()).round();
            (length as usize).clamp(1, side)
        };
        let (own_height, own_width) = (part(height, -ratio), part(width, ratio));
        Self {
            top: random.random_range(0..=height - own_height),
            left: random.random_range(0..=width - own_width),
            height: own_height,
            width: own_width,
        }
    }

    /// The window at the size of the image, between pixel centres.
    pub(super) fn enlarged(&self, source: &[u8], height: usize, width: usize) -> Vec<u8> {
        let place = |at: usize, from: usize, own: usize, whole: usize| {
            let exact = (at as f32 + 0.5) * own as f32 / whole as f32 - 0.5;
            let exact = exact.clamp(0.0, (own - 1) as f32);
            let low = exact as usize;
            (
                from + low,
                from + (low + 1).min(own - 1),
                exact - low as f32,
            )
        };
        let mut target = Vec::with_capacity(source.len());
        for y in 0..height {
            let (above, below, down) = place(y, self.top, self.height, height);
            for x in 0..width {
                let (near, far, right) = place(x, self.left, self.width, width);
                for channel in 0..CHANNELS {
                    let at = |y: usize, x: usize| {
                        f32::from(source[(y * width + x) * CHANNELS + channel])
                    };
                    let mix = |y: usize| at(y, near) + (at(y, far) - at(y, near)) * right;
                    let value = mix(above) + (mix(below) - mix(above)) * down;
                    target.push(value.round() as u8);
                }
            }
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<u8> {
        (0..8 * 8 * 3).map(|at| 20 + at as u8).collect()
    }

    #[test]
    fn a_window_of_the_whole_image_is_the_image_and_half_of_it_is_between_pixels() {
        let source = ramp();
        let whole = Window {
            top: 0,
            left: 0,
            height: 8,
            width: 8,
        };
        assert_eq!(whole.enlarged(&source, 8, 8), source);
        let pair = Window {
            top: 0,
            left: 0,
            height: 1,
            width: 2,
        };
        let small = [0, 0, 0, 100, 100, 100, 9, 9, 9, 9, 9, 9];
        let red: Vec<u8> = pair.enlarged(&small, 2, 2).into_iter().step_by(3).collect();
        assert_eq!(red, [0, 100, 0, 100]);
        let one = Window { width: 1, ..pair };
        assert!(one.enlarged(&small, 2, 2).iter().all(|&value| value == 0));
    }
}
