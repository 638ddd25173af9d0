//! Large parts of a class along the direction in which its images vary most.
//!
//! Poison that makes up much of its class gives the class its widest direction, and two parts along it. Natural classes vary along theirs
//! without such a gap; and since no direction is sought for its gap, noise shows none, either.

use cd_core::Matrix;

use super::mixture::{Mixture, share};
use crate::singular::top_direction;
use crate::statistics::{median, quantile};

/// Smaller classes are not judged: a few dozen images often lie in two parts.
pub(super) const SMALLEST: usize = 500;
/// Least share of a class that is a large part of it.
const LEAST: f64 = 0.25;
/// Other classes that tell what is usual, at least.
const OTHERS: usize = 3;
/// By which factor the parts lie further apart than in three quarters of the other classes.
const BEYOND: f64 = 1.2;
/// Shares of a class, from one of its ends, from which parts are looked for.
const STARTS: [f64; 3] = [0.3, 0.5, 0.7];

/// A class in two large parts that stands out among the others.
#[derive(Debug)]
pub(super) struct Halves {
    /// Distance of the parts' means in standard deviations of a part, and the distance from which a class stands out.
    pub(super) gap: f64,
    pub(super) border: f64,
    /// The median distance in the other classes.
    pub(super) usual: f64,
    /// The share of each image of the class in the second part.
    pub(super) shares: Vec<f64>,
}

/// Of each class its parts, where they lie at least `least` apart and further than in the other classes. `features` has a row for each
/// image.
pub(super) fn standing_out(
    features: &Matrix,
    of_class: &[Vec<usize>],
    least: f64,
) -> Vec<Option<Halves>> {
    let parts = |images: &Vec<usize>| (images.len() >= SMALLEST).then(|| parts(features, images));
    let found: Vec<Option<Mixture>> = of_class.iter().map(|images| parts(images)?).collect();
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
            border,
            usual: median(others),
            shares,
        })
    };
    found.iter().enumerate().map(of).collect()
}

/// The likeliest two parts of these images along their widest direction; `None` where they do not vary.
fn parts(features: &Matrix, images: &[usize]) -> Option<Mixture> {
    let mut rows: Vec<Vec<f64>> = images
        .iter()
        .map(|&image| features.row(image).iter().map(|&v| f64::from(v)).collect())
        .collect();
    let count = rows.len() as f64;
    for column in 0..rows.first()?.len() {
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        for row in &mut rows {
            row[column] -= mean;
        }
    }
    let direction = top_direction(&rows)?;
    let along = |row: &Vec<f64>| row.iter().zip(&direction).map(|(a, b)| a * b).sum::<f64>();
    let places: Vec<f64> = rows.iter().map(along).collect();
    let spread = (places.iter().map(|place| place * place).sum::<f64>() / count).sqrt();
    if spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let points: Vec<Vec<f64>> = places.iter().map(|place| vec![place / spread]).collect();
    let from = |start: f64| {
        let border = quantile(places.clone(), start);
        let shares = places
            .iter()
            .map(|&place| f64::from(u8::from(place > border)));
        Mixture::of(&points, shares.collect())
    };
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
        standing_out(&features, &of_class, 2.7)
    }

    #[test]
    fn large_parts_stand_out_and_small_ones_near_ones_and_those_of_small_classes_do_not() {
        let wide = found(600, 300, 3.5);
        assert!(wide[1..].iter().all(Option::is_none));
        let halves = wide[0].as_ref().expect("stands out");
        assert!(halves.gap > 3.0 && halves.border < 3.0 && halves.usual < halves.border);
        let second = |image: usize| halves.shares[image] > 0.5;
        let apart = (0..600)
            .filter(|&image| second(image) == second(599))
            .count();
        assert!((280..320).contains(&apart), "{apart}");
        let none = |found: Vec<Option<Halves>>| found.iter().all(Option::is_none);
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
        assert!(
            standing_out(&equal, &of_class, 2.7)
                .iter()
                .all(Option::is_none)
        );
        let (features, of_class) = classes(600, 300, 3.5);
        assert!(
            standing_out(&features, &of_class[..3], 2.7)
                .iter()
                .all(Option::is_none)
        );
    }
}
