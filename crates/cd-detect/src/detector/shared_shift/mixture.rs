//! A class as a mixture: images of its own, and images of all other classes that have been moved by one step.
//!
//! Fitted by expectation and maximisation, Dempster, Laird and Rubin: *Maximum Likelihood from Incomplete Data via the EM Algorithm*, Journal of
//! the Royal Statistical Society B 1977. All bells are round and of width 1, which the measures have been scaled to.

use faer::{Mat, MatRef};

use super::odds::{log_sum, sure};
use crate::dense::product;
use crate::statistics::quantile;

/// Rounds of a fit.
const ROUNDS: usize = 30;
/// Rounds in which a step is sought while all rows are taken for strangers, and the share of them that then looks least like some.
const FIRST_ROUNDS: usize = 3;
const UNLIKE: f64 = 0.15;
/// How surely rows are strangers or not before that has been asked.
const FIRST_GUESS: [f64; 2] = [0.02, 0.98];

/// Other classes in some measures.
#[derive(Debug, Clone)]
pub(super) struct Others {
    /// A row for each.
    pub(super) means: Mat<f64>,
    /// Of their images; they sum to 1.
    pub(super) shares: Vec<f64>,
}

impl Others {
    /// A single class in the middle: strangers are then a bell like any other.
    pub(super) fn single(columns: usize) -> Self {
        Self {
            means: Mat::zeros(1, columns),
            shares: vec![1.0],
        }
    }

    /// So many rows, each of which may be of any class.
    fn all(&self, rows: usize) -> Mat<f64> {
        Mat::from_fn(rows, self.shares.len(), |_, class| self.shares[class])
    }
}

/// How a class came about.
#[derive(Debug, Clone)]
pub(super) struct Mixture<'a> {
    others: &'a Others,
    /// Mean of its own images.
    own: Vec<f64>,
    /// What has been added to the images of other classes.
    step: Vec<f64>,
    /// Share of the strangers.
    share: f64,
}

/// What a mixture says of rows.
pub(super) struct Likelihoods {
    /// Logarithms, up to a number that is the same for all mixtures, of being seen as an own image and as a stranger.
    each: Vec<[f64; 2]>,
    /// Shares in which a stranger would be of each class.
    kinds: Mat<f64>,
}

impl<'a> Mixture<'a> {
    /// Of rows that are strangers by these shares at first, and by how many of them are at last. `least` is the smallest share that either part
    /// may have of them.
    pub(super) fn of(
        rows: MatRef<'_, f64>,
        others: &'a Others,
        mut shares: Vec<f64>,
        least: f64,
    ) -> (Self, Vec<f64>) {
        let along = product(rows, others.means.transpose());
        let mut mixture = Self::likeliest(rows, others, &shares, &others.all(rows.nrows()), least);
        for _ in 0..ROUNDS {
            let seen = mixture.seen(rows, &along);
            shares = mixture.odds_by(&seen).into_iter().map(sure).collect();
            mixture = Self::likeliest(rows, others, &shares, &seen.kinds, least);
        }
        (mixture, shares)
    }

    /// Shares to start from where nearly all rows are strangers: all but those that are least like any.
    pub(super) fn nearly_all(rows: MatRef<'_, f64>, others: &Others) -> Vec<f64> {
        let along = product(rows, others.means.transpose());
        let shares = vec![1.0; rows.nrows()];
        let mut mixture = Mixture::likeliest(rows, others, &shares, &others.all(rows.nrows()), 0.0);
        for _ in 0..FIRST_ROUNDS {
            let seen = mixture.seen(rows, &along);
            mixture = Mixture::likeliest(rows, others, &shares, &seen.kinds, 0.0);
        }
        let each = mixture.seen(rows, &along).each.into_iter().enumerate();
        let alike: Vec<f64> = each
            .map(|(row, [_, strange])| strange - rows.row(row).squared_norm_l2() / 2.0)
            .collect();
        if alike.is_empty() {
            return alike;
        }
        let border = quantile(alike.clone(), UNLIKE);
        let share = |alike: f64| FIRST_GUESS[usize::from(alike > border)];
        alike.into_iter().map(share).collect()
    }

    /// The same, had nothing been added to the images of other classes.
    pub(super) fn without_step(&self) -> Self {
        Self {
            step: vec![0.0; self.step.len()],
            ..self.clone()
        }
    }

    fn likeliest(
        rows: MatRef<'_, f64>,
        others: &'a Others,
        shares: &[f64],
        kinds: &Mat<f64>,
        least: f64,
    ) -> Self {
        let both = Mat::from_fn(rows.nrows(), 2, |row, part| {
            if part == 0 {
                1.0 - shares[row]
            } else {
                shares[row]
            }
        });
        let sums = product(rows.transpose(), both.as_ref());
        let of_kinds = product(kinds.transpose(), both.as_ref());
        let moved = product(others.means.transpose(), of_kinds.as_ref());
        let strangers: f64 = shares.iter().sum();
        let own = (shares.len() as f64 - strangers).max(f64::MIN_POSITIVE);
        let step = |at: usize| (sums[(at, 1)] - moved[(at, 1)]) / strangers.max(f64::MIN_POSITIVE);
        Self {
            others,
            own: (0..rows.ncols()).map(|at| sums[(at, 0)] / own).collect(),
            step: (0..rows.ncols()).map(step).collect(),
            share: (strangers / shares.len().max(1) as f64).clamp(least, 1.0 - least),
        }
    }

    /// `along` is how the rows lie along the means of the other classes.
    fn seen(&self, rows: MatRef<'_, f64>, along: &Mat<f64>) -> Likelihoods {
        let both = Mat::from_fn(rows.ncols(), 2, |at, part| {
            if part == 0 {
                self.own[at]
            } else {
                self.step[at]
            }
        });
        let places = product(rows, both.as_ref());
        let half = |of: &mut dyn Iterator<Item = f64>| of.map(|v| v * v).sum::<f64>() / 2.0;
        let own = half(&mut self.own.iter().copied());
        let classes = self.others.shares.len();
        let from: Vec<f64> = (0..classes)
            .map(|class| {
                let moved = self.others.means.row(class).iter().zip(&self.step);
                self.others.shares[class].ln() - half(&mut moved.map(|(mean, step)| mean + step))
            })
            .collect();
        let mut kinds = Mat::zeros(rows.nrows(), classes);
        let each = (0..rows.nrows()).map(|row| {
            let term = |class: usize| along[(row, class)] + from[class];
            let most = (0..classes).map(term).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..classes).map(|class| (term(class) - most).exp()).sum();
            for class in 0..classes {
                kinds[(row, class)] = (term(class) - most).exp() / sum;
            }
            [places[(row, 0)] - own, places[(row, 1)] + most + sum.ln()]
        });
        Likelihoods {
            each: each.collect(),
            kinds,
        }
    }

    fn odds_by(&self, seen: &Likelihoods) -> Vec<f64> {
        let prior = (self.share / (1.0 - self.share)).ln();
        let each = seen.each.iter();
        each.map(|[own, strange]| strange - own + prior).collect()
    }

    /// The log-odds that each of these rows is a stranger.
    pub(super) fn odds(&self, rows: MatRef<'_, f64>) -> Vec<f64> {
        let along = product(rows, self.others.means.transpose());
        self.odds_by(&self.seen(rows, &along))
    }

    /// The logarithm of the likelihood of these rows, up to a number that is the same for all mixtures.
    pub(super) fn log_likelihood(&self, rows: MatRef<'_, f64>) -> f64 {
        let along = product(rows, self.others.means.transpose());
        let weights = [1.0 - self.share, self.share].map(f64::ln);
        let of = |[own, strange]: &[f64; 2]| log_sum(own + weights[0], strange + weights[1]);
        self.seen(rows, &along).each.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bells, five};
    use super::*;

    /// Four hundred rows: even ones are of the others in turn, moved by two along the last direction.
    fn rows(others: &Others) -> Mat<f64> {
        let noise = bells(400, 12, 3);
        Mat::from_fn(400, 12, |row, column| {
            let from = if row % 2 == 0 {
                others.means[(row / 2 % 5, column)] + if column == 11 { 2.0 } else { 0.0 }
            } else {
                0.0
            };
            noise[(row, column)] + from
        })
    }

    #[test]
    fn strangers_and_their_step_are_found_from_a_poor_guess() {
        let others = five(12);
        let rows = rows(&others);
        let guess = (0..400).map(|row| if row % 4 == 0 { 0.8 } else { 0.4 });
        let (mixture, shares) = Mixture::of(rows.as_ref(), &others, guess.collect(), 0.2);
        assert!((1.7..2.3).contains(&mixture.step[11]), "{:?}", mixture.step);
        assert!(mixture.step[..11].iter().all(|step| step.abs() < 0.4));
        assert!((0.45..0.55).contains(&mixture.share));
        let odds = mixture.odds(rows.as_ref()).into_iter().enumerate();
        let right = odds.filter(|(row, odds)| (*odds > 0.0) == (row % 2 == 0));
        assert!(right.count() > 380);
        assert!(shares.iter().step_by(2).sum::<f64>() > 185.0);
    }

    #[test]
    fn images_of_many_classes_are_likelier_as_such_than_as_one_bell() {
        let others = five(12);
        let rows = rows(&others);
        let (mixture, shares) = Mixture::of(rows.as_ref(), &others, vec![0.5; 400], 0.2);
        let single = Others::single(12);
        let (pair, _) = Mixture::of(rows.as_ref(), &single, shares, 0.2);
        let of = |mixture: &Mixture<'_>| mixture.log_likelihood(rows.as_ref()) / 400.0;
        assert!(of(&mixture) > of(&pair) + 0.5);
    }

    #[test]
    fn rows_that_are_no_strangers_are_guessed_where_they_are_few() {
        let others = five(12);
        let noise = bells(400, 12, 9);
        let rows = Mat::from_fn(400, 12, |row, column| {
            let far = if column == 10 { 6.0 } else { 0.0 };
            let strange = others.means[(row % 5, column)] + if column == 11 { 2.0 } else { 0.0 };
            noise[(row, column)] + if row % 8 == 0 { far } else { strange }
        });
        let guess = Mixture::nearly_all(rows.as_ref(), &others);
        let own = guess.iter().step_by(8).filter(|share| **share < 0.5);
        assert!(own.count() > 40);
        let (mixture, _) = Mixture::of(rows.as_ref(), &others, guess, 0.02);
        assert!((0.85..0.9).contains(&mixture.share), "{}", mixture.share);
        let gain = |mixture: &Mixture<'_>| mixture.log_likelihood(rows.as_ref()) / 400.0;
        assert!(gain(&mixture) > gain(&mixture.without_step()) + 1.0);
        assert!(Mixture::nearly_all(Mat::zeros(0, 12).as_ref(), &others).is_empty());
    }
}
