//! Middles and spreads that outliers do not move.

/// Scales a median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_STD: f64 = 1.4826;

/// A standard deviation that outliers do not move: 1.4826 median absolute deviations.
pub(crate) fn robust_spread(values: &[f64]) -> f64 {
    MAD_TO_STD * median(deviations(values, median(values.to_vec())))
}

/// How far each value lies from `middle`.
pub(crate) fn deviations(values: &[f64], middle: f64) -> Vec<f64> {
    values.iter().map(|value| (value - middle).abs()).collect()
}

/// The middle value; the mean of the two middle ones for an even count, 0 for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
