//! Measures of a class, scaled by how the other classes vary.

use std::ops::Range;

use faer::Mat;

use super::mixture::Others;
use super::odds::sure;
use crate::dense::{Spectrum, Whitening, centred, covariance, mean_row, product, scale};

/// What is known of many images needs little help.
const WHITENING: Whitening = Whitening {
    shrinkage: 0.01,
    least_spread: 0.05,
};

/// Directions in which classes differ most.
const KINDS: usize = 8;

/// Log-odds that a first guess is of at most.
const SUREST: f64 = 9.0;

/// How the images of a set vary within their classes.
pub(super) struct Scatter {
    /// Sums of products within classes.
    products: Mat<f64>,
    /// The number of images and the mean of each class.
    classes: Vec<(usize, Vec<f64>)>,
}

impl Scatter {
    /// Of no class yet, in rows of this width.
    pub(super) fn of(width: usize) -> Self {
        Self {
            products: Mat::zeros(width, width),
            classes: Vec::new(),
        }
    }

    /// Takes the rows of the next class in.
    pub(super) fn take(&mut self, rows: &Mat<f64>) {
        self.products += products(rows);
        self.classes.push((rows.nrows(), mean_row(rows.as_ref())));
    }

    /// All classes but `class`, whose rows these are.
    pub(super) fn beside(&self, class: usize, rows: &Mat<f64>) -> Beside<'_> {
        let others = self.classes.iter().enumerate();
        let others = others.filter(|&(at, (images, _))| at != class && *images > 0);
        Beside {
            within: &self.products - products(rows),
            classes: others.map(|(_, other)| other).collect(),
        }
    }

    /// All that has been taken in, which holds no image of the class that is asked about.
    pub(super) fn elsewhere(&self) -> Beside<'_> {
        let classes = self.classes.iter();
        Beside {
            within: self.products.clone(),
            classes: classes.filter(|(images, _)| *images > 0).collect(),
        }
    }
}

/// All classes but one.
pub(super) struct Beside<'a> {
    /// Sums of products within them.
    within: Mat<f64>,
    /// The number of images and the mean of each.
    classes: Vec<&'a (usize, Vec<f64>)>,
}

impl Beside<'_> {
    fn images(&self) -> usize {
        self.classes.iter().map(|(images, _)| images).sum()
    }

    /// The measures of a view as they vary here; `None` where they do not.
    pub(super) fn white(&self, view: Range<usize>) -> Option<White> {
        let within = &self.within;
        let within = within.submatrix(view.start, view.start, view.len(), view.len());
        let whitening = WHITENING.of(within, self.images())?;
        Some(self.scaled(view, whitening))
    }

    /// All measures as they vary here, of which there may be thousands; `None` where they do not.
    pub(super) fn white_of_many(&self) -> Option<White> {
        let whitening = WHITENING.triangular(self.within.as_ref(), self.images())?;
        Some(self.scaled(0..self.within.ncols(), whitening))
    }

    fn scaled(&self, view: Range<usize>, whitening: Mat<f64>) -> White {
        let middle = |at: usize| {
            let sum: f64 = self.classes.iter().map(|(_, mean)| mean[at]).sum();
            sum / self.classes.len().max(1) as f64
        };
        White {
            middle: view.clone().map(middle).collect(),
            whitening,
            view,
        }
    }

    /// These classes as `white` shows them.
    pub(super) fn others(&self, white: &White) -> Others {
        let classes = &self.classes;
        let width = classes.first().map_or(0, |(_, mean)| mean.len());
        let means = Mat::from_fn(classes.len(), width, |row, column| classes[row].1[column]);
        let count = self.images().max(1) as f64;
        Others {
            means: white.of(&means),
            shares: classes
                .iter()
                .map(|(images, _)| *images as f64 / count)
                .collect(),
        }
    }
}

/// A class along the directions in which the other classes differ from each other, where each of them varies by one.
pub(super) struct Kinds {
    /// A row for each image.
    places: Mat<f64>,
    /// Variance of the other classes' means along each direction.
    strengths: Vec<f64>,
}

impl Kinds {
    /// How rows, scaled as the other classes are, lie along the directions in which those differ from each other; `None` where they do not.
    pub(super) fn of(rows: &Mat<f64>, others: &Others) -> Option<Self> {
        let Others { means, shares } = others;
        let middle = |column: usize| {
            let values = means.col(column).iter().zip(shares);
            values.map(|(value, share)| share * value).sum::<f64>()
        };
        let middle: Vec<f64> = (0..means.ncols()).map(middle).collect();
        let away = Mat::from_fn(means.nrows(), means.ncols(), |row, column| {
            shares[row].sqrt() * (means[(row, column)] - middle[column])
        });
        let spectrum = Spectrum::of(product(away.transpose(), away.as_ref()).as_ref());
        let directions = KINDS.min(shares.len().saturating_sub(1));
        let strengths: Vec<f64> = spectrum
            .values
            .iter()
            .rev()
            .take(directions)
            .copied()
            .collect();
        let is_some = strengths.first().is_some_and(|&strength| strength > 0.0);
        is_some.then(|| Self {
            places: product(rows.as_ref(), spectrum.top(directions).as_ref()),
            strengths,
        })
    }

    /// How mixed some of the images are: 1 where they vary as all other classes together do, 0 where they vary as a single one does.
    pub(super) fn mixture(&self, of: impl Fn(usize) -> bool) -> f64 {
        let chosen: Vec<usize> = (0..self.places.nrows()).filter(|&row| of(row)).collect();
        let count = chosen.len().max(1) as f64;
        let more = |(column, strength): (usize, &f64)| {
            let values = chosen.iter().map(|&row| self.places[(row, column)]);
            let mean = values.clone().sum::<f64>() / count;
            let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            (variance - 1.0) * strength
        };
        let more: f64 = self.strengths.iter().enumerate().map(more).sum();
        let squares: f64 = self
            .strengths
            .iter()
            .map(|strength| strength * strength)
            .sum();
        more / squares
    }

    /// The shares by which each image is a stranger for all that is known of its place among kinds: a class of its own varies by one
    /// around the same middle as strangers do who vary as all the others together.
    pub(super) fn strange(&self) -> Vec<f64> {
        let middle = mean_row(self.places.as_ref());
        let odds = |row: usize| {
            let each = self.strengths.iter().enumerate();
            let each = each.map(|(column, &strength)| {
                let square = (self.places[(row, column)] - middle[column]).powi(2);
                square - square / (1.0 + strength) - strength.ln_1p()
            });
            (each.sum::<f64>() / 2.0).clamp(-SUREST, SUREST)
        };
        (0..self.places.nrows())
            .map(|row| sure(odds(row)))
            .collect()
    }
}

/// A view in which the other classes vary by one and have their middle at zero.
pub(super) struct White {
    view: Range<usize>,
    whitening: Mat<f64>,
    middle: Vec<f64>,
}

impl White {
    /// What is seen of these rows.
    pub(super) fn of(&self, rows: &Mat<f64>) -> Mat<f64> {
        let rows = rows.subcols(self.view.start, self.view.len());
        product(
            centred(rows, &self.middle).as_ref(),
            self.whitening.as_ref(),
        )
    }
}

/// Sums of products of rows around their mean.
fn products(rows: &Mat<f64>) -> Mat<f64> {
    let mut products = covariance(rows.as_ref(), 0);
    scale(&mut products, rows.nrows() as f64);
    products
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    /// Four classes of `count` points, which lie apart along the first two of six directions.
    fn class(class: usize, count: usize) -> Mat<f64> {
        let mut random = stream(class as u64, 5);
        let bells: Vec<f64> = (0..count * 6)
            .map(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0)
            .collect();
        Mat::from_fn(count, 6, |row, column| {
            let away = match column {
                0 => 3.0 * (class % 2) as f64,
                1 => 2.0 * (class / 2) as f64,
                _ => 0.0,
            };
            2.0 * (bells[row * 6 + column] + away)
        })
    }

    /// Images of one class, of which every second one is of the three others in turn, and all classes.
    fn poisoned() -> (Mat<f64>, Scatter) {
        let classes: Vec<Mat<f64>> = (0..4).map(|at| class(at, 600)).collect();
        let first = Mat::from_fn(600, 6, |row, column| {
            let from = if row % 2 == 0 { 1 + row / 2 % 3 } else { 0 };
            classes[from][(row, column)]
        });
        let mut scatter = Scatter::of(6);
        scatter.take(&first);
        for class in &classes[1..] {
            scatter.take(class);
        }
        (first, scatter)
    }

    fn kinds(rows: &Mat<f64>, scatter: &Scatter) -> Option<Kinds> {
        let beside = scatter.beside(0, rows);
        let white = beside.white(0..rows.ncols())?;
        Kinds::of(&white.of(rows), &beside.others(&white))
    }

    #[test]
    fn images_of_all_other_classes_are_a_mixture_and_those_of_one_are_not() {
        let (rows, scatter) = poisoned();
        let kinds = kinds(&rows, &scatter).expect("they differ");
        let (even, odd) = (
            kinds.mixture(|row| row % 2 == 0),
            kinds.mixture(|row| row % 2 == 1),
        );
        assert!((0.8..1.2).contains(&even), "{even}");
        assert!(odd.abs() < 0.2, "{odd}");
    }

    #[test]
    fn images_of_other_classes_are_the_stranger_ones() {
        let (rows, scatter) = poisoned();
        let kinds = kinds(&rows, &scatter).expect("they differ");
        let shares = kinds.strange();
        let mean = |from: usize| shares.iter().skip(from).step_by(2).sum::<f64>() / 300.0;
        assert!(mean(0) > mean(1) + 0.02, "{} {}", mean(0), mean(1));
    }

    #[test]
    fn other_classes_vary_by_one_around_zero() {
        let (rows, scatter) = poisoned();
        let white = scatter.beside(0, &rows).white(1..4).expect("they vary");
        let mut sums = [0.0; 3];
        for at in 1..4 {
            let of = white.of(&class(at, 600));
            assert_eq!(of.ncols(), 3);
            let covariance = covariance(of.as_ref(), 1);
            for column in 0..3 {
                assert!((covariance[(column, column)] - 1.0).abs() < 0.25);
                sums[column] += mean_row(of.as_ref())[column];
            }
        }
        assert!(sums.iter().all(|sum| sum.abs() < 1e-9));
    }

    #[test]
    fn classes_that_do_not_differ_are_no_kinds() {
        let mut scatter = Scatter::of(3);
        let equal = Mat::from_fn(5, 3, |_, _| 1.0);
        scatter.take(&equal);
        scatter.take(&equal);
        assert!(scatter.beside(0, &equal).white(0..3).is_none());
        let one_place = Others {
            means: Mat::from_fn(3, 3, |_, column| column as f64),
            shares: vec![0.25, 0.25, 0.5],
        };
        assert!(Kinds::of(&equal, &one_place).is_none());
    }
}
