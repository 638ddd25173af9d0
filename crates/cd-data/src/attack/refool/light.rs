//! Mixing the light of an image with that of a reflection.

use cd_core::CHANNELS;

use super::super::option::Rounding;
use super::blur::blur;
use super::ghosts::ghosts;

/// Grey levels are this power of light.
const GAMMA: f64 = 2.2;
/// Parts of the light for which a grey level is guessed first; a power of two, so that multiplying by it is exact.
const GUESSES: usize = 8192;
/// A number of this size has no room for fractions, so that adding it rounds.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// How a reflection looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reflection {
    /// Twice, by the two sides of the glass.
    Ghost { offset: [usize; 2], first: f64 },
    /// Out of focus.
    Blur { sigma: f64, attenuation: f64 },
}

/// Grey levels to linear light, 0 to 1, and back.
#[derive(Debug)]
pub(super) struct Light {
    of_level: Vec<f64>,
    /// The least light of every level, and no light for the one after the last.
    least: Vec<f64>,
    /// The level of the least light that rounds to each part.
    guess: Vec<u8>,
}

/// The grey level of an amount of light.
fn level(light: f64, rounding: Rounding) -> u8 {
    rounding.byte(light.clamp(0.0, 1.0).powf(1.0 / GAMMA) * 255.0)
}

impl Light {
    pub(super) fn new(rounding: Rounding) -> Self {
        let level = |light| level(light, rounding);
        let below = match rounding {
            Rounding::Truncate => 0.0,
            Rounding::Nearest => 0.5,
        };
        let least = (0..=u8::MAX).map(|wanted| {
            // Within a few units in the last place of where it must be.
            let mut light = ((f64::from(wanted) - below).max(0.0) / 255.0).powf(GAMMA);
            while wanted > 0 && level(light) >= wanted {
                light = light.next_down();
            }
            while level(light) < wanted {
                light = light.next_up();
            }
            light
        });
        Self {
            of_level: (0..=u8::MAX)
                .map(|level| (f64::from(level) / 255.0).powf(GAMMA))
                .collect(),
            least: least.chain([f64::INFINITY]).collect(),
            guess: (0..=GUESSES)
                .map(|part| level((part as f64 - 0.5) / GUESSES as f64))
                .collect(),
        }
    }

    /// The light of a grey level.
    pub(super) fn of(&self, level: u8) -> f64 {
        self.of_level[usize::from(level)]
    }

    /// The grey level of an amount of light: the same as a power, but looked up.
    fn level(&self, light: f64) -> u8 {
        let light = light.clamp(0.0, 1.0);
        let part = (light * GUESSES as f64 + WHOLE).to_bits() as usize % (2 * GUESSES);
        let mut level = self.guess[part];
        while light >= self.least[usize::from(level) + 1] {
            level += 1;
        }
        level
    }

    /// Puts a reflection, as grey levels, into an image of the window's size; `own` is the share of the image's own light.
    pub(super) fn reflect(
        &self,
        pixels: &mut [u8],
        mirrored: &[u8],
        window: &Window,
        own: f64,
        reflection: Reflection,
        room: &mut Room,
    ) {
        let Room {
            light,
            between,
            seen,
        } = room;
        light.clear();
        light.extend(mirrored.iter().map(|&level| self.of(level)));
        let kept: Vec<f64> = self.of_level.iter().map(|light| own * light).collect();
        match reflection {
            Reflection::Ghost { offset, first } => {
                ghosts(light, window.size, offset, first, between, seen);
                for (pixel, ghost) in pixels.iter_mut().zip(&*seen) {
                    *pixel = self.level(kept[usize::from(*pixel)] + (1.0 - own) * ghost);
                }
            }
            Reflection::Blur { sigma, attenuation } => {
                blur(light, window.size, sigma, between, seen);
                let excess = self.excess(pixels, seen).map(|excess| excess * attenuation);
                let (pixels, _) = pixels.as_chunks_mut::<CHANNELS>();
                let values = seen.as_chunks::<CHANNELS>().0.iter().zip(&window.weights);
                for (pixel, (values, weight)) in pixels.iter_mut().zip(values) {
                    for channel in 0..CHANNELS {
                        let value = (values[channel] - excess[channel]).clamp(0.0, 1.0);
                        let shown = value * weight * (1.0 - own / 2.0);
                        let kept = kept[usize::from(pixel[channel])];
                        pixel[channel] = self.level(shown + kept);
                    }
                }
            }
        }
    }

    /// By how much each channel is overexposed where it is, on average.
    fn excess(&self, pixels: &[u8], blurred: &[f64]) -> [f64; CHANNELS] {
        let (mut sums, mut counts) = ([0.0; CHANNELS], [0.0; CHANNELS]);
        let values = blurred.as_chunks::<CHANNELS>().0;
        for (pixel, values) in pixels.as_chunks::<CHANNELS>().0.iter().zip(values) {
            for channel in 0..CHANNELS {
                let light = values[channel] + self.of(pixel[channel]);
                let is_over = light > 1.0;
                sums[channel] += if is_over { light } else { 0.0 };
                counts[channel] += if is_over { 1.0 } else { 0.0 };
            }
        }
        [0, 1, 2].map(|channel| (sums[channel] / (counts[channel] + 1e-6)).max(1.0) - 1.0)
    }
}

/// Room for what is computed on the way, which one image leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Room {
    light: Vec<f64>,
    between: Vec<f64>,
    seen: Vec<f64>,
}

/// The square root of a two-dimensional bell of three deviations to each side, 1 in the middle.
#[derive(Debug)]
pub(super) struct Window {
    size: [usize; 2],
    /// `[height, width]`.
    weights: Vec<f64>,
}

impl Window {
    /// For images of this size, `[height, width]`.
    pub(super) fn new(size: [usize; 2]) -> Self {
        Self {
            size,
            weights: window(size),
        }
    }
}

fn window([height, width]: [usize; 2]) -> Vec<f64> {
    let bell = |side: usize| -> Vec<f64> {
        let step = 7.0 / side as f64;
        let edge = |at: usize| normal(-3.0 - step / 2.0 + (6.0 + step) * at as f64 / side as f64);
        (0..side).map(|at| edge(at + 1) - edge(at)).collect()
    };
    let (down, across) = (bell(height), bell(width));
    let weights = down
        .iter()
        .flat_map(|row| across.iter().map(move |column| (row * column).sqrt()));
    let weights: Vec<f64> = weights.collect();
    let most = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    weights.iter().map(|weight| weight / most).collect()
}

/// The share of a normal distribution below `value`, to 1e-15: a series near the middle, a continued fraction in the tails.
fn normal(value: f64) -> f64 {
    let density = (-value * value / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let mut term = value;
    let mut sum = value;
    for odd in (3..400).step_by(2) {
        term *= value * value / f64::from(odd);
        sum += term;
        if term.abs() < 1e-18 {
            break;
        }
    }
    0.5 + density * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looked_up_levels_equal_the_power() {
        for rounding in [Rounding::Truncate, Rounding::Nearest] {
            let lights = Light::new(rounding);
            for part in 0..100_000 {
                let light = f64::from(part) / 99_999.0;
                assert_eq!(lights.level(light), level(light, rounding), "{light}");
            }
            for grey in 0..=u8::MAX {
                let edge = lights.least[usize::from(grey)];
                assert_eq!(lights.level(edge), level(edge, rounding));
            }
        }
    }

    #[test]
    fn shares_of_the_normal_distribution() {
        for (value, share) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-3.5, 2.326_290_790_355_250_5e-4),
        ] {
            assert!((normal(value) - share).abs() < 1e-14, "{value}");
        }
    }
}
