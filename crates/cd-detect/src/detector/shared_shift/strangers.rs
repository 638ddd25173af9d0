//! The strangers of a class: images that came to it from all other classes, told from its own by either half of the class for the other one.

use faer::Mat;

use super::halves::{both, rows_where};
use super::line::Line;
use super::mixture::{Mixture, Others};
use crate::statistics::quantile;

/// Share of the log-odds at either end that do not shape the two hills.
const ENDS: f64 = 0.01;
/// Log-odds that are asked beyond even ones.
const CAUTION: f64 = 0.5;

/// A class in own images and strangers.
pub(super) struct Strangers<'a> {
    /// By how much the class is likelier, in the mean of its images and by the half that did not look for it, with strangers that are of many
    /// classes than with two parts of one kind each.
    pub(super) gain: f64,
    /// Share of the class that both halves take for the same.
    pub(super) agreement: f64,
    /// Distance of the two hills of log-odds, in standard deviations of a hill.
    pub(super) gap: f64,
    /// Log-odds that each image is a stranger, by the half without it.
    pub(super) fitted: Vec<f64>,
    /// The same by where their hills part.
    pub(super) odds: Vec<f64>,
    fits: [Mixture<'a>; 2],
    line: Line,
}

impl<'a> Strangers<'a> {
    /// Of a class whose images are the rows, and which are strangers by these shares at first. `half` tells to which half each belongs. `None`
    /// where there are only strangers or none.
    pub(super) fn of(
        rows: &Mat<f64>,
        half: &[bool],
        others: &'a Others,
        shares: &[f64],
    ) -> Option<Self> {
        let single = Others::single(rows.ncols());
        let halves = [false, true].map(|wanted| rows_where(rows, |row| half[row] == wanted));
        let mut gain = 0.0;
        let fits = [false, true].map(|wanted| {
            let own = shares.iter().zip(half).filter(|(_, half)| **half == wanted);
            let own = own.map(|(share, _)| *share).collect();
            let [seen, unseen] = [wanted, !wanted].map(|which| halves[usize::from(which)].as_ref());
            let (fit, own) = Mixture::of(seen, others, own);
            let (pair, _) = Mixture::of(seen, &single, own);
            gain += fit.log_likelihood(unseen) - pair.log_likelihood(unseen);
            fit
        });
        let [of_first, of_second] = fits.each_ref().map(|fit| fit.odds(rows.as_ref()));
        let (odds, agreement) = both(&of_first, &of_second, half);
        let line = Line::around_zero(&inner(&odds))?;
        let count = half.len().max(1) as f64;
        Some(Self {
            gain: gain / count,
            agreement,
            gap: line.gap(),
            odds: odds.iter().map(|&odds| line.odds(odds) - CAUTION).collect(),
            fitted: odds,
            fits,
            line,
        })
    }

    /// The log-odds of rows that were not among those of the fit: by the mean of both halves.
    pub(super) fn odds_of(&self, rows: &Mat<f64>) -> Vec<f64> {
        let [first, second] = self.fits.each_ref().map(|fit| fit.odds(rows.as_ref()));
        let pairs = first.into_iter().zip(second);
        pairs
            .map(|(a, b)| self.line.odds(f64::midpoint(a, b)) - CAUTION)
            .collect()
    }
}

/// Values with the ends drawn in.
fn inner(values: &[f64]) -> Vec<f64> {
    if values.is_empty() {
        return Vec::new();
    }
    let [least, most] = [ENDS, 1.0 - ENDS].map(|share| quantile(values.to_vec(), share));
    values
        .iter()
        .map(|value| value.clamp(least, most))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bells, five};
    use super::*;

    fn found(stranger: impl Fn(usize) -> Option<usize>) -> Option<(f64, f64, Vec<f64>)> {
        let others = five(12);
        let noise = bells(400, 12, 8);
        let rows = Mat::from_fn(400, 12, |row, column| {
            let step = if column == 11 { 2.0 } else { 0.0 };
            noise[(row, column)] + stranger(row).map_or(0.0, |of| others.means[(of, column)] + step)
        });
        let half: Vec<bool> = (0..400).map(|row| row % 4 < 2).collect();
        let found = Strangers::of(&rows, &half, &others, &[0.5; 400])?;
        assert_eq!(found.odds_of(&rows).len(), 400);
        Some((found.gain, found.agreement, found.odds))
    }

    #[test]
    fn strangers_of_many_classes_are_found_by_either_half() {
        let found = found(|row| (row % 2 == 0).then_some(row / 2 % 5));
        let (gain, agreement, odds) = found.expect("both kinds");
        assert!(gain > 0.3 && agreement > 0.9, "{gain} {agreement}");
        let odds = odds.iter().enumerate();
        let right = odds.filter(|(row, odds)| (**odds > 0.0) == (row % 2 == 0));
        assert!(right.count() > 370);
    }

    #[test]
    fn strangers_of_one_class_and_a_class_of_its_own_gain_nothing() {
        let gain = |found: Option<(f64, f64, Vec<f64>)>| found.map_or(0.0, |found| found.0);
        assert!(gain(found(|row| (row % 2 == 0).then_some(3))) < 0.05);
        assert!(gain(found(|_| None)) < 0.05);
    }

    #[test]
    fn without_images_there_is_nothing() {
        assert!(Strangers::of(&Mat::zeros(0, 12), &[], &five(12), &[]).is_none());
    }
}
