//! What residuals of a group have in common, and how alike a residual is to it.

use cd_core::Matrix;

/// A pixel belongs to the pattern when its mean over the group lies so many standard errors from 0.
const SIGNIFICANT: f64 = 4.0;
/// Fewer values are no pattern.
const FEWEST: usize = 6;
/// Images that the spread over all images counts for in the spread over the group.
const PRIOR: f64 = 8.0;

/// The mean of a group where it differs from nothing, each pixel weighted by how exactly the group agrees on it.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Where it is, ascending.
    support: Vec<usize>,
    /// One over the group's variance there.
    weights: Vec<f64>,
    /// The group's mean there, times the weight.
    weighted: Vec<f64>,
    /// The weighted square of the mean.
    square: f64,
    /// Images of the group.
    count: f64,
}

impl Pattern {
    /// The pattern of the rows that are members; `None` where they have nothing in common.
    pub(super) fn of(rows: &Matrix, members: &[bool]) -> Option<Self> {
        let count = members.iter().filter(|&&member| member).count() as f64;
        if count < 2.0 {
            return None;
        }
        let mut sums = vec![0.0_f32; rows.columns()];
        let mut squares = vec![0.0_f32; rows.columns()];
        for row in (0..rows.rows()).filter(|&row| members[row]) {
            for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(rows.row(row)) {
                *sum += value;
                *square += value * value;
            }
        }
        let mut pattern = Self {
            support: Vec::new(),
            weights: Vec::new(),
            weighted: Vec::new(),
            square: 0.0,
            count,
        };
        for (at, (&sum, &square)) in sums.iter().zip(&squares).enumerate() {
            let mean = f64::from(sum) / count;
            if mean.abs() * count.sqrt() <= SIGNIFICANT {
                continue;
            }
            let variance = (f64::from(square) / count - mean * mean).max(0.0);
            let variance = variance * count / (count - 1.0);
            let weight = (count + PRIOR) / (count * variance + PRIOR);
            pattern.support.push(at);
            pattern.weights.push(weight);
            pattern.weighted.push(mean * weight);
            pattern.square += mean * mean * weight;
        }
        (pattern.support.len() >= FEWEST).then_some(pattern)
    }

    /// How many values it spans.
    pub(super) fn values(&self) -> usize {
        self.support.len()
    }

    /// The weighted cosine between a residual and the pattern where the pattern is, or the share of the pattern's strength that it has, where
    /// that is less; in [-1, 1].
    pub(super) fn likeness(&self, residual: &[f32]) -> f64 {
        let [own, product] = self.products(residual);
        part(product, own, self.square)
    }

    /// The same for a member of the group, to the pattern of the others.
    pub(super) fn likeness_to_others(&self, residual: &[f32]) -> f64 {
        let [own, product] = self.products(residual);
        let rest = self.count - 1.0;
        let of_others = (self.count * product - own) / rest;
        let square = self.count * self.count * self.square - 2.0 * self.count * product + own;
        part(of_others, own, square / (rest * rest))
    }

    /// Weighted products of a residual with itself and with the pattern.
    fn products(&self, residual: &[f32]) -> [f64; 2] {
        let at = self.support.iter().zip(&self.weights).zip(&self.weighted);
        at.fold([0.0; 2], |[own, product], ((&at, weight), weighted)| {
            let value = f64::from(residual[at]);
            [own + value * value * weight, product + value * weighted]
        })
    }
}

fn part(product: f64, one: f64, other: f64) -> f64 {
    let lengths = (one.max(other) * other).max(0.0).sqrt();
    if lengths > 0.0 {
        (product / lengths).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    #[test]
    fn it_is_where_the_members_agree_and_a_member_does_not_vouch_for_itself() {
        let mut random = stream(1, 0);
        let mut values: Vec<f32> = (0..30 * 500)
            .map(|_| random.random_range(-1.7..1.7))
            .collect();
        for row in 0..10 {
            for at in 40..60 {
                values[row * 500 + at] = if at % 2 == 0 { 2.0 } else { -2.0 };
            }
        }
        let rows = Matrix::new(500, values);
        let members: Vec<bool> = (0..30).map(|row| row < 10).collect();
        let pattern = Pattern::of(&rows, &members).expect("twenty pixels are shared");
        let inside = pattern.support.iter().filter(|at| (40..60).contains(*at));
        assert!(inside.count() == 20 && pattern.support.len() < 24);
        assert!(pattern.likeness_to_others(rows.row(0)) > 0.95);
        assert!(pattern.likeness(rows.row(20)).abs() < 0.6);
        // The pattern of nine others, computed anew, says the same of the tenth.
        let mut others = members.clone();
        others[0] = false;
        let alone = Pattern::of(&rows, &others).expect("the same pixels");
        let apart = alone.likeness(rows.row(0)) - pattern.likeness_to_others(rows.row(0));
        assert!(apart.abs() < 0.05, "{apart}");
        let none: Vec<bool> = (0..30).map(|row| row >= 10).collect();
        assert!(Pattern::of(&rows, &none).is_none());
    }
}
