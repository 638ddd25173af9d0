//! How far a class falls apart in two groups, in features that are scaled by how the other classes vary.

use cd_core::Matrix;
use faer::Mat;

use super::halves::Halves;
use super::mixture::Mixture;
use super::views::View;
use crate::dense::{Spectrum, Whitening, centred, covariance, mean_row, product, rows_of};
use crate::statistics::{median, quantile};

/// How features are scaled within classes.
const WHITENING: Whitening = Whitening {
    shrinkage: 0.1,
    least_spread: 0.05,
};
/// Smaller classes are not judged: noise falls apart, too.
pub(super) const SMALLEST_CLASS: usize = 40;
/// Smaller groups are not judged, either: a few odd images lie apart in every class.
pub(super) const SMALLEST_GROUP: usize = 8;
/// Images for each direction in which groups are looked for, and most directions.
const IMAGES_A_DIRECTION: usize = 50;
const MOST_DIRECTIONS: usize = 8;
/// Directions whose ends are tried as groups to start from.
const STARTS: usize = 4;
/// Directions in which the large parts of a class are told apart once they are found.
const AXES_OF_HALVES: usize = 2;
/// Share of a class that two splits put into the same groups, from which they are the same; up to one less it, the groups are swapped.
const SAME: f64 = 0.85;
const OPPOSITE: f64 = 1.0 - SAME;
/// Gap from which the place of a group tells which one is suspicious.
const WIDE: f64 = 7.5;
/// Share of a class up to which a group of it is small, and how many times the usual size a class may have for a small group to be
/// the suspicious one.
const SMALL: f64 = 0.2;
const SWOLLEN: f64 = 1.5;
/// Share of a class that groups start from.
const START: f64 = 0.1;

/// A class in two groups, the second being the suspicious one.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    /// What it was taken apart in, in words.
    pub(crate) view: &'static str,
    /// Distance of the groups' means in standard deviations of a group.
    pub(crate) gap: f64,
    /// What that distance is measured against, where it is not the one of the other classes.
    pub(crate) own: Option<Own>,
    /// Log-odds that each image of the class is of the suspicious group, in the order of the class.
    pub(crate) odds: Vec<f64>,
    /// The same for the trusted images of the class.
    pub(crate) trusted: Vec<f64>,
    /// Whether the classifier takes each image of the class for one of it.
    pub(crate) learned: Vec<bool>,
}

/// Border and usual distance of a split along the widest direction of a class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) border: f64,
    /// The median in the other classes.
    pub(crate) usual: f64,
}

impl Split {
    /// The same with the groups of `other`, which were told apart in more directions, where they are the same groups.
    pub(super) fn refined_by(self, other: Option<Self>) -> Self {
        let Some(other) = other else {
            return self;
        };
        let pairs = self.odds.iter().zip(&other.odds);
        let agreeing = pairs.filter(|(own, other)| (**own > 0.0) == (**other > 0.0));
        let share = agreeing.count() as f64 / self.odds.len().max(1) as f64;
        let turned = |odds: Vec<f64>| odds.into_iter().map(|odds| -odds).collect();
        match share {
            SAME.. => Self {
                odds: other.odds,
                trusted: other.trusted,
                ..self
            },
            ..=OPPOSITE => Self {
                odds: turned(other.odds),
                trusted: turned(other.trusted),
                ..self
            },
            _ => self,
        }
    }

    /// Images of the suspicious group.
    pub(crate) fn group(&self) -> usize {
        self.odds.iter().filter(|&&odds| odds > 0.0).count()
    }

    /// The suspicious group as a share of the class.
    pub(crate) fn share(&self) -> f64 {
        self.group() as f64 / self.odds.len().max(1) as f64
    }

    /// Trusted images of the class, and those of them in the suspicious group.
    pub(crate) fn trusted_inside(&self) -> [usize; 2] {
        let inside = self.trusted.iter().filter(|&&odds| odds > 0.0).count();
        [self.trusted.len(), inside]
    }

    /// Images of the suspicious group that the classifier takes for their class.
    pub(crate) fn learned(&self) -> usize {
        let images = self.odds.iter().zip(&self.learned);
        images
            .filter(|&(&odds, &learned)| odds > 0.0 && learned)
            .count()
    }
}

/// How features vary within each class, as sums of products.
pub(super) struct Scatter {
    classes: Vec<(Mat<f64>, Vec<f64>, usize)>,
}

impl Scatter {
    pub(super) fn of(features: &Matrix, of_class: &[Vec<usize>]) -> Self {
        let of = |images: &Vec<usize>| {
            let rows = rows_of(features, images);
            let mut products = covariance(rows.as_ref(), 0);
            crate::dense::scale(&mut products, images.len() as f64);
            (products, mean_row(rows.as_ref()), images.len())
        };
        Self {
            classes: of_class.iter().map(of).collect(),
        }
    }

    /// Where the images of `class` lie along the direction in which they vary most, around their mean and in standard deviations, a row each;
    /// `None` where they do not vary.
    pub(super) fn along_widest(
        &self,
        class: usize,
        features: &Matrix,
        images: &[usize],
    ) -> Option<Mat<f64>> {
        let (products, mean, count) = &self.classes[class];
        let axis = Spectrum::of(products.as_ref()).top(1);
        let rows = rows_of(features, images);
        let mut along = product(centred(rows.as_ref(), mean).as_ref(), axis.as_ref());
        let spread = (along.squared_norm_l2() / *count as f64).sqrt();
        if spread.is_nan() || spread <= 0.0 {
            return None;
        }
        crate::dense::scale(&mut along, 1.0 / spread);
        Some(along)
    }

    /// What turns features so that they vary by one within the classes other than `class`; `None` when there are hardly any.
    fn whitening(&self, class: usize) -> Option<Mat<f64>> {
        let side = self.classes[class].1.len();
        let mut sum = Mat::<f64>::zeros(side, side);
        let mut count = 0;
        for (at, (products, _, images)) in self.classes.iter().enumerate() {
            if at != class && *images > 1 {
                sum += products;
                count += images;
            }
        }
        if count < SMALLEST_CLASS {
            return None;
        }
        WHITENING.of(sum.as_ref(), count)
    }

    /// The middle of the means of the classes other than `class`.
    fn middle(&self, class: usize) -> Vec<f64> {
        let others = self.classes.iter().enumerate();
        let others: Vec<&Vec<f64>> = others
            .filter(|&(at, (_, _, images))| at != class && *images > 0)
            .map(|(_, (_, mean, _))| mean)
            .collect();
        let of = |at: usize| {
            others.iter().map(|mean| mean[at]).sum::<f64>() / others.len().max(1) as f64
        };
        (0..self.classes[class].1.len()).map(of).collect()
    }

    /// The median size of the classes other than `class`.
    fn usual_size(&self, class: usize) -> f64 {
        let others = self.classes.iter().enumerate();
        let others = others.filter(|&(at, (_, _, images))| at != class && *images > 0);
        median(others.map(|(_, (_, _, images))| *images as f64).collect())
    }

    /// The split of `class`, whose images have these features and suspicions, where `learned` tells which images of the set the classifier
    /// takes for their class; `None` where it is too small to tell.
    pub(super) fn split(
        &self,
        class: usize,
        view: &View<'_>,
        images: &[usize],
        trusted: &[usize],
        witnesses: &[Vec<f64>],
        learned: &[bool],
    ) -> Option<Split> {
        if images.len() < SMALLEST_CLASS {
            return None;
        }
        let white = self.white(class, view, images, trusted)?;
        let rows = &white.rows;
        let directions = (images.len() / IMAGES_A_DIRECTION).clamp(1, MOST_DIRECTIONS);
        let axes = white.widest(directions);
        let suspected: Vec<Vec<f64>> = witnesses
            .iter()
            .map(|witness| {
                let values: Vec<f64> = images.iter().map(|&image| witness[image]).collect();
                largest(&values, START)
            })
            .collect();
        let axes = with_suspected(axes, rows, &suspected);
        let found = best(&points(&product(rows.as_ref(), axes.as_ref())), &suspected)?;
        let usual = self.usual_size(class);
        let minority = small_is_second(&found, usual).filter(|_| white.trusted.is_none());
        let is_second = match minority {
            Some(is_second) => is_second,
            None if white.trusted.is_some() || found.gap >= WIDE => white.far_is_second(&found),
            None => unusual_is_second(&found, usual),
        };
        let found = if is_second { found } else { found.swapped() };
        Some(Split {
            view: view.name,
            gap: if has_groups(&found) { found.gap } else { 0.0 },
            own: None,
            trusted: white.odds_of_trusted(&found, &axes),
            odds: found.odds,
            learned: images.iter().map(|&image| learned[image]).collect(),
        })
    }

    /// The split of `class` that begins with the large parts in which it stands out. The one that lies further from the other classes is the
    /// suspicious one: a trigger leads beyond what natural images of the class show.
    pub(super) fn split_by(
        &self,
        class: usize,
        view: &View<'_>,
        images: &[usize],
        trusted: &[usize],
        halves: Halves,
        learned: &[bool],
    ) -> Option<Split> {
        let white = self.white(class, view, images, trusted)?;
        let axes = white.widest(AXES_OF_HALVES);
        let points = points(&product(white.rows.as_ref(), axes.as_ref()));
        let found = Mixture::of(&points, halves.shares);
        let found = if white.far_is_second(&found) {
            found
        } else {
            found.swapped()
        };
        Some(Split {
            view: "along the direction in which they vary most",
            gap: halves.gap,
            own: Some(halves.own),
            trusted: white.odds_of_trusted(&found, &axes),
            odds: found.odds,
            learned: images.iter().map(|&image| learned[image]).collect(),
        })
    }

    /// The features of a class as they vary within the others; `None` when there are hardly any others.
    fn white(
        &self,
        class: usize,
        view: &View<'_>,
        images: &[usize],
        trusted: &[usize],
    ) -> Option<White> {
        let whitening = self.whitening(class)?;
        let middle = self.middle(class);
        let white =
            |rows: Mat<f64>| product(centred(rows.as_ref(), &middle).as_ref(), whitening.as_ref());
        let of_trusted = view.trusted.as_ref();
        let of_trusted = of_trusted.map(|features| white(rows_of(features, trusted)));
        Some(White {
            rows: white(rows_of(&view.images, images)),
            trusted: of_trusted.filter(|rows| rows.nrows() > 1),
        })
    }
}

/// The images of a class, a row each, in features that vary by one within the other classes, whose middle is zero.
struct White {
    rows: Mat<f64>,
    /// The trusted images of the class, where there are several.
    trusted: Option<Mat<f64>>,
}

impl White {
    /// At most `count` directions in which the images vary most.
    fn widest(&self, count: usize) -> Mat<f64> {
        let count = count.min(self.rows.ncols());
        Spectrum::of(covariance(self.rows.as_ref(), 1).as_ref()).top(count)
    }

    /// Whether the second group lies further than the first from the trusted images or, without any, from the middle of the other classes,
    /// which a trigger's own direction leads away from.
    fn far_is_second(&self, found: &Mixture) -> bool {
        let home = match &self.trusted {
            Some(trusted) => mean_row(trusted.as_ref()),
            None => vec![0.0; self.rows.ncols()],
        };
        let distance = |second: bool| {
            let members: Vec<usize> = (0..self.rows.nrows())
                .filter(|&row| (found.odds[row] > 0.0) == second)
                .collect();
            let of = |(column, home): (usize, &f64)| {
                let sum: f64 = members.iter().map(|&row| self.rows[(row, column)]).sum();
                (sum / members.len().max(1) as f64 - home).powi(2)
            };
            home.iter().enumerate().map(of).sum::<f64>()
        };
        distance(true) >= distance(false)
    }

    /// The log-odds of the trusted images in the groups that were found along `axes`.
    fn odds_of_trusted(&self, found: &Mixture, axes: &Mat<f64>) -> Vec<f64> {
        let Some(trusted) = &self.trusted else {
            return Vec::new();
        };
        let points = points(&product(trusted.as_ref(), axes.as_ref()));
        points.iter().map(|point| found.odds_of(point)).collect()
    }
}

/// Whether the second group is a small part of a class that is no larger than others; `None` where neither is. Poison that is most of its
/// class makes it much larger.
fn small_is_second(found: &Mixture, usual: f64) -> Option<bool> {
    let second = found.odds.iter().filter(|&&odds| odds > 0.0).count() as f64;
    let all = found.odds.len() as f64;
    let is_small = |group: f64| group <= SMALL * all;
    if all > SWOLLEN * usual || !(is_small(second) || is_small(all - second)) {
        return None;
    }
    Some(is_small(second))
}

/// Whether the first group is nearer to the usual size of a class than the second. Poison that is hardly learned lies nearer to the other
/// classes than the clean images do, so where it lies does not tell, but it comes on top of a class, or takes a part of it.
fn unusual_is_second(found: &Mixture, usual: f64) -> bool {
    let second = found.odds.iter().filter(|&&odds| odds > 0.0).count();
    let first = found.odds.len() - second;
    let unusual = |count: usize| ((count.max(1)) as f64 / usual.max(1.0)).ln().abs();
    unusual(first) <= unusual(second)
}

/// The directions, and those that lead from the rest of a class to what each witness suspects, made square to the ones before.
fn with_suspected(axes: Mat<f64>, rows: &Mat<f64>, suspected: &[Vec<f64>]) -> Mat<f64> {
    let mut columns: Vec<Vec<f64>> = (0..axes.ncols())
        .map(|at| axes.col(at).iter().copied().collect())
        .collect();
    for shares in suspected {
        let total: f64 = shares.iter().sum();
        let rest = shares.len() as f64 - total;
        if total <= 0.0 || rest <= 0.0 {
            continue;
        }
        let apart = |column: usize| {
            let values = rows.col(column).iter().zip(shares);
            values
                .map(|(value, share)| value * (share / total - (1.0 - share) / rest))
                .sum::<f64>()
        };
        let mut axis: Vec<f64> = (0..rows.ncols()).map(apart).collect();
        let before = dot(&axis, &axis);
        for known in &columns {
            let along = dot(&axis, known);
            for (value, known) in axis.iter_mut().zip(known) {
                *value -= along * known;
            }
        }
        let length = dot(&axis, &axis).sqrt();
        if length > 1e-6 * before.sqrt() {
            for value in &mut axis {
                *value /= length;
            }
            columns.push(axis);
        }
    }
    Mat::from_fn(rows.ncols(), columns.len(), |row, column| {
        columns[column][row]
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest of the values, such a share of them, as a group: its shares, 0 or 1.
pub(super) fn largest(values: &[f64], share: f64) -> Vec<f64> {
    let border = quantile(values.to_vec(), 1.0 - share);
    values
        .iter()
        .map(|&value| f64::from(u8::from(value > border)))
        .collect()
}

/// The likeliest of the mixtures from several starts: both ends of the widest directions, and what each witness suspects most.
fn best(points: &[Vec<f64>], suspected: &[Vec<f64>]) -> Option<Mixture> {
    let width = points.first().map_or(0, Vec::len);
    let ends = (0..width.min(STARTS)).flat_map(|at| {
        [1.0, -1.0].map(|sign| {
            let values: Vec<f64> = points.iter().map(|point| sign * point[at]).collect();
            largest(&values, START)
        })
    });
    let starts = ends.chain(suspected.iter().cloned());
    let usable = starts.filter(|shares| shares.iter().any(|&share| share > 0.0));
    let found = usable.map(|shares| Mixture::of(points, shares));
    found.reduce(|best, next| {
        let gain = |one: &Mixture| (has_groups(one), one.gain);
        if gain(&next) > gain(&best) {
            next
        } else {
            best
        }
    })
}

/// Whether both groups are large enough to be more than single odd images.
fn has_groups(found: &Mixture) -> bool {
    let second = found.odds.iter().filter(|&&odds| odds > 0.0).count();
    second.min(found.odds.len() - second) >= SMALLEST_GROUP
}

/// Rows as points.
pub(super) fn points(rows: &Mat<f64>) -> Vec<Vec<f64>> {
    (0..rows.nrows())
        .map(|row| {
            (0..rows.ncols())
                .map(|column| rows[(row, column)])
                .collect()
        })
        .collect()
}

/// The share of trusted images that lie in the suspicious group; `None` without any.
pub(super) fn trusted_share(split: &Split) -> Option<f64> {
    let [count, inside] = split.trusted_inside();
    (count > 0).then(|| inside as f64 / count as f64)
}

/// The median gap of the classes that were judged; 0 for none.
pub(super) fn usual_gap(splits: &[Option<Split>]) -> f64 {
    median(splits.iter().flatten().map(|split| split.gap).collect())
}
