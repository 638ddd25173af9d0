//! Planted treatments of whole pictures: a filter and a warp.

use cd_core::CHANNELS;
use rand::Rng;

/// Exponents of a filter's curve: one of these ranges for each colour, brighter or darker.
const BRIGHTER: std::ops::Range<f64> = 0.55..0.75;
const DARKER: std::ops::Range<f64> = 1.4..1.8;
/// Grey levels that a filter takes away at either end, at most.
const TAKEN: f64 = 25.0;
/// Points in each direction whose moves bend an image.
const POINTS: usize = 4;
/// How far they move at most, as a share of the shorter side.
const MOVED: f64 = 1.0 / 64.0;

/// Changes brightness and contrast of each colour by a curve of its own.
pub(super) fn filter(pixels: &mut [u8], random: &mut impl Rng) {
    let curves: [[u8; 256]; CHANNELS] = std::array::from_fn(|_| curve(random));
    for (at, value) in pixels.iter_mut().enumerate() {
        *value = curves[at % CHANNELS][usize::from(*value)];
    }
}

/// The level that each level becomes.
fn curve(random: &mut impl Rng) -> [u8; 256] {
    let exponent = if random.random() {
        random.random_range(BRIGHTER)
    } else {
        random.random_range(DARKER)
    };
    let [low, high] = [(); 2].map(|()| random.random_range(0.0..TAKEN));
    std::array::from_fn(|level| {
        let share = (level as f64 / 255.0).powf(exponent);
        mixed(low + (255.0 - high - low) * share)
    })
}

/// Bends an image `[height, width, 3]` by the moves of a few points, smoothly between them.
pub(super) fn warp(pixels: &mut [u8], [height, width]: [usize; 2], random: &mut impl Rng) {
    let most = MOVED * height.min(width) as f64;
    let moves: [[[f64; 2]; POINTS]; POINTS] = std::array::from_fn(|_| {
        std::array::from_fn(|_| [(); 2].map(|()| random.random_range(-most..=most)))
    });
    let clean = pixels.to_vec();
    for row in 0..height {
        for column in 0..width {
            let [down, right] = moved(&moves, [part(row, height), part(column, width)]);
            let from = [
                (row as f64 + down).clamp(0.0, (height - 1) as f64),
                (column as f64 + right).clamp(0.0, (width - 1) as f64),
            ];
            let start = (row * width + column) * CHANNELS;
            for channel in 0..CHANNELS {
                let level = |row: usize, column: usize| {
                    f64::from(clean[(row * width + column) * CHANNELS + channel])
                };
                pixels[start + channel] = mixed(between([height, width], from, level));
            }
        }
    }
}

/// Where a pixel lies among so many, in steps between the points.
fn part(at: usize, pixels: usize) -> f64 {
    at as f64 / pixels.saturating_sub(1).max(1) as f64 * (POINTS - 1) as f64
}

/// How far the pixel at a place between the points moves.
fn moved(moves: &[[[f64; 2]; POINTS]; POINTS], at: [f64; 2]) -> [f64; 2] {
    [0, 1].map(|axis| between([POINTS; 2], at, |row, column| moves[row][column][axis]))
}

/// What lies at `at` between the values of a grid of `size`.
fn between(size: [usize; 2], at: [f64; 2], value: impl Fn(usize, usize) -> f64) -> f64 {
    let [row, column] = at.map(|one| one as usize);
    let [down, right] = [at[0] - row as f64, at[1] - column as f64];
    let [below, beside] = [(row + 1).min(size[0] - 1), (column + 1).min(size[1] - 1)];
    let line = |row| (1.0 - right) * value(row, column) + right * value(row, beside);
    (1.0 - down) * line(row) + down * line(below)
}

/// The byte nearest to a level.
pub(super) fn mixed(level: f64) -> u8 {
    level.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;

    use super::*;

    #[test]
    fn a_filter_maps_levels_in_their_order_and_leaves_some_out() {
        for seed in 0..20 {
            let curve = curve(&mut stream(seed, 0));
            assert!(curve.is_sorted());
            let mut levels = curve.to_vec();
            levels.dedup();
            assert!(levels.len() < 240, "{}", levels.len());
        }
    }

    #[test]
    fn a_warp_moves_a_ramp_by_no_more_than_its_points() {
        let side = 64;
        let ramp = |at: usize| (at / CHANNELS % side * 4) as u8;
        let clean: Vec<u8> = (0..side * side * CHANNELS).map(ramp).collect();
        let mut bent = clean.clone();
        warp(&mut bent, [side, side], &mut stream(3, 0));
        let most = clean
            .iter()
            .zip(&bent)
            .map(|(one, other)| one.abs_diff(*other))
            .max();
        // A pixel is four levels wide, and a point of 64 pixels moves by one at most.
        assert!((2..=5).contains(&most.expect("not empty")), "{most:?}");
        let mut plain = vec![120; 2 * CHANNELS];
        warp(&mut plain, [1, 2], &mut stream(3, 0));
        assert_eq!(plain, [120; 2 * CHANNELS]);
    }
}
