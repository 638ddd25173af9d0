//! The minimum of a smooth convex function.
//!
//! Nocedal: *Updating Quasi-Newton Matrices with Limited Storage*, Mathematics of Computation 1980, with steps that are halved until
//! they descend enough.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;
/// More steps than a well-scaled problem takes.
const MOST_STEPS: usize = 200;
/// The gradient is small at this share of its first length.
const TOLERANCE: f64 = 1e-4;
/// Share of the promised descent that a step must bring.
const ENOUGH: f64 = 1e-4;
/// Halvings after which rounding decides.
const MOST_HALVINGS: usize = 20;

/// Where a step led from, and how the gradient changed on it.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    /// One over their product.
    scale: f64,
}

/// Where `function`, which gives value and gradient, is least, as far as rounding allows; sought from `start`.
pub(super) fn minimum(start: Vec<f64>, function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let origin = vec![0.0; start.len()];
    let small = TOLERANCE * length(&function(&origin).1);
    let mut place = start;
    let (mut value, mut gradient) = function(&place);
    let mut steps: VecDeque<Step> = VecDeque::new();
    for _ in 0..MOST_STEPS {
        if length(&gradient) <= small {
            break;
        }
        let mut way = newton(&steps, &gradient);
        let mut slope = product(&way, &gradient);
        if slope >= 0.0 {
            steps.clear();
            way = gradient.iter().map(|slope| -slope).collect();
            slope = product(&way, &gradient);
        }
        let Some((next, found)) = descend(&place, value, &way, slope, &function) else {
            break;
        };
        let moved = difference(&next, &place);
        let turned = difference(&found.1, &gradient);
        let curvature = product(&moved, &turned);
        if curvature > 0.0 {
            steps.push_back(Step {
                scale: 1.0 / curvature,
                moved,
                turned,
            });
            if steps.len() > MEMORY {
                steps.pop_front();
            }
        }
        (place, value, gradient) = (next, found.0, found.1);
    }
    place
}

type Found = (f64, Vec<f64>);

/// A point along `way` that is lower enough; `None` where rounding hides any descent.
fn descend(
    place: &[f64],
    value: f64,
    way: &[f64],
    slope: f64,
    function: &impl Fn(&[f64]) -> Found,
) -> Option<(Vec<f64>, Found)> {
    let mut size = 1.0;
    for _ in 0..MOST_HALVINGS {
        let next: Vec<f64> = place
            .iter()
            .zip(way)
            .map(|(at, by)| at + size * by)
            .collect();
        let found = function(&next);
        if found.0 <= value + ENOUGH * size * slope {
            return Some((next, found));
        }
        size /= 2.0;
    }
    None
}

/// The way down that the curvature of the last steps suggests.
fn newton(steps: &VecDeque<Step>, gradient: &[f64]) -> Vec<f64> {
    let mut way: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let share = step.scale * product(&step.moved, &way);
        add(&mut way, -share, &step.turned);
        shares.push(share);
    }
    if let Some(last) = steps.back() {
        let scale = 1.0 / (last.scale * product(&last.turned, &last.turned));
        for value in &mut way {
            *value *= scale;
        }
    }
    for (step, share) in steps.iter().zip(shares.into_iter().rev()) {
        let back = share - step.scale * product(&step.turned, &way);
        add(&mut way, back, &step.moved);
    }
    way
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn length(values: &[f64]) -> f64 {
    product(values, values).sqrt()
}

fn difference(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(a, b)| a - b).collect()
}

fn add(values: &mut [f64], factor: f64, others: &[f64]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value += factor * other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_narrow_valley() {
        let valley = |at: &[f64]| {
            let [x, y] = [at[0] - 3.0, at[1] + 2.0];
            let value = x * x + 500.0 * y * y + x.powi(4);
            (value, vec![2.0 * x + 4.0 * x.powi(3), 1000.0 * y])
        };
        let found = minimum(vec![0.0, 0.0], valley);
        assert!(
            (found[0] - 3.0).abs() < 0.1 && (found[1] + 2.0).abs() < 1e-3,
            "{found:?}"
        );
        let start = vec![3.0, -2.0];
        assert_eq!(minimum(start.clone(), valley), start);
    }
}
