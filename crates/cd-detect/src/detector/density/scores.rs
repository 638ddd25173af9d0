//! Scores from the distances of neighbours; duplicates have distance 0.

use crate::neighbours::Neighbours;

/// What an image is worth whose neighbours lie on one point while it does not.
const APART: f64 = 1000.0;

/// Distance to the last neighbour.
pub(super) fn distances(neighbours: &Neighbours, count: usize) -> Vec<f64> {
    (0..count).map(|row| neighbours.radius(row)).collect()
}

/// Local intrinsic dimension by maximum likelihood; 0 where all neighbours lie on the image or at one distance.
pub(super) fn dimensions(neighbours: &Neighbours, count: usize) -> Vec<f64> {
    let dimension = |row| {
        let radius = neighbours.radius(row);
        if neighbours.k() == 0 || radius <= 0.0 {
            return 0.0;
        }
        let nearer = neighbours.of(row).iter().filter(|(d, _)| *d > 0.0);
        let sum: f64 = nearer.map(|(distance, _)| (distance / radius).ln()).sum();
        if sum < 0.0 {
            -(neighbours.k() as f64) / sum
        } else {
            0.0
        }
    };
    (0..count).map(dimension).collect()
}

/// Mean ratio of an image's radius to those of its neighbours.
pub(super) fn outlier_factors(neighbours: &Neighbours, count: usize) -> Vec<f64> {
    factors(neighbours, count, |_| 1.0)
}

/// The same with each ratio raised to the dimension at the neighbour.
pub(super) fn aware_factors(neighbours: &Neighbours, count: usize) -> Vec<f64> {
    let dimensions = dimensions(neighbours, count);
    factors(neighbours, count, |neighbour| dimensions[neighbour])
}

fn factors(neighbours: &Neighbours, count: usize, power: impl Fn(usize) -> f64) -> Vec<f64> {
    let factor = |row| {
        let own = neighbours.radius(row);
        let ratios = neighbours.of(row).iter().map(|&(_, neighbour)| {
            let other = neighbours.radius(neighbour as usize);
            ratio(own, other).powf(power(neighbour as usize))
        });
        let sum: f64 = ratios.map(|value| value.min(f64::MAX / 1e6)).sum();
        sum / neighbours.k().max(1) as f64
    };
    (0..count).map(factor).collect()
}

fn ratio(own: f64, other: f64) -> f64 {
    if other > 0.0 {
        own / other
    } else if own > 0.0 {
        APART
    } else {
        1.0
    }
}
