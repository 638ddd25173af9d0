//! Artificial triggers of five kinds.

use cd_core::{CHANNELS, Pixels, StorageError, random};
use rand::Rng;

/// Share of the other image in a blend.
const BLENDED: f64 = 0.3;
/// Standard deviation of the noise, in levels of 255.
const NOISE: f64 = 20.0;
/// What a shadow leaves of the light.
const SHADOW: f64 = 0.5;

/// Image `image` of `clean` with an artificial trigger, chosen by seed, round and image.
pub(super) fn corrupted(
    clean: Pixels<'_>,
    image: usize,
    seed: u64,
    round: usize,
) -> Result<Vec<u8>, StorageError> {
    let purpose = random::named(&format!("artificial trigger, round {round}"));
    let mut drawn = random::stream(seed, purpose.wrapping_add(image as u64));
    let mut picture = Picture {
        height: clean.height(),
        width: clean.width(),
        pixels: clean.get(image)?.to_vec(),
    };
    match drawn.random_range(0..5) {
        0 => picture.block(&mut drawn, |_| 255),
        1 => picture.block(&mut drawn, Rng::random),
        2 => picture.noise(&mut drawn),
        3 => picture.shadow(&mut drawn),
        _ => {
            let other = clean.get(drawn.random_range(0..clean.len()))?;
            picture.blend(&other);
        }
    }
    Ok(picture.pixels)
}

struct Picture {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A square of up to a quarter of the side.
    fn block<R: Rng>(&mut self, drawn: &mut R, mut level: impl FnMut(&mut R) -> u8) {
        let most = (self.height.min(self.width) / 4).max(2);
        let side = drawn.random_range(2..=most);
        let (top, left) = (
            drawn.random_range(0..=self.height - side),
            drawn.random_range(0..=self.width - side),
        );
        for y in top..top + side {
            let start = (y * self.width + left) * CHANNELS;
            for byte in &mut self.pixels[start..start + side * CHANNELS] {
                *byte = level(drawn);
            }
        }
    }

    fn noise(&mut self, drawn: &mut impl Rng) {
        for byte in &mut self.pixels {
            // Twelve uniform numbers have a variance of 1.
            let normal = (0..12).map(|_| drawn.random::<f64>()).sum::<f64>() - 6.0;
            *byte = (f64::from(*byte) + NOISE * normal).clamp(0.0, 255.0) as u8;
        }
    }

    /// A triangle in shadow.
    fn shadow(&mut self, drawn: &mut impl Rng) {
        let corners = [(); 3].map(|()| {
            let across = drawn.random::<f64>() * self.width as f64;
            (across, drawn.random::<f64>() * self.height as f64)
        });
        let side = |from: (f64, f64), to: (f64, f64), at: (f64, f64)| {
            (to.0 - from.0) * (at.1 - from.1) - (to.1 - from.1) * (at.0 - from.0)
        };
        for y in 0..self.height {
            for x in 0..self.width {
                let at = (x as f64 + 0.5, y as f64 + 0.5);
                let sides = [0, 1, 2].map(|n| side(corners[n], corners[(n + 1) % 3], at) >= 0.0);
                if sides[0] == sides[1] && sides[1] == sides[2] {
                    let start = (y * self.width + x) * CHANNELS;
                    for byte in &mut self.pixels[start..start + CHANNELS] {
                        *byte = (f64::from(*byte) * SHADOW) as u8;
                    }
                }
            }
        }
    }

    fn blend(&mut self, other: &[u8]) {
        for (byte, other) in self.pixels.iter_mut().zip(other) {
            *byte = ((1.0 - BLENDED) * f64::from(*byte) + BLENDED * f64::from(*other)) as u8;
        }
    }
}
