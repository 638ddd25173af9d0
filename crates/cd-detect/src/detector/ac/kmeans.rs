//! Lloyd's k-means for two groups, the best of several starts.

use cd_core::random;
use faer::MatRef;
use rand::Rng;
use rayon::prelude::*;

use crate::points::Points;

/// Starts of which the one with the least spread is taken.
const STARTS: u64 = 10;
/// Rounds until a start is taken as it is.
const ROUNDS: usize = 300;

/// Which of two groups each row is in; all in one where rows do not differ.
///
/// The draws go over the rows in the order of their values, so the order in which images lie in the set changes nothing.
pub(super) fn two_groups(rows: MatRef<'_, f64>) -> Vec<bool> {
    let points = Points::of(rows);
    let order = points.by_value();
    if order.is_empty() {
        return Vec::new();
    }
    let starts = (0..STARTS).into_par_iter().map(|start| {
        let mut drawn = random::stream(start, random::named("activation clustering"));
        let first = order[drawn.random_range(0..order.len())];
        let far: Vec<f64> = order
            .iter()
            .map(|&at| points.squared(at, points.at(first)))
            .collect();
        // The second centre far from the first: with a chance that is proportional to the square of its distance.
        let mut left = drawn.random::<f64>() * far.iter().sum::<f64>();
        let second = order.iter().zip(&far).find(|(_, far)| {
            left -= *far;
            left < 0.0
        });
        let second = second.map_or(first, |(&at, _)| at);
        lloyd(
            &points,
            [points.at(first).to_vec(), points.at(second).to_vec()],
        )
    });
    let starts: Vec<(f64, Vec<bool>)> = starts.collect();
    let best = starts.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, groups)| groups).unwrap_or_default()
}

/// Spread within the groups, and the groups, from two centres on.
fn lloyd(points: &Points, mut centres: [Vec<f64>; 2]) -> (f64, Vec<bool>) {
    let count = points.count();
    let mut groups = vec![false; count];
    for round in 0..ROUNDS {
        let nearer = |at| points.squared(at, &centres[1]) < points.squared(at, &centres[0]);
        let next: Vec<bool> = (0..count).map(nearer).collect();
        let second = next.iter().filter(|&&second| second).count();
        if second == 0 || second == count || (round > 0 && next == groups) {
            groups = next;
            break;
        }
        groups = next;
        centres = [points.mean(&groups, false), points.mean(&groups, true)];
    }
    let spread = (0..count).map(|at| points.squared(at, &centres[usize::from(groups[at])]));
    (spread.sum(), groups)
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
