//! Two large parts of a class, told apart by one direction that either half of the class finds alone.

use faer::{Mat, MatRef};

use super::halves::{both, rows_where};
use super::line::Line;
use super::odds::upper;
use crate::dense::{Spectrum, covariance, mean_row, product};

/// Directions in which a class varies most, that parts are looked for from, beside the one that leads away from the other classes.
const WIDEST: usize = 4;
/// Times that a direction is drawn anew between the means of the parts that it shows.
const ROUNDS: usize = 8;

/// A class in two parts, the second being the one further from the other classes.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    /// Distance of the parts in standard deviations of a part, in the half of the class where it is less.
    pub(super) gap: f64,
    /// Share of the class in the second part.
    pub(super) second: f64,
    /// Share of the class that the directions of both halves put into the same part.
    pub(super) agreement: f64,
    /// How many times as far the second part lies from the other classes as the first.
    pub(super) further: f64,
    /// Log-odds that each image is of the second part, by the direction that the half without it found.
    pub(super) odds: Vec<f64>,
    /// The direction of each half, and the parts that the other half shows along it.
    sides: [(Vec<f64>, Line); 2],
    /// Whether the upper bell is the first part.
    is_turned: bool,
}

impl Parts {
    /// Of a class whose images are the rows, in measures that vary by one within the other classes and are zero in their middle. `half` tells
    /// to which half each belongs. Parts of which both hold the share `large` of the class come first, where its halves agree on the share
    /// `agreed`. `None` where nothing varies.
    pub(super) fn of(rows: &Mat<f64>, half: &[bool], [large, agreed]: [f64; 2]) -> Option<Self> {
        let halves = [false, true].map(|wanted| rows_where(rows, |row| half[row] == wanted));
        let widest =
            Spectrum::of(covariance(rows.as_ref(), 1).as_ref()).top(WIDEST.min(rows.ncols()));
        let widest = widest.col_iter().map(|axis| axis.iter().copied().collect());
        let starts = std::iter::once(mean_row(rows.as_ref())).chain(widest);
        let found = starts.filter_map(|start: Vec<f64>| {
            let directions = halves.each_ref().map(|rows| direction(rows, start.clone()));
            Told::of(rows, half, directions)
        });
        // A few odd images lie further apart than large parts do, and are passed over where there are such parts.
        let rank = |told: &Told| (told.are(large, agreed), told.gain);
        let told = found.max_by(|a, b| {
            let ((a, of_a), (b, of_b)) = (rank(a), rank(b));
            a.cmp(&b).then(of_a.total_cmp(&of_b))
        })?;
        Some(told.turned(rows))
    }

    /// Whether both parts hold at least such a share of the class, and its halves agree on them.
    pub(super) fn are(&self, large: f64, agreed: f64) -> bool {
        are(self.second, self.agreement, large, agreed)
    }

    /// The log-odds of rows that were not among those of the fit: the mean by both directions.
    pub(super) fn odds_of(&self, rows: &Mat<f64>) -> Vec<f64> {
        let [first, second] = self.sides.each_ref().map(|side| odds_along(rows, side));
        let sign = if self.is_turned { -1.0 } else { 1.0 };
        let pairs = first.into_iter().zip(second);
        pairs.map(|(a, b)| sign * f64::midpoint(a, b)).collect()
    }
}

/// A class that is told apart by the directions of its halves.
struct Told {
    gap: f64,
    gain: f64,
    agreement: f64,
    odds: Vec<f64>,
    sides: [(Vec<f64>, Line); 2],
}

impl Told {
    fn of(rows: &Mat<f64>, half: &[bool], directions: [Option<Vec<f64>>; 2]) -> Option<Self> {
        let [first, second] = directions;
        let (first, mut second) = (first?, second?);
        if dot(&first, &second) < 0.0 {
            second = negated(second);
        }
        // Each direction is judged by the half that did not find it.
        let side = |direction: Vec<f64>, wanted: bool| {
            let places = along(rows, &direction);
            let others = places.iter().zip(half);
            let others: Vec<f64> = others
                .filter(|(_, half)| **half == wanted)
                .map(|(&place, _)| place)
                .collect();
            Line::of(&others).map(|line| (direction, line))
        };
        let sides = [side(first, true)?, side(second, false)?];
        let [of_first, of_second] = sides.each_ref().map(|side| odds_along(rows, side));
        let (odds, agreement) = both(&of_first, &of_second, half);
        let [(_, first), (_, second)] = &sides;
        Some(Self {
            gap: first.gap().min(second.gap()),
            gain: first.gain.min(second.gain),
            agreement,
            odds,
            sides,
        })
    }

    fn are(&self, large: f64, agreed: f64) -> bool {
        are(upper(&self.odds), self.agreement, large, agreed)
    }

    /// With the part second that lies further from zero.
    fn turned(mut self, rows: &Mat<f64>) -> Parts {
        let distance = |wanted: bool| {
            let part = rows_where(rows, |row| (self.odds[row] > 0.0) == wanted);
            distance(part.as_ref())
        };
        let [first, second] = [false, true].map(distance);
        let is_turned = first > second;
        if is_turned {
            self.odds = negated(self.odds);
        }
        Parts {
            gap: self.gap,
            second: upper(&self.odds),
            agreement: self.agreement,
            further: first.max(second) / first.min(second).max(f64::MIN_POSITIVE),
            odds: self.odds,
            sides: self.sides,
            is_turned,
        }
    }
}

fn are(second: f64, agreement: f64, large: f64, agreed: f64) -> bool {
    second.min(1.0 - second) >= large && agreement >= agreed
}

/// The log-odds of the rows by a direction and the parts along it.
fn odds_along(rows: &Mat<f64>, (direction, line): &(Vec<f64>, Line)) -> Vec<f64> {
    let places = along(rows, direction).into_iter();
    places.map(|place| line.odds(place)).collect()
}

/// The direction between the means of two parts, sought from a start on; `None` where the rows do not vary along it.
fn direction(rows: &Mat<f64>, mut direction: Vec<f64>) -> Option<Vec<f64>> {
    for _ in 0..ROUNDS {
        let places = along(rows, &unit(direction)?);
        let line = Line::of(&places)?;
        let shares: Vec<f64> = places.iter().map(|&place| line.share(place)).collect();
        let second: f64 = shares.iter().sum();
        let first = shares.len() as f64 - second;
        let between = |column: usize| {
            let values = rows.col(column).iter().zip(&shares);
            values
                .map(|(value, share)| value * (share / second - (1.0 - share) / first))
                .sum()
        };
        direction = (0..rows.ncols()).map(between).collect();
    }
    unit(direction)
}

fn negated(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(|value| -value).collect()
}

/// Of length 1; `None` for zeros.
fn unit(mut vector: Vec<f64>) -> Option<Vec<f64>> {
    let length = dot(&vector, &vector).sqrt();
    if length.is_nan() || length <= 0.0 {
        return None;
    }
    for value in &mut vector {
        *value /= length;
    }
    Some(vector)
}

/// How far the mean of the rows lies from zero, less what chance adds; 0 where that is more, and without rows.
fn distance(rows: MatRef<'_, f64>) -> f64 {
    let count = rows.nrows().max(1) as f64;
    let square = |(column, mean): (usize, f64)| {
        let away: f64 = rows.col(column).iter().map(|v| (v - mean).powi(2)).sum();
        mean * mean - away / count / count
    };
    let means = mean_row(rows).into_iter().enumerate();
    means.map(square).sum::<f64>().max(0.0).sqrt()
}

fn along(rows: &Mat<f64>, direction: &[f64]) -> Vec<f64> {
    let direction = MatRef::from_column_major_slice(direction, direction.len(), 1);
    let places = product(rows.as_ref(), direction);
    places.col(0).iter().copied().collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    /// Six hundred points in twenty directions, of which every third lies away along the seventh.
    fn points(away: f64) -> Mat<f64> {
        let mut random = stream(8, 1);
        let mut values = vec![0.0; 600 * 20];
        for value in &mut values {
            *value = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        }
        Mat::from_fn(600, 20, |row, column| {
            let more = if column == 6 && row % 3 == 0 {
                away
            } else {
                0.0
            };
            values[row * 20 + column] + more
        })
    }

    fn found(away: f64) -> Parts {
        let half: Vec<bool> = (0..600).map(|row| row % 2 == 0).collect();
        Parts::of(&points(away), &half, [0.2, 0.85]).expect("they vary")
    }

    #[test]
    fn parts_that_lie_apart_are_found_by_either_half() {
        let parts = found(4.0);
        assert!((3.5..4.6).contains(&parts.gap), "{}", parts.gap);
        assert!(parts.agreement > 0.97 && parts.further > 10.0);
        let right = |(row, odds): (usize, &f64)| (*odds > 0.0) == (row % 3 == 0);
        let right = parts.odds.iter().enumerate().filter(|&one| right(one));
        assert!(right.count() > 570);
        assert!((0.3..0.37).contains(&parts.second), "{}", parts.second);
        let away = Mat::from_fn(1, 20, |_, column| if column == 6 { 4.0 } else { 0.0 });
        assert!(parts.odds_of(&away)[0] > 2.0 && parts.odds_of(&Mat::zeros(1, 20))[0] < -2.0);
    }

    #[test]
    fn halves_of_noise_do_not_agree() {
        let parts = found(0.0);
        assert!(parts.agreement < 0.8 && parts.gap < 2.5, "{parts:?}");
    }

    #[test]
    fn equal_points_have_no_parts() {
        let equal = Mat::from_fn(20, 3, |_, _| 1.0);
        let half: Vec<bool> = (0..20).map(|row| row % 2 == 0).collect();
        assert!(Parts::of(&equal, &half, [0.2, 0.85]).is_none());
        assert!(Parts::of(&Mat::zeros(0, 3), &[], [0.2, 0.85]).is_none());
    }
}
