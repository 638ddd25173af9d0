//! Two bells of one width along a line, by expectation and maximisation.

use super::odds::{LARGEST_ODDS, log_sum, sure};
use crate::statistics::quantile;

/// Rounds until a fit is taken as it is.
const ROUNDS: usize = 60;
/// A round that changes no share by more ends the fit.
const SETTLED: f64 = 1e-4;
/// Least weight of a bell: a few odd places make none.
const LEAST: f64 = 0.25;
/// Shares of the places, at the upper end, that fits start from.
const STARTS: [f64; 3] = [0.3, 0.5, 0.7];
/// Added to the variance, so that divisions stay finite.
const FLOOR: f64 = 1e-3;

/// Two bells, the upper one second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    means: [f64; 2],
    variance: f64,
    /// Of the second bell.
    weight: f64,
    /// Mean gain in log-likelihood over one bell.
    pub(super) gain: f64,
}

impl Line {
    /// The likeliest of the fits from several starts; `None` where the places do not differ.
    pub(super) fn of(places: &[f64]) -> Option<Self> {
        let fits = STARTS.into_iter().filter_map(|start| {
            let from = quantile(places.to_vec(), 1.0 - start);
            let shares: Vec<f64> = places
                .iter()
                .map(|&place| f64::from(u8::from(place > from)))
                .collect();
            Self::from(places, shares)
        });
        fits.max_by(|a, b| a.gain.total_cmp(&b.gain))
    }

    fn from(places: &[f64], mut shares: Vec<f64>) -> Option<Self> {
        let mut line = Self::step(places, &shares)?;
        for _ in 0..ROUNDS {
            let next: Vec<f64> = places.iter().map(|&place| line.share(place)).collect();
            let moved = next.iter().zip(&shares).map(|(a, b)| (a - b).abs());
            let settled = moved.fold(0.0, f64::max) < SETTLED;
            shares = next;
            line = Self::step(places, &shares)?;
            if settled {
                break;
            }
        }
        line.gain = line.log_likelihood(places) - single(places);
        Some(line)
    }

    /// Places below and above zero: as [`Line::of`] tells them apart where its bells lie on either side of it, and cut there otherwise.
    pub(super) fn around_zero(places: &[f64]) -> Option<Self> {
        let line = Self::of(places)?;
        if line.means[0] < 0.0 && line.means[1] > 0.0 {
            return Some(line);
        }
        let shares = places.iter().map(|&place| f64::from(u8::from(place > 0.0)));
        Self::step(places, &shares.collect::<Vec<_>>())
    }

    /// Means, width and weight of places that belong to the second bell by these shares.
    fn step(places: &[f64], shares: &[f64]) -> Option<Self> {
        let count = places.len() as f64;
        let second: f64 = shares.iter().sum();
        if second < 1.0 || count - second < 1.0 {
            return None;
        }
        let of_second: f64 = places.iter().zip(shares).map(|(p, s)| p * s).sum();
        let all: f64 = places.iter().sum();
        let means = [(all - of_second) / (count - second), of_second / second];
        let squares = places.iter().zip(shares).map(|(place, share)| {
            (1.0 - share) * (place - means[0]).powi(2) + share * (place - means[1]).powi(2)
        });
        Some(Self {
            means,
            variance: squares.sum::<f64>() / count + FLOOR,
            weight: (second / count).clamp(LEAST, 1.0 - LEAST),
            gain: 0.0,
        })
    }

    /// Logarithm of the odds that a place is of the second bell.
    pub(super) fn odds(&self, place: f64) -> f64 {
        let [first, second] = self.means.map(|mean| (place - mean).powi(2));
        let prior = (self.weight / (1.0 - self.weight)).ln();
        let odds = prior + (first - second) / (2.0 * self.variance);
        odds.clamp(-LARGEST_ODDS, LARGEST_ODDS)
    }

    /// The share of the second bell in a place.
    pub(super) fn share(&self, place: f64) -> f64 {
        sure(self.odds(place))
    }

    /// Distance of the means in standard deviations of a bell.
    pub(super) fn gap(&self) -> f64 {
        (self.means[1] - self.means[0]) / self.variance.sqrt()
    }

    /// In the mean of the places, up to a constant.
    fn log_likelihood(&self, places: &[f64]) -> f64 {
        let weights = [1.0 - self.weight, self.weight].map(f64::ln);
        let of = |&place: &f64| {
            let term = |bell: usize| {
                weights[bell] - (place - self.means[bell]).powi(2) / (2.0 * self.variance)
            };
            log_sum(term(0), term(1))
        };
        places.iter().map(of).sum::<f64>() / places.len() as f64 - 0.5 * self.variance.ln()
    }
}

/// The same of one bell.
fn single(places: &[f64]) -> f64 {
    let count = places.len() as f64;
    let mean = places.iter().sum::<f64>() / count;
    let squares: f64 = places.iter().map(|place| (place - mean).powi(2)).sum();
    let variance = squares / count + FLOOR;
    -0.5 * squares / count / variance - 0.5 * variance.ln()
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    /// Four hundred places, of which this share lies so far away.
    fn places(share: f64, away: f64) -> Vec<f64> {
        let mut random = stream(3, 1);
        (0..400)
            .map(|at| {
                let bell = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
                bell + if f64::from(at) < share * 400.0 {
                    away
                } else {
                    0.0
                }
            })
            .collect()
    }

    #[test]
    fn two_bells_are_told_apart() {
        let line = Line::of(&places(0.4, 4.0)).expect("they differ");
        assert!((3.6..4.5).contains(&line.gap()), "{line:?}");
        assert!((0.35..0.45).contains(&line.weight) && line.gain > 0.15);
        assert!(line.odds(4.0) > 3.0 && line.odds(0.0) < -3.0);
        assert!(line.share(4.0) > 0.95);
    }

    #[test]
    fn one_bell_gains_next_to_nothing_and_a_few_places_make_none() {
        let line = Line::of(&places(0.0, 0.0)).expect("they differ");
        assert!(line.gain < 0.02 && line.gap() < 2.5, "{line:?}");
        let few = Line::of(&places(0.03, 9.0)).expect("they differ");
        assert!((few.weight - LEAST).abs() < 1e-9, "{few:?}");
    }

    #[test]
    fn bells_on_one_side_of_zero_are_passed_over_for_what_lies_on_either_side() {
        let apart: Vec<f64> = places(0.4, 4.0).iter().map(|place| place - 2.0).collect();
        let around = Line::around_zero(&apart).expect("they differ");
        let free = Line::of(&apart).expect("they differ");
        assert!((around.gap() - free.gap()).abs() < 1e-12);
        let mut high: Vec<f64> = apart.iter().map(|place| place + 9.0).collect();
        high.extend([-3.0; 20]);
        let around = Line::around_zero(&high).expect("they differ");
        assert!(
            (around.means[0] + 3.0).abs() < 1e-9,
            "{around:?} {:?}",
            Line::of(&high)
        );
        assert!(Line::around_zero(&[1.0, 2.0, 3.0]).is_none());
    }

    #[test]
    fn equal_places_are_no_line() {
        assert!(Line::of(&[2.0; 30]).is_none());
        assert!(Line::of(&[]).is_none());
    }
}
