//! Two groups with one covariance, by expectation and maximisation.

use faer::Mat;

use crate::dense::Spectrum;

/// Rounds until a mixture is taken as it is.
const ROUNDS: usize = 60;
/// A round that changes no share of an image by more ends the fit.
const SETTLED: f64 = 1e-4;
/// Added to the variances, which are 1 for directions in which a class varies as the others do.
const FLOOR: f64 = 1e-3;
/// Log-odds beyond it are taken as it.
const LARGEST_ODDS: f64 = 50.0;

/// Points in two groups.
#[derive(Debug, Clone)]
pub(super) struct Mixture {
    /// Logarithm of the odds that each point is of the second group.
    pub(super) odds: Vec<f64>,
    /// Distance of the groups' means in standard deviations of a group.
    pub(super) gap: f64,
    /// Mean gain in log-likelihood over one group.
    pub(super) gain: f64,
    /// Direction that tells the groups apart, and where they meet on it.
    axis: Vec<f64>,
    offset: f64,
}

impl Mixture {
    /// Of `points`, all of one length, from the share of each in the second group on.
    pub(super) fn of(points: &[Vec<f64>], mut shares: Vec<f64>) -> Self {
        let single = Step::of(points, &vec![0.0; points.len()]).log_likelihood(points);
        let mut step = Step::of(points, &shares);
        for _ in 0..ROUNDS {
            let next: Vec<f64> = points.iter().map(|point| share(step.odds(point))).collect();
            let moved = next.iter().zip(&shares).map(|(a, b)| (a - b).abs());
            let settled = moved.fold(0.0, f64::max) < SETTLED;
            shares = next;
            if settled {
                break;
            }
            step = Step::of(points, &shares);
        }
        let gain = step.log_likelihood(points) - single;
        let odds: Vec<f64> = points.iter().map(|point| step.odds(point)).collect();
        Self {
            gap: step.gap(),
            gain: gain / points.len().max(1) as f64,
            odds,
            axis: step.axis,
            offset: step.offset,
        }
    }

    /// The log-odds of a point that was not among those of the fit.
    pub(super) fn odds_of(&self, point: &[f64]) -> f64 {
        (dot(&self.axis, point) + self.offset).clamp(-LARGEST_ODDS, LARGEST_ODDS)
    }

    /// The same with the groups swapped.
    pub(super) fn swapped(mut self) -> Self {
        for value in self.odds.iter_mut().chain(&mut self.axis) {
            *value = -*value;
        }
        self.offset = -self.offset;
        self
    }
}

/// Means, covariance and sizes at one round.
struct Step {
    means: [Vec<f64>; 2],
    weights: [f64; 2],
    precision: Mat<f64>,
    log_determinant: f64,
    axis: Vec<f64>,
    offset: f64,
}

impl Step {
    fn of(points: &[Vec<f64>], shares: &[f64]) -> Self {
        let width = points.first().map_or(0, Vec::len);
        let total = points.len().max(1) as f64;
        let second = shares.iter().sum::<f64>() / total;
        let second = second.clamp(1e-3, 1.0 - 1e-3);
        let of_first: Vec<f64> = shares.iter().map(|share| 1.0 - share).collect();
        let means = [mean(points, &of_first, width), mean(points, shares, width)];
        let mut spread = Mat::<f64>::zeros(width, width);
        for (point, &share) in points.iter().zip(shares) {
            for (mean, weight) in means.iter().zip([1.0 - share, share]) {
                let away: Vec<f64> = point.iter().zip(mean).map(|(p, m)| p - m).collect();
                for (column, &b) in away.iter().enumerate() {
                    for (row, &a) in away.iter().enumerate() {
                        spread[(row, column)] += weight * a * b / total;
                    }
                }
            }
        }
        for at in 0..width {
            spread[(at, at)] += FLOOR;
        }
        let spectrum = Spectrum::of(spread.as_ref());
        let precision = spectrum.pseudo_inverse();
        let apart: Vec<f64> = means[1].iter().zip(&means[0]).map(|(a, b)| a - b).collect();
        let axis = times(&precision, &apart);
        let between: Vec<f64> = means[1]
            .iter()
            .zip(&means[0])
            .map(|(a, b)| f64::midpoint(*a, *b))
            .collect();
        Self {
            offset: (second / (1.0 - second)).ln() - dot(&axis, &between),
            axis,
            log_determinant: spectrum
                .values
                .iter()
                .map(|v| v.max(f64::MIN_POSITIVE).ln())
                .sum(),
            precision,
            weights: [1.0 - second, second],
            means,
        }
    }

    fn odds(&self, point: &[f64]) -> f64 {
        (dot(&self.axis, point) + self.offset).clamp(-LARGEST_ODDS, LARGEST_ODDS)
    }

    fn gap(&self) -> f64 {
        let [first, second] = &self.means;
        let apart: Vec<f64> = second.iter().zip(first).map(|(a, b)| a - b).collect();
        dot(&apart, &self.axis).max(0.0).sqrt()
    }

    /// Up to what all mixtures of the same points share.
    fn log_likelihood(&self, points: &[Vec<f64>]) -> f64 {
        let of = |point: &Vec<f64>| {
            let terms = [0, 1].map(|group| {
                let away: Vec<f64> = point
                    .iter()
                    .zip(&self.means[group])
                    .map(|(p, m)| p - m)
                    .collect();
                self.weights[group].ln() - 0.5 * dot(&away, &times(&self.precision, &away))
            });
            let most = terms[0].max(terms[1]);
            most + terms
                .iter()
                .map(|term| (term - most).exp())
                .sum::<f64>()
                .ln()
        };
        points.iter().map(of).sum::<f64>() - 0.5 * points.len() as f64 * self.log_determinant
    }
}

/// The share of the second group that belongs to log-odds.
pub(super) fn share(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

fn mean(points: &[Vec<f64>], weights: &[f64], width: usize) -> Vec<f64> {
    let total: f64 = weights.iter().sum::<f64>().max(1e-9);
    let mut mean = vec![0.0; width];
    for (point, weight) in points.iter().zip(weights) {
        for (sum, value) in mean.iter_mut().zip(point) {
            *sum += weight * value / total;
        }
    }
    mean
}

fn times(matrix: &Mat<f64>, vector: &[f64]) -> Vec<f64> {
    let row = |row| {
        (0..vector.len())
            .map(|at| matrix[(row, at)] * vector[at])
            .sum()
    };
    (0..matrix.nrows()).map(row).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lines of points, `apart` from each other, the second with a quarter of them.
    fn points(apart: f64) -> Vec<Vec<f64>> {
        (0..80)
            .map(|at| {
                let along = f64::from(at * 37 % 80) / 40.0 - 1.0;
                let across = f64::from(at * 53 % 80) / 40.0 - 1.0;
                vec![along, across + if at % 4 == 0 { apart } else { 0.0 }]
            })
            .collect()
    }

    fn start() -> Vec<f64> {
        (0..80).map(|at| f64::from(u8::from(at % 8 == 0))).collect()
    }

    #[test]
    fn groups_that_lie_apart_are_found_and_swap() {
        let found = Mixture::of(&points(6.0), start());
        assert!(found.gap > 8.0 && found.gain > 0.5, "{found:?}");
        let second = |mixture: &Mixture| -> Vec<usize> {
            (0..80).filter(|&at| mixture.odds[at] > 0.0).collect()
        };
        let expected: Vec<usize> = (0..80).filter(|at| at % 4 == 0).collect();
        assert_eq!(second(&found), expected);
        assert!(found.odds_of(&[0.0, 6.0]) > 0.0 && found.odds_of(&[0.0, 0.0]) < 0.0);
        assert_eq!(second(&found.swapped()).len(), 60);
    }

    #[test]
    fn one_group_has_a_small_gap_and_equal_points_none() {
        assert!(Mixture::of(&points(0.0), start()).gap < 4.0);
        let equal = Mixture::of(&vec![vec![1.0, 2.0]; 80], start());
        assert_eq!(equal.gap, 0.0);
        assert!(equal.odds.iter().all(|odds| odds.is_finite()) && equal.gain.is_finite());
    }
}
