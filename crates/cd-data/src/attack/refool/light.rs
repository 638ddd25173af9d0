//! Mixing the light of an image with that of a reflection.

use cd_core::CHANNELS;

use super::super::option::Rounding;

/// Grey levels are this power of light.
const GAMMA: f64 = 2.2;
/// Places of the first guess of a grey level.
const GUESSES: usize = 4096;

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
    /// The least light of every level.
    least: Vec<f64>,
    /// The level of the least light of each of equal parts.
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
            least: least.collect(),
            guess: (0..=GUESSES)
                .map(|part| level(part as f64 / GUESSES as f64))
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
        let mut level = self.guess[(light * GUESSES as f64) as usize];
        while level < u8::MAX && light >= self.least[usize::from(level) + 1] {
            level += 1;
        }
        level
    }

    /// Puts a reflection, in light, into an image of the window's size; `own` is the share of the image's own light.
    pub(super) fn reflect(
        &self,
        pixels: &mut [u8],
        mirrored: &[f64],
        window: &Window,
        own: f64,
        reflection: Reflection,
    ) {
        let size = window.size;
        match reflection {
            Reflection::Ghost { offset, first } => {
                let ghosts = ghosts(mirrored, size, offset, first);
                for (pixel, ghost) in pixels.iter_mut().zip(ghosts) {
                    *pixel = self.level(own * self.of(*pixel) + (1.0 - own) * ghost);
                }
            }
            Reflection::Blur { sigma, attenuation } => {
                let mut blurred = blurred(mirrored, size, sigma);
                for channel in 0..CHANNELS {
                    let excess = self.excess(pixels, &blurred, channel) * attenuation;
                    for value in blurred.iter_mut().skip(channel).step_by(CHANNELS) {
                        *value = (*value - excess).clamp(0.0, 1.0);
                    }
                }
                let places = pixels.chunks_exact_mut(CHANNELS);
                let values = blurred.chunks_exact(CHANNELS).zip(&window.weights);
                for (pixel, (values, weight)) in places.zip(values) {
                    for (level, value) in pixel.iter_mut().zip(values) {
                        let shown = value * weight * (1.0 - own / 2.0);
                        *level = self.level(shown + own * self.of(*level));
                    }
                }
            }
        }
    }

    /// By how much a channel is overexposed where it is, on average.
    fn excess(&self, pixels: &[u8], blurred: &[f64], channel: usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        let values = pixels.iter().zip(blurred).skip(channel).step_by(CHANNELS);
        for (&pixel, value) in values {
            let light = value + self.of(pixel);
            if light > 1.0 {
                sum += light;
                count += 1.0;
            }
        }
        (sum / (count + 1e-6)).max(1.0) - 1.0
    }
}

/// Two copies of a reflection, each `offset` before or after the other, cut to where both are and stretched to the size again.
fn ghosts(mirrored: &[f64], size: [usize; 2], offset: [usize; 2], first: f64) -> Vec<f64> {
    let [height, width] = size;
    let [down, right] = [offset[0].min(height - 1), offset[1].min(width - 1)];
    // Between the margins the first copy lies `offset` further than the second.
    let cut = [height - down, width - right];
    let mut both = Vec::with_capacity(cut[0] * cut[1] * CHANNELS);
    for row in 0..cut[0] {
        for column in 0..cut[1] {
            let near = ((row + down) * width + column + right) * CHANNELS;
            let far = (row * width + column) * CHANNELS;
            for channel in 0..CHANNELS {
                let (near, far) = (mirrored[near + channel], mirrored[far + channel]);
                both.push(first * near + (1.0 - first) * far);
            }
        }
    }
    stretched(&both, cut, size)
}

/// Bilinear, pixel centres on pixel centres.
fn stretched(from: &[f64], size: [usize; 2], to: [usize; 2]) -> Vec<f64> {
    let places = |few: usize, many: usize| -> Vec<(usize, usize, f64)> {
        let place = |at: usize| {
            let exact =
                ((at as f64 + 0.5) * few as f64 / many as f64 - 0.5).clamp(0.0, (few - 1) as f64);
            let whole = exact as usize;
            (whole, (whole + 1).min(few - 1), exact - whole as f64)
        };
        (0..many).map(place).collect()
    };
    let (rows, columns) = (places(size[0], to[0]), places(size[1], to[1]));
    let mut values = Vec::with_capacity(to[0] * to[1] * CHANNELS);
    for &(top, bottom, down) in &rows {
        for &(left, right, over) in &columns {
            for channel in 0..CHANNELS {
                let at =
                    |row: usize, column: usize| from[(row * size[1] + column) * CHANNELS + channel];
                let line = |column| at(top, column) * (1.0 - down) + at(bottom, column) * down;
                values.push(line(left) * (1.0 - over) + line(right) * over);
            }
        }
    }
    values
}

/// A Gaussian blur whose kernel ends at twice its deviation; the image is mirrored at its borders, without repeating them.
fn blurred(values: &[f64], [height, width]: [usize; 2], sigma: f64) -> Vec<f64> {
    let reach = (2.0 * sigma).ceil() as usize;
    let distance = |at: usize| at as f64 - reach as f64;
    let kernel: Vec<f64> = (0..=2 * reach)
        .map(|at| (-distance(at) * distance(at) / (2.0 * sigma * sigma)).exp())
        .collect();
    let sum: f64 = kernel.iter().sum();
    let kernel: Vec<f64> = kernel.iter().map(|weight| weight / sum).collect();
    let row_len = width * CHANNELS;
    let mut down = vec![0.0; values.len()];
    for (row, line) in down.chunks_exact_mut(row_len).enumerate() {
        for (at, &weight) in kernel.iter().enumerate() {
            let from = mirror(row + at, reach, height) * row_len;
            for (value, other) in line.iter_mut().zip(&values[from..from + row_len]) {
                *value += weight * other;
            }
        }
    }
    let mut across = vec![0.0; values.len()];
    for (line, from) in across
        .chunks_exact_mut(row_len)
        .zip(down.chunks_exact(row_len))
    {
        for (column, pixel) in line.chunks_exact_mut(CHANNELS).enumerate() {
            for (at, &weight) in kernel.iter().enumerate() {
                let other = mirror(column + at, reach, width) * CHANNELS;
                for (value, other) in pixel.iter_mut().zip(&from[other..other + CHANNELS]) {
                    *value += weight * other;
                }
            }
        }
    }
    across
}

/// The place within `side` that stands for `place - before`.
fn mirror(place: usize, before: usize, side: usize) -> usize {
    if side == 1 {
        return 0;
    }
    let period = 2 * (side - 1);
    let at = (place + period * (before / period + 1) - before) % period;
    at.min(period - at)
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
    fn mirrors_leave_the_border_out() {
        let places: Vec<usize> = (0..9).map(|place| mirror(place, 3, 4)).collect();
        assert_eq!(places, [3, 2, 1, 0, 1, 2, 3, 2, 1]);
        assert_eq!(mirror(70, 64, 4), 0);
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
