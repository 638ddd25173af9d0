//! Images of a class that are alike in a view of them, where no others are.

mod copies;
mod groups;
mod pattern;

use cd_core::{Matrix, Pixels};
use rayon::prelude::*;

pub(crate) use self::copies::sketch;
use self::groups::Group;
use crate::apart::{self, Bar, FEWEST, FEWEST_ELSEWHERE, Grouped, SMALLEST_CLASS, sample};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;

/// Images that show what is usual, and that patterns of a class are held against.
const USUAL: usize = 400;
/// Images of a class among which groups are looked for; the others are only compared with what was found.
const SEARCHED: usize = 1000;
/// Bytes of rows that are held at once, as far as that leaves enough images.
const BYTES: usize = 400 << 20;
/// Values above so many standard deviations are bent towards it.
const BEND: f32 = 3.0;

/// A number of standard deviations, bent so that no image counts for its few largest.
pub(crate) fn bent(away: f32) -> f32 {
    away / (1.0 + (away / BEND).powi(2)).sqrt()
}

/// What is looked at of an image: a row of numbers, 0 where it is like any other.
pub(crate) trait View: Sized + Sync {
    /// Numbers of a row, for images of `[height, width]`.
    fn columns(side: [usize; 2]) -> usize;

    /// Learns what is usual in the images at `sample`, which are not empty.
    fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError>;

    /// The row of bytes `[H, W, 3]`.
    fn row(&self, pixels: &[u8]) -> Vec<f32>;

    /// What the picture shows by and large, a [`sketch`], and its row.
    fn sketch_and_row(&self, pixels: &[u8]) -> (Vec<f32>, Vec<f32>);
}

/// How groups are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    /// Gap from which a very large group is suspicious, in standard deviations.
    pub(crate) border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it.
    pub(crate) rise: f64,
    /// Chooses the images that stand for all.
    pub(crate) seed: u64,
    /// Nothing is looked for in pictures of which a side has fewer pixels.
    pub(crate) smallest_side: usize,
    /// What is asked of a group.
    pub(crate) bar: Bar,
}

/// What is said of a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// What is being done.
    pub(crate) task: &'static str,
    /// What the numbers of images are.
    pub(crate) measure: &'static str,
    /// What images of a group do: they `share` something.
    pub(crate) share: &'static str,
}

impl Words {
    fn detection(
        self,
        evidence: &Evidence<'_>,
        grouped: impl FnMut(usize, &[usize]) -> Result<Option<Grouped>, DetectError>,
    ) -> Result<Detection, DetectError> {
        let measure = Measure::high(self.measure);
        apart::detection(evidence, self.task, measure, self.share, grouped)
    }
}

impl Search {
    /// The group of each class that stands apart most in the view `V`.
    pub(crate) fn detection<V: View>(
        &self,
        evidence: &Evidence<'_>,
        words: Words,
    ) -> Result<Detection, DetectError> {
        let (images, labels) = (evidence.images, evidence.labels()?);
        if images.height().min(images.width()) < self.smallest_side {
            return words.detection(evidence, |_, _| Ok(None));
        }
        let columns = V::columns([images.height(), images.width()]).max(1);
        let most = (BYTES / (4 * columns)).clamp(8 * FEWEST, SEARCHED);
        let all: Vec<usize> = (0..images.len()).collect();
        let usual = sample(self.seed, &all, USUAL.min(most), "usual images");
        let view = V::learned(images, &usual)?;
        let usual_rows: Vec<Vec<f32>> = usual
            .par_iter()
            .map(|&image| Ok(view.row(&images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        let looked_at = LookedAt {
            images,
            view: &view,
            most,
        };
        words.detection(evidence, |class, of_class| {
            let others: Vec<&[f32]> = usual
                .iter()
                .zip(&usual_rows)
                .filter(|(image, _)| labels[**image] as usize != class)
                .map(|(_, row)| row.as_slice())
                .collect();
            self.found(&looked_at, of_class, &others)
        })
    }

    fn border_of(&self, count: usize) -> f64 {
        apart::border(self.border, self.rise, count)
    }

    /// The group of a class that stands apart most, looked for among some of its images and judged among all.
    fn found<V: View>(
        &self,
        looked_at: &LookedAt<'_, V>,
        of_class: &[usize],
        others: &[&[f32]],
    ) -> Result<Option<Grouped>, DetectError> {
        if of_class.len() < SMALLEST_CLASS || others.len() < FEWEST_ELSEWHERE {
            return Ok(None);
        }
        let searched = sample(self.seed, of_class, looked_at.most, "images of a class");
        let seen: Vec<(Vec<f32>, Vec<f32>)> = searched
            .par_iter()
            .map(|&image| looked_at.sketch_and_row(image))
            .collect::<Result<_, DetectError>>()?;
        let (sketches, rows): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let distinct = copies::distinct(&sketches);
        if distinct.len() < SMALLEST_CLASS {
            return Ok(None);
        }
        let rows: Vec<&[f32]> = distinct.iter().map(|&at| &*rows[at]).collect();
        let rows = Matrix::new(rows[0].len(), rows.concat());
        let searched: Vec<usize> = distinct.into_iter().map(|at| searched[at]).collect();
        let border = |count| self.border_of(count);
        let Some(group) = Group::widest(&rows, others, self.bar, border) else {
            return Ok(None);
        };
        let of = |image: &usize| match searched.binary_search(image) {
            Ok(row) if group.members[row] => Ok(group.pattern.likeness_to_others(rows.row(row))),
            Ok(row) => Ok(group.pattern.likeness(rows.row(row))),
            Err(_) => Ok(group.pattern.likeness(&looked_at.row(*image)?)),
        };
        let likenesses = of_class
            .par_iter()
            .map(of)
            .collect::<Result<Vec<f64>, DetectError>>()?;
        let members: Vec<bool> = likenesses.iter().map(|&one| one > group.from).collect();
        let count = members.iter().filter(|&&member| member).count();
        let gap = group.gap_among(&likenesses, others, self.bar);
        Ok(gap.map(|gap| Grouped {
            raw: likenesses.iter().map(|one| gap.max(0.0) * one).collect(),
            members,
            gap,
            border: self.border_of(count),
            beside: None,
        }))
    }
}

/// The images of a set, and what is looked at of them.
struct LookedAt<'a, V> {
    images: Pixels<'a>,
    view: &'a V,
    /// Images of a class among which groups are looked for.
    most: usize,
}

impl<V: View> LookedAt<'_, V> {
    fn row(&self, image: usize) -> Result<Vec<f32>, DetectError> {
        Ok(self.view.row(&self.images.get(image)?))
    }

    fn sketch_and_row(&self, image: usize) -> Result<(Vec<f32>, Vec<f32>), DetectError> {
        Ok(self.view.sketch_and_row(&self.images.get(image)?))
    }
}
