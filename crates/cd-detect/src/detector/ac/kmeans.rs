//! Lloyd's k-means for two groups, the best of several starts.

use cd_core::random;
use faer::MatRef;
use rand::Rng;

/// Starts of which the one with the least spread is taken.
const STARTS: u64 = 10;
/// Rounds until a start is taken as it is.
const ROUNDS: usize = 300;

/// Which of two groups each row is in; all in one where rows do not differ.
///
/// The draws go over the rows in the order of their values, so the order in which images lie in the set changes nothing.
pub(super) fn two_groups(rows: MatRef<'_, f64>) -> Vec<bool> {
    let order = by_value(rows);
    let starts = (0..STARTS).map(|start| {
        let mut drawn = random::stream(start, random::named("activation clustering"));
        let first = order[drawn.random_range(0..order.len())];
        let far = |row| squared(rows, row, &point(rows, first));
        // The second centre far from the first: with a chance that is proportional to the square of its distance.
        let total: f64 = order.iter().map(|&row| far(row)).sum();
        let mut left = drawn.random::<f64>() * total;
        let second = order.iter().copied().find(|&row| {
            left -= far(row);
            left < 0.0
        });
        let second = second.unwrap_or(first);
        lloyd(rows, [point(rows, first), point(rows, second)])
    });
    if order.is_empty() {
        return Vec::new();
    }
    let best = starts.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, groups)| groups).unwrap_or_default()
}

/// Spread within the groups, and the groups, from two centres on.
fn lloyd(rows: MatRef<'_, f64>, mut centres: [Vec<f64>; 2]) -> (f64, Vec<bool>) {
    let count = rows.nrows();
    let mut groups = vec![false; count];
    for round in 0..ROUNDS {
        let nearer = |row| squared(rows, row, &centres[1]) < squared(rows, row, &centres[0]);
        let next: Vec<bool> = (0..count).map(nearer).collect();
        let second = next.iter().filter(|&&second| second).count();
        if second == 0 || second == count || (round > 0 && next == groups) {
            groups = next;
            break;
        }
        groups = next;
        centres = [mean(rows, &groups, false), mean(rows, &groups, true)];
    }
    let spread = (0..count).map(|row| squared(rows, row, &centres[usize::from(groups[row])]));
    (spread.sum(), groups)
}

/// Rows by their values, the first column first.
fn by_value(rows: MatRef<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    order.sort_by(|&a, &b| {
        let pairs = rows.row(a).iter().zip(rows.row(b).iter());
        let mut differing = pairs.map(|(a, b)| a.total_cmp(b));
        differing
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    order
}

fn point(rows: MatRef<'_, f64>, row: usize) -> Vec<f64> {
    rows.row(row).iter().copied().collect()
}

fn squared(rows: MatRef<'_, f64>, row: usize, centre: &[f64]) -> f64 {
    let pairs = rows.row(row).iter().zip(centre);
    pairs.map(|(a, b)| (a - b) * (a - b)).sum()
}

fn mean(rows: MatRef<'_, f64>, groups: &[bool], wanted: bool) -> Vec<f64> {
    let mut sum = vec![0.0; rows.ncols()];
    let mut count = 0.0;
    for (row, _) in groups.iter().enumerate().filter(|(_, g)| **g == wanted) {
        count += 1.0;
        for (sum, value) in sum.iter_mut().zip(rows.row(row).iter()) {
            *sum += value;
        }
    }
    sum.iter_mut().for_each(|sum| *sum /= count);
    sum
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    #[test]
    fn two_clouds_are_two_groups() {
        let rows = Mat::from_fn(9, 2, |row, column| {
            let cloud = if row % 3 == 0 { 10.0 } else { 0.0 };
            cloud + (row * 2 + column) as f64 / 20.0
        });
        let groups = two_groups(rows.as_ref());
        for (row, group) in groups.iter().enumerate() {
            assert_eq!(group == &groups[0], row % 3 == 0, "{groups:?}");
        }
    }

    #[test]
    fn equal_and_absent_rows_are_no_two_groups() {
        let equal = Mat::<f64>::zeros(5, 2);
        let groups = two_groups(equal.as_ref());
        assert!(groups.iter().all(|group| group == &groups[0]));
        assert_eq!(two_groups(Mat::<f64>::zeros(0, 2).as_ref()), [false; 0]);
        assert_eq!(two_groups(Mat::<f64>::zeros(1, 2).as_ref()).len(), 1);
    }
}
