//! Adding a pattern to an image and stretching the sums to the full range.
//!
//! Bytes are those of double precision. Whole numbers find the few runs of values in which the least and the largest sum can be, and
//! single precision gives all bytes of a run unless one of them is too close to the next to tell; double precision decides there.

use super::super::option::Rounding;

/// Values that are tried together for their range, and for their bytes.
const RANGE_RUN: usize = 128;
const BYTE_RUN: usize = 32;
/// Parts of a grey level: the sum of the largest pixel and a pattern of 1 still fits 16 bits.
const PARTS: i16 = 64;
/// Parts by which the sum of rounded parts may miss the order of two sums: half a part each, and what double precision rounds.
const MISSED: i16 = 2;
/// A number of this size has no room for fractions, so that adding it rounds.
const WHOLE: f32 = 12_582_912.0;

/// A pattern that is added, as `[height, width, 3]`.
#[derive(Debug)]
pub(super) struct Stretch {
    values: Vec<f64>,
    coarse: Option<Coarse>,
    /// Grey levels as fractions of 1.
    levels: Vec<f64>,
    rounding: Rounding,
}

/// The pattern in grey levels.
#[derive(Debug)]
struct Coarse {
    parts: Vec<i16>,
    singles: Vec<f32>,
}

impl Stretch {
    /// `values` are fractions of 1.
    pub(super) fn new(values: &[f64], rounding: Rounding) -> Self {
        let levels = || values.iter().map(|value| value * 255.0);
        let fits = values.iter().all(|value| value.abs() <= 1.0);
        let coarse = fits.then(|| Coarse {
            parts: levels()
                .map(|level| (level * f64::from(PARTS)).round() as i16)
                .collect(),
            singles: levels().map(|level| level as f32).collect(),
        });
        Self {
            values: values.to_vec(),
            coarse,
            levels: (0..=u8::MAX)
                .map(|level| f64::from(level) / 255.0)
                .collect(),
            rounding,
        }
    }

    /// Changes an image of the pattern's size; one that is plain after adding stays.
    pub(super) fn apply(&self, pixels: &mut [u8]) {
        let [low, high] = match &self.coarse {
            Some(coarse) => self.ends_of_runs(pixels, coarse),
            None => self.ends(pixels, &self.values),
        };
        if high <= low {
            return;
        }
        let ends = [low, high];
        match &self.coarse {
            Some(coarse) => self.write_runs(pixels, coarse, ends),
            None => self.write(pixels, &self.values, ends),
        }
    }

    fn sum(&self, pixel: u8, value: f64) -> f64 {
        self.levels[usize::from(pixel)] + value
    }

    /// The least and the largest sum.
    fn ends(&self, pixels: &[u8], values: &[f64]) -> [f64; 2] {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (&pixel, &value) in pixels.iter().zip(values) {
            let sum = self.sum(pixel, value);
            low = low.min(sum);
            high = high.max(sum);
        }
        [low, high]
    }

    /// [`ends`](Self::ends), looked for only in the runs that may hold them.
    fn ends_of_runs(&self, pixels: &[u8], coarse: &Coarse) -> [f64; 2] {
        let runs = pixels.chunks(RANGE_RUN).zip(coarse.parts.chunks(RANGE_RUN));
        let ends: Vec<[i16; 2]> = runs.map(|(pixels, parts)| ends_of(pixels, parts)).collect();
        let least = ends.iter().fold(i16::MAX, |least, run| least.min(run[0]));
        let largest = ends.iter().fold(i16::MIN, |most, run| most.max(run[1]));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let runs = pixels.chunks(RANGE_RUN).zip(self.values.chunks(RANGE_RUN));
        for ((pixels, values), run) in runs.zip(&ends) {
            let near = [run[0].saturating_sub(least), largest.saturating_sub(run[1])];
            if near.iter().any(|near| *near <= MISSED) {
                let [least, largest] = self.ends(pixels, values);
                low = low.min(least);
                high = high.max(largest);
            }
        }
        [low, high]
    }

    fn write(&self, pixels: &mut [u8], values: &[f64], [low, high]: [f64; 2]) {
        let range = high - low;
        for (pixel, &value) in pixels.iter_mut().zip(values) {
            let sum = self.sum(*pixel, value);
            *pixel = self.rounding.byte((sum - low) / range * 255.0);
        }
    }

    /// [`write`](Self::write), a run at a time in single precision where that is sure.
    fn write_runs(&self, pixels: &mut [u8], coarse: &Coarse, ends: [f64; 2]) {
        let slope = 1.0 / (ends[1] - ends[0]);
        let offset = self.rounding.half() - 0.5 - 255.0 * slope * ends[0];
        // Five roundings of numbers up to 512 times the slope, and that of the result.
        let doubt = 2e-4 * slope + 2e-5;
        let line = [slope as f32, offset as f32, (0.5 - doubt) as f32];
        let (runs, rest) = pixels.as_chunks_mut::<BYTE_RUN>();
        let (singles, _) = coarse.singles.as_chunks::<BYTE_RUN>();
        let (values, last) = self.values.as_chunks::<BYTE_RUN>();
        for ((pixels, singles), values) in runs.iter_mut().zip(singles).zip(values) {
            match sure_bytes(pixels, singles, line) {
                Some(bytes) => *pixels = bytes,
                None => self.write(pixels, values, ends),
            }
        }
        self.write(rest, last, ends);
    }
}

/// The least and the largest sum of a run, in parts of a grey level.
fn ends_of(pixels: &[u8], parts: &[i16]) -> [i16; 2] {
    let (mut low, mut high) = (i16::MAX, i16::MIN);
    for (&pixel, &part) in pixels.iter().zip(parts) {
        let sum = PARTS * i16::from(pixel) + part;
        low = low.min(sum);
        high = high.max(sum);
    }
    [low, high]
}

/// `slope (pixel + single) + offset`, rounded; `None` if one of them is further than `sure` from the whole number.
fn sure_bytes(
    pixels: &[u8; BYTE_RUN],
    singles: &[f32; BYTE_RUN],
    [slope, offset, sure]: [f32; 3],
) -> Option<[u8; BYTE_RUN]> {
    let mut bytes = [0; BYTE_RUN];
    let mut doubtful = 0;
    for ((byte, &pixel), single) in bytes.iter_mut().zip(pixels).zip(singles) {
        let level = (f32::from(pixel) + single) * slope + offset;
        let shifted = level + WHOLE;
        let fraction = level - (shifted - WHOLE);
        doubtful |= u32::from(fraction.abs() > sure);
        *byte = shifted.to_bits() as u8;
    }
    (doubtful == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images and patterns that follow formulas.
    fn cases() -> Vec<(Vec<u8>, Vec<f64>)> {
        let mut cases = Vec::new();
        for side in [5, 28, 33] {
            let count = side * side * 3;
            for (peak, spread) in [(0.2, 97), (1.0, 256), (-0.7, 3), (0.0, 200), (1e-4, 1)] {
                let byte = |at: usize| ((at * at / 7 + 31 * at) % spread) as u8;
                let value = |at: usize| peak * (at as f64 * 0.013).sin();
                cases.push((
                    (0..count).map(byte).collect(),
                    (0..count).map(value).collect(),
                ));
            }
        }
        cases
    }

    #[test]
    fn bytes_are_those_of_double_precision() {
        for rounding in [Rounding::Truncate, Rounding::Nearest] {
            for (pixels, values) in cases() {
                let sums = pixels.iter().zip(&values);
                let sums: Vec<f64> = sums.map(|(&p, v)| f64::from(p) / 255.0 + v).collect();
                let low = sums.iter().copied().fold(f64::INFINITY, f64::min);
                let high = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let byte = |sum: &f64| rounding.byte((sum - low) / (high - low) * 255.0);
                let expected: Vec<u8> = sums.iter().map(byte).collect();
                let mut got = pixels.clone();
                Stretch::new(&values, rounding).apply(&mut got);
                assert!(got == expected, "{} values", values.len());
            }
        }
    }

    #[test]
    fn patterns_beyond_one_are_added_too_and_plain_images_stay() {
        let mut pixels = [0, 255, 0];
        Stretch::new(&[0.0, 1.5, 1.25], Rounding::Truncate).apply(&mut pixels);
        assert_eq!(pixels, [0, 255, 127]);
        let mut plain = [9; 300];
        Stretch::new(&[0.5; 300], Rounding::Truncate).apply(&mut plain);
        assert_eq!(plain, [9; 300]);
    }
}
