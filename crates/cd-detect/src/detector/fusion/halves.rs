//! Large parts of a class along the direction in which its images vary most.
//!
//! Poison that makes up much of its class gives the class its widest direction, and two parts along it. Natural classes vary along theirs
//! without such a gap; and since no direction is sought for its gap, noise shows none, either.

use cd_core::Matrix;

use super::gap::{Own, Scatter, largest, points};
use super::mixture::{Mixture, share};
use crate::statistics::{median, quantile};

/// Smaller classes are not judged: a few dozen images often lie in two parts.
const SMALLEST: usize = 500;
/// Least share of a class that is a large part of it.
const LEAST: f64 = 0.25;
/// Other classes that tell what is usual, at least.
const OTHERS: usize = 3;
/// By which factor the parts lie further apart than in three quarters of the other classes.
const BEYOND: f64 = 1.2;
/// Shares of a class, at one of its ends, that parts are looked for from.
const STARTS: [f64; 3] = [0.3, 0.5, 0.7];

/// A class in two large parts that stands out among the others.
#[derive(Debug)]
pub(super) struct Halves {
    /// Distance of the parts' means in standard deviations of a part.
    pub(super) gap: f64,
    pub(super) own: Own,
    /// The share of each image of the class in the second part.
    pub(super) shares: Vec<f64>,
}

/// Of each class its parts, where they lie at least `least` apart and further than in the other classes. `features` has a row for each
/// image, and `scatter` is how they vary.
pub(super) fn standing_out(
    scatter: &Scatter,
    features: &Matrix,
    of_class: &[Vec<usize>],
    least: f64,
) -> Vec<Option<Halves>> {
    let parts = |(class, images): (usize, &Vec<usize>)| {
        (images.len() >= SMALLEST).then(|| parts(scatter, class, features, images))?
    };
    let found: Vec<Option<Mixture>> = of_class.iter().enumerate().map(parts).collect();
    let of = |(class, found_here): (usize, &Option<Mixture>)| {
        let found_here = found_here.as_ref()?;
        let others = found.iter().enumerate().filter(|&(at, _)| at != class);
        let others: Vec<f64> = others
            .filter_map(|(_, one)| Some(one.as_ref()?.gap))
            .collect();
        if others.len() < OTHERS {
            return None;
        }
        let border = least.max(BEYOND * quantile(others.clone(), 0.75));
        let shares: Vec<f64> = found_here.odds.iter().map(|&odds| share(odds)).collect();
        let second = shares.iter().sum::<f64>() / shares.len() as f64;
        (found_here.gap >= border && second.min(1.0 - second) >= LEAST).then(|| Halves {
            gap: found_here.gap,
            own: Own {
                border,
                usual: median(others),
            },
            shares,
        })
    };
    found.iter().enumerate().map(of).collect()
}

/// The likeliest two parts of a class along its widest direction; `None` where its images do not vary.
fn parts(scatter: &Scatter, class: usize, features: &Matrix, images: &[usize]) -> Option<Mixture> {
    let along = scatter.along_widest(class, features, images)?;
    let places: Vec<f64> = along.col(0).iter().copied().collect();
    let points = points(&along);
    let from = |share| Mixture::of(&points, largest(&places, share));
    STARTS
        .map(from)
        .into_iter()
        .max_by(|a, b| a.gain.total_cmp(&b.gain))
}

#[cfg(test)]
mod tests {
    use cd_core::random;
    use rand::Rng;

    use super::*;

    const COLUMNS: usize = 6;

    /// Five classes of `count` images whose widest direction is the first one, in which those of the first class from `poisoned` on lie
    /// away by so many standard deviations.
    fn classes(count: usize, poisoned: usize, away: f32) -> (Matrix, Vec<Vec<usize>>) {
        let mut drawn = random::stream(5, 1);
        let mut values = Vec::new();
        for image in 0..5 * count {
            for column in 0..COLUMNS {
                let bell = (0..12).map(|_| drawn.random::<f32>()).sum::<f32>() - 6.0;
                let is_away = column == 0 && (poisoned..count).contains(&image);
                values.push(if column == 0 { 1.5 * bell } else { bell });
                if is_away {
                    *values.last_mut().expect("just pushed") += 1.5 * away;
                }
            }
        }
        let of_class = (0..5).map(|class| (class * count..(class + 1) * count).collect());
        (Matrix::new(COLUMNS, values), of_class.collect())
    }

    fn found(count: usize, poisoned: usize, away: f32) -> Vec<Option<Halves>> {
        let (features, of_class) = classes(count, poisoned, away);
        standing_out_in(&features, &of_class)
    }

    fn standing_out_in(features: &Matrix, of_class: &[Vec<usize>]) -> Vec<Option<Halves>> {
        standing_out(&Scatter::of(features, of_class), features, of_class, 2.7)
    }

    fn none(found: Vec<Option<Halves>>) -> bool {
        found.into_iter().all(|one| one.is_none())
    }

    #[test]
    fn large_parts_stand_out_and_small_ones_near_ones_and_those_of_small_classes_do_not() {
        let wide = found(600, 300, 3.5);
        assert!(wide[1..].iter().all(Option::is_none));
        let halves = wide[0].as_ref().expect("stands out");
        assert!(
            halves.gap > 3.0 && halves.own.border < 3.0 && halves.own.usual < halves.own.border
        );
        let second = |image: usize| halves.shares[image] > 0.5;
        let apart = (0..600)
            .filter(|&image| second(image) == second(599))
            .count();
        assert!((280..320).contains(&apart), "{apart}");
        assert!(none(found(600, 600, 0.0)));
        assert!(none(found(600, 300, 1.5)));
        assert!(none(found(600, 540, 6.0)));
        assert!(none(found(499, 250, 3.5)));
    }

    #[test]
    fn equal_images_and_few_classes_have_no_parts() {
        let equal = Matrix::new(2, vec![1.0; 2 * 4 * 500]);
        let of_class: Vec<Vec<usize>> = (0..4)
            .map(|at| (at * 500..(at + 1) * 500).collect())
            .collect();
        assert!(none(standing_out_in(&equal, &of_class)));
        let (features, of_class) = classes(600, 300, 3.5);
        assert!(none(standing_out_in(&features, &of_class[..3])));
    }
}
