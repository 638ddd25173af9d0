//! Middles, spreads and shares that outliers do not move.

/// Scales a median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_STD: f64 = 1.4826;
/// Keeps the index of a class finite where classes do not differ.
const INDEX_FLOOR: f64 = 1e-6;
/// Above it a class is called the target of an attack: the square of Euler's number.
pub(crate) const TARGET_INDEX: f64 = 7.389_056_098_930_65;

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

/// The middle value, the lower of the two middle ones for an even count; 0 for none.
pub(crate) fn lower_median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The value below which `share` of `values` lie, interpolated between neighbours; infinite for none.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::INFINITY;
    };
    let place = share * last as f64;
    let low = (place.floor() as usize).min(last);
    let high = (low + 1).min(last);
    values[low] + (values[high] - values[low]) * (place - low as f64)
}

/// How many robust deviations a class lies above the median of the classes; 0 below it, and for classes without a value.
///
/// Only the upper side counts: a class that is unusually clean is no target.
pub(crate) fn class_index(values: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let middle = median(known.clone());
    let spread = MAD_TO_STD * (median(deviations(&known, middle)) + INDEX_FLOOR);
    let index = |value: &Option<f64>| value.map_or(0.0, |v| (v - middle).max(0.0) / spread);
    values.iter().map(index).collect()
}

/// The place of each value among all in ascending order, from 0 to 1; equal values share the mean of their places.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let tied = order[start..]
            .iter()
            .take_while(|&&at| values[at] == values[order[start]])
            .count();
        let place = start as f64 + (tied - 1) as f64 / 2.0;
        for &at in &order[start..start + tied] {
            ranks[at] = place / last;
        }
        start += tied;
    }
    ranks
}

/// Positions of the images of each class.
pub(crate) fn members(labels: &[u32], class_count: usize) -> Vec<Vec<usize>> {
    let mut classes = vec![Vec::new(); class_count];
    for (index, &label) in labels.iter().enumerate() {
        if let Some(class) = classes.get_mut(label as usize) {
            class.push(index);
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = vec![4.0, 1.0, 2.0, 3.0];
        assert_eq!(quantile(values.clone(), 0.5), 2.5);
        assert_eq!(quantile(values.clone(), 1.0), 4.0);
        assert_eq!(quantile(vec![7.0], 0.95), 7.0);
        assert_eq!(quantile(Vec::new(), 0.5), f64::INFINITY);
        assert_eq!(lower_median(&mut [4.0, 1.0, 2.0, 3.0]), 2.0);
    }

    #[test]
    fn only_classes_above_the_others_are_targets() {
        let index = class_index(&[Some(1.0), Some(1.1), Some(0.9), Some(9.0), Some(-9.0), None]);
        assert!(index[3] > TARGET_INDEX, "{index:?}");
        assert_eq!((index[4], index[5]), (0.0, 0.0));
        assert_eq!(class_index(&[Some(2.0); 4]), [0.0; 4]);
    }

    #[test]
    fn ties_share_a_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0]), [0.75, 0.0, 0.75]);
        assert_eq!(ranks(&[5.0]), [0.0]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }
}
