//! Strangers told by a pattern that has been added to all of them: however faint, it moves the frequencies of their pictures by one step, and the
//! higher ones, in which pictures hardly differ, the more clearly. Of a smooth pattern kept in bytes these show how it was rounded, which is the same
//! in every picture, too.

use cd_core::{CHANNELS, Pixels, Task};
use faer::Mat;
use rayon::prelude::*;

use super::halves::{agreement, halves};
use super::measures::{bent, numbers, rows};
use super::odds::sure;
use super::scatter::{Scatter, White};
use super::strangers::{Start, Strangers, told};
use super::{TOLD, USUAL, place};
use crate::apart::sample;
use crate::cosine::Cosine;
use crate::error::DetectError;
use crate::statistics::{median, robust_spread};

/// Images of other classes, and of the class, that the fit looks at.
const OTHERS: usize = 10_000;
const OWN: usize = 4000;
/// Lowest frequencies along a side, at most and at least.
const MOST: usize = 32;
const FEWEST: usize = 12;
/// Images of other classes for each number of a picture, at least.
const IMAGES_EACH: usize = 2;
/// Least spread of a frequency, in grey levels: where nothing varies, a rounding says nothing.
const FLOOR: f64 = 0.05;
/// On which share of the class its halves have to agree, and on which with what was known before.
const AGREED: f64 = 0.95;
const AS_BEFORE: f64 = 0.7;

/// Strangers of a class by what has been added to them.
pub(super) struct Added {
    pub(super) gap: f64,
    /// Log-odds that each image of the class is one.
    pub(super) odds: Vec<f64>,
}

impl Added {
    /// Of a class whose images are strangers by the log-odds `known`; `None` where nothing has been added to them, or nothing that could be told.
    pub(super) fn of(
        images: Pixels<'_>,
        classes: &[Vec<usize>],
        class: usize,
        known: &[f64],
        (seed, task): (u64, &Task<'_>),
    ) -> Result<Option<Self>, DetectError> {
        let elsewhere = elsewhere(classes, class, seed);
        let Some(frequencies) = Frequencies::usual(images, &elsewhere)? else {
            return Ok(None);
        };
        let mut scatter = Scatter::of(frequencies.columns());
        for (_, of) in classes.iter().enumerate().filter(|&(at, _)| at != class) {
            let chosen = of
                .iter()
                .filter(|image| elsewhere.binary_search(image).is_ok());
            let chosen: Vec<usize> = chosen.copied().collect();
            scatter.take(&frequencies.rows(images, &chosen)?);
            task.advance(chosen.len() as u64);
        }
        let beside = scatter.elsewhere();
        let Some(white) = beside.white_of_many() else {
            return Ok(None);
        };
        let seen = |of: &[usize]| {
            let parts = of
                .chunks(TOLD)
                .map(|part| frequencies.seen(images, part, &white));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            task.advance(of.len() as u64);
            Ok::<_, DetectError>(below(&parts))
        };
        let own = &classes[class];
        let fitted = sample(seed, own, OWN, "images of a class that are fitted");
        let before = fitted.iter().map(|&image| known[place(own, image)]);
        let before: Vec<f64> = before.collect();
        let rows = seen(&fitted)?;
        let half = halves(&rows, 0);
        let shares: Vec<f64> = before.iter().map(|&odds| sure(odds)).collect();
        let others = beside.others(&white);
        let strangers = Strangers::of(&rows, &half, &others, &Start::Guessed(&shares));
        if strangers.agreement < AGREED || agreement(&strangers.odds, &before) < AS_BEFORE {
            return Ok(None);
        }
        let Some(hills) = strangers.hills() else {
            return Ok(None);
        };
        let mut odds = vec![0.0; own.len()];
        let mut tell = |image: usize, by: f64| odds[place(own, image)] = told(by, Some(&hills));
        for (&image, &by) in fitted.iter().zip(&strangers.odds) {
            tell(image, by);
        }
        let rest = own
            .iter()
            .filter(|image| fitted.binary_search(image).is_err());
        let rest: Vec<usize> = rest.copied().collect();
        for part in rest.chunks(TOLD) {
            for (&image, by) in part.iter().zip(strangers.odds_of(&seen(part)?)) {
                tell(image, by);
            }
        }
        Ok(Some(Self {
            gap: hills.gap(),
            odds,
        }))
    }

    /// How many images are looked at for it.
    pub(super) fn steps(classes: &[Vec<usize>], class: usize) -> u64 {
        let all: usize = classes.iter().map(Vec::len).sum();
        let own = classes[class].len();
        ((all - own).min(OTHERS) + own) as u64
    }
}

/// Some images of all other classes.
fn elsewhere(classes: &[Vec<usize>], class: usize, seed: u64) -> Vec<usize> {
    let others = classes.iter().enumerate().filter(|&(at, _)| at != class);
    let mut all: Vec<usize> = others.flat_map(|(_, of)| of.iter().copied()).collect();
    all.sort_unstable();
    sample(seed, &all, OTHERS, "images of other classes")
}

/// The rows of all of them.
fn below(parts: &[Mat<f64>]) -> Mat<f64> {
    let rows = parts.iter().map(Mat::nrows).sum();
    let columns = parts.first().map_or(0, Mat::ncols);
    let mut all = Mat::zeros(rows, columns);
    let mut first = 0;
    for part in parts {
        all.subrows_mut(first, part.nrows()).copy_from(part);
        first += part.nrows();
    }
    all
}

/// The lowest cosine frequencies of pictures, in standard deviations of usual ones.
struct Frequencies {
    cosine: Cosine,
    height: usize,
    width: usize,
    /// Along each side.
    count: usize,
    /// The middle of each and its standard deviation.
    usual: Vec<(f64, f64)>,
}

impl Frequencies {
    /// As many as so many images can tell apart; `None` where these are too few, or too small.
    fn usual(images: Pixels<'_>, of: &[usize]) -> Result<Option<Self>, DetectError> {
        let (height, width) = (images.height(), images.width());
        let known = (of.len() / IMAGES_EACH / CHANNELS).isqrt();
        let count = MOST.min(known).min(height).min(width);
        if count < FEWEST {
            return Ok(None);
        }
        let mut new = Self {
            cosine: Cosine::new(height, width),
            height,
            width,
            count,
            usual: Vec::new(),
        };
        let some: Vec<usize> = of
            .iter()
            .step_by(of.len().div_ceil(USUAL))
            .copied()
            .collect();
        let plain = numbers(images, &some, |pixels| new.plain(pixels))?;
        new.usual = (0..new.columns())
            .into_par_iter()
            .map(|at| {
                let values: Vec<f64> = plain.iter().map(|one| one[at]).collect();
                (median(values.clone()), robust_spread(&values) + FLOOR)
            })
            .collect();
        Ok(Some(new))
    }

    fn columns(&self) -> usize {
        CHANNELS * self.count * self.count
    }

    fn plain(&self, pixels: &[u8]) -> Vec<f64> {
        let spectrum = self.cosine.of(pixels);
        let mut numbers = Vec::with_capacity(self.columns());
        for plane in spectrum.chunks_exact(self.height * self.width) {
            for line in plane.chunks_exact(self.width).take(self.count) {
                numbers.extend(line[..self.count].iter().map(|&value| f64::from(value)));
            }
        }
        numbers
    }

    fn rows(&self, images: Pixels<'_>, of: &[usize]) -> Result<Mat<f64>, DetectError> {
        let measured = |pixels: &[u8]| bent(&self.plain(pixels), &self.usual);
        rows(images, of, self.columns(), measured)
    }

    fn seen(
        &self,
        images: Pixels<'_>,
        of: &[usize],
        white: &White,
    ) -> Result<Mat<f64>, DetectError> {
        Ok(white.of(&self.rows(images, of)?))
    }
}
