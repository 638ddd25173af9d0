//! A Gaussian blur.

use cd_core::CHANNELS;

/// Values that are summed side by side; a processor holds as many sums without storing them.
const STRIP: usize = 16;

/// Blurs `values`, `[height, width, 3]`, into `out`; `between` is room for what is blurred downwards.
///
/// The kernel ends at twice its deviation; the image is mirrored at its borders, without repeating them.
pub(super) fn blur(
    values: &[f64],
    [height, width]: [usize; 2],
    sigma: f64,
    between: &mut Vec<f64>,
    out: &mut Vec<f64>,
) {
    let kernel = kernel(sigma);
    let reach = kernel.len() / 2;
    let row_len = width * CHANNELS;
    let mirrored = |side: usize, step: usize| -> Vec<usize> {
        let places = 0..side + 2 * reach;
        places
            .map(|place| mirror(place, reach, side) * step)
            .collect()
    };
    let (rows, columns) = (mirrored(height, row_len), mirrored(width, CHANNELS));
    between.resize(values.len(), 0.0);
    out.resize(values.len(), 0.0);
    // Strip by strip, so that the rows that a row needs are still near.
    for start in (0..row_len).step_by(STRIP) {
        let strip = start..(start + STRIP).min(row_len);
        for (row, line) in between.chunks_exact_mut(row_len).enumerate() {
            let from = rows[row..].iter().map(|row| row + start);
            weigh(&mut line[strip.clone()], values, from, &kernel);
        }
    }
    let mut line = Vec::with_capacity(columns.len() * CHANNELS);
    let lines = between.chunks_exact(row_len);
    for (from, to) in lines.zip(out.chunks_exact_mut(row_len)) {
        line.clear();
        for &column in &columns {
            line.extend_from_slice(&from[column..column + CHANNELS]);
        }
        for (strip, to) in to.chunks_mut(STRIP).enumerate() {
            let from = (strip * STRIP..).step_by(CHANNELS);
            weigh(to, &line, from, &kernel);
        }
    }
}

/// The weights, which sum to 1.
fn kernel(sigma: f64) -> Vec<f64> {
    // Below this there is one weight of 1, and squares would end in 0 / 0.
    let sigma = sigma.max(1e-3);
    let reach = (2.0 * sigma).ceil() as usize;
    let distance = |at: usize| at as f64 - reach as f64;
    let kernel: Vec<f64> = (0..=2 * reach)
        .map(|at| (-distance(at) * distance(at) / (2.0 * sigma * sigma)).exp())
        .collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter().map(|weight| weight / sum).collect()
}

/// Sums of the values from each of `starts` on, weighed, in this order.
fn weigh(to: &mut [f64], values: &[f64], starts: impl Iterator<Item = usize>, kernel: &[f64]) {
    let starts = starts.zip(kernel);
    if let Ok(to) = <&mut [f64; STRIP]>::try_from(&mut *to) {
        let mut sums = [0.0; STRIP];
        for (start, weight) in starts {
            for (sum, value) in sums.iter_mut().zip(&values[start..start + STRIP]) {
                *sum += weight * value;
            }
        }
        *to = sums;
        return;
    }
    to.fill(0.0);
    for (start, weight) in starts {
        for (sum, value) in to.iter_mut().zip(&values[start..]) {
            *sum += weight * value;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_leave_the_border_out() {
        let places: Vec<usize> = (0..9).map(|place| mirror(place, 3, 4)).collect();
        assert_eq!(places, [3, 2, 1, 0, 1, 2, 3, 2, 1]);
        assert_eq!(mirror(70, 64, 4), 0);
    }

    #[test]
    fn no_deviation_is_too_small() {
        assert_eq!(kernel(f64::MIN_POSITIVE), [0.0, 1.0, 0.0]);
        assert_eq!(kernel(1e-3), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn every_value_is_the_weighed_sum_of_its_neighbours() {
        for (size, sigma) in [([6, 11], 1.3), ([9, 5], 4.0), ([1, 16], 0.7)] {
            let [height, width] = size;
            let values: Vec<f64> = (0..height * width * CHANNELS)
                .map(|at| (at as f64 * 0.7).sin().abs())
                .collect();
            let (mut between, mut out) = (Vec::new(), Vec::new());
            blur(&values, size, sigma, &mut between, &mut out);
            let kernel = kernel(sigma);
            let reach = kernel.len() / 2;
            for (at, got) in out.iter().enumerate() {
                let (row, column) = (at / CHANNELS / width, at / CHANNELS % width);
                let mut expected = 0.0;
                for (over, across) in kernel.iter().enumerate() {
                    let column = mirror(column + over, reach, width);
                    for (under, down) in kernel.iter().enumerate() {
                        let row = mirror(row + under, reach, height);
                        let place = (row * width + column) * CHANNELS + at % CHANNELS;
                        expected += across * down * values[place];
                    }
                }
                assert!((got - expected).abs() < 1e-12, "{size:?} at {at}");
            }
        }
    }
}
