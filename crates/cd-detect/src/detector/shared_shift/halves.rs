//! Two halves of a class, each of which judges what the other has found.

use faer::Mat;

/// To which half of its class each row belongs: every second one in the order of a column.
pub(super) fn halves(rows: &Mat<f64>, column: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    order.sort_by(|&a, &b| rows[(a, column)].total_cmp(&rows[(b, column)]));
    let mut half = vec![false; rows.nrows()];
    for row in order.into_iter().skip(1).step_by(2) {
        half[row] = true;
    }
    half
}

/// For each row the log-odds by the half without it, and the share of rows that both halves take for the same: `first` is what the half
/// that is `false` has found.
pub(super) fn both(first: &[f64], second: &[f64], half: &[bool]) -> (Vec<f64>, f64) {
    let each = first.iter().zip(second).zip(half);
    let odds = each.map(|((&first, &second), &half)| if half { first } else { second });
    (odds.collect(), agreement(first, second))
}

/// The share of rows that two take for the same by their log-odds.
pub(super) fn agreement(first: &[f64], second: &[f64]) -> f64 {
    let pairs = first.iter().zip(second);
    let same = pairs.filter(|(a, b)| (**a > 0.0) == (**b > 0.0));
    same.count() as f64 / first.len().max(1) as f64
}

/// Some of the rows.
pub(super) fn rows_where(rows: &Mat<f64>, wanted: impl Fn(usize) -> bool) -> Mat<f64> {
    let chosen: Vec<usize> = (0..rows.nrows()).filter(|&row| wanted(row)).collect();
    Mat::from_fn(chosen.len(), rows.ncols(), |row, column| {
        rows[(chosen[row], column)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_take_turns_along_a_column() {
        let rows = Mat::from_fn(4, 2, |row, column| {
            [[0.0, 3.0], [0.0, 1.0], [0.0, 2.0], [0.0, 4.0]][row][column]
        });
        assert_eq!(halves(&rows, 1), [false, false, true, true]);
    }

    #[test]
    fn every_row_is_judged_by_the_other_half() {
        let half = [false, true, false];
        let (odds, agreement) = both(&[1.0, 2.0, 3.0], &[-4.0, 5.0, 6.0], &half);
        assert_eq!(odds, [-4.0, 2.0, 6.0]);
        assert!((agreement - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn chosen_rows_keep_their_order() {
        let rows = Mat::from_fn(4, 1, |row, _| row as f64);
        let chosen = rows_where(&rows, |row| row % 2 == 1);
        assert_eq!((chosen.nrows(), chosen[(1, 0)]), (2, 3.0));
    }
}
