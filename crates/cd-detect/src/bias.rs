//! Shortcuts of a classifier of attributes: what images with unusually small masks have in common.
//!
//! After Huang, Ma, Erfani, Bailey: *Distilling Cognitive Backdoor Patterns within an Image*, ICLR 2023, whose authors looked at `CelebA`
//! in this way. A head that says "present" because of a small mark keeps a small mask on images that have it. The attributes that are
//! more frequent among the images with the smallest masks than among all on which the head says the same are what it may lean on.

use cd_core::{Attributes, Pixels};
use cd_models::{Classifier, quantize, to_host};
use serde::Serialize;

use crate::cognitive::CognitiveDistillation;
use crate::compute::Compute;
use crate::error::DetectError;
use crate::masks::Masks;
use crate::sweep::{Batch, Column, Kind, Sweep};

const NORMS: &str = "norms";
const MASKS: &str = "masks";
const SCORES: &str = "present";

/// The masks of all images for the head of one attribute.
#[derive(Debug)]
pub struct HeadMasks {
    /// L1 norm of each mask.
    pub norms: Vec<f64>,
    /// Whether the head says "present" of each image.
    pub present: Vec<bool>,
    /// The masks.
    pub masks: Masks,
}

/// The images on which a head says the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Whether it says "present".
    pub present: bool,
    /// Their positions.
    pub images: Vec<usize>,
    /// Positions of those with the smallest masks.
    pub small: Vec<usize>,
    /// Every attribute, the one that stands out most first.
    pub attributes: Vec<Frequency>,
}

/// How frequent an attribute is among images with small masks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frequency {
    /// Its position among the attributes.
    pub attribute: usize,
    /// Share of the images with small masks that have it, 0 to 1.
    pub small: f64,
    /// Share of all images of the side that have it.
    pub all: f64,
    /// By how many standard deviations of a random choice of as many images the first share exceeds the second; 0 where all images have
    /// it or none.
    pub deviations: f64,
}

/// Masks of `images` for `head`, a classifier of two classes, absent and present. `None` when parts of other shards are missing.
///
/// # Errors
///
/// As [`CognitiveDistillation::distill`]; when images cannot be read or parts not be kept.
pub fn head_masks(
    head: &dyn Classifier,
    images: Pixels<'_>,
    method: &CognitiveDistillation,
    compute: &Compute<'_>,
) -> Result<Option<HeadMasks>, DetectError> {
    let sweep = Sweep {
        name: "attribute",
        task: "distilling",
        settings: &format!("{method:?}"),
        images,
        columns: &[
            (NORMS, Kind::Numbers),
            (SCORES, Kind::Numbers),
            (MASKS, Kind::Bytes),
        ],
    };
    let swept = sweep.run(compute, |Batch { numbers, images }| {
        let scores = to_host(head.logits(images.clone()));
        let done = method.distill(head, images, &numbers)?;
        let [_, channels, height, width] = done.masks.dims();
        Ok(vec![
            Column::Numbers(done.norms),
            Column::Numbers(
                scores
                    .chunks(2)
                    .map(|pair| f64::from(pair[1] - pair[0]))
                    .collect(),
            ),
            Column::Bytes {
                shape: [channels, height, width],
                values: quantize(&to_host(done.masks)),
            },
        ])
    })?;
    Ok(swept.map(|mut swept| HeadMasks {
        norms: swept.numbers(NORMS),
        present: swept
            .numbers(SCORES)
            .iter()
            .map(|odds| *odds > 0.0)
            .collect(),
        masks: swept.masks(MASKS),
    }))
}

impl HeadMasks {
    /// What stands out among the share `smallest` of the masks, for each side of the head that says something of at least two images.
    ///
    /// # Errors
    ///
    /// When the share is not above 0 and at most one half.
    ///
    /// # Panics
    ///
    /// When `attributes` are of fewer images.
    pub fn sides(&self, attributes: &Attributes, smallest: f64) -> Result<Vec<Side>, DetectError> {
        if !(smallest > 0.0 && smallest <= 0.5) {
            return Err(DetectError::Config {
                key: "smallest",
                value: smallest.to_string(),
                expected: "a number above 0, at most 0.5",
            });
        }
        let side = |present: bool| {
            let all = 0..self.norms.len();
            let images: Vec<usize> = all.filter(|&at| self.present[at] == present).collect();
            let mut small = images.clone();
            small.sort_by(|&a, &b| self.norms[a].total_cmp(&self.norms[b]).then(a.cmp(&b)));
            small.truncate(((images.len() as f64 * smallest).round() as usize).max(1));
            small.sort_unstable();
            Side {
                present,
                attributes: frequencies(attributes, &images, &small),
                images,
                small,
            }
        };
        let sides = [true, false].map(side);
        Ok(sides
            .into_iter()
            .filter(|side| side.images.len() > 1)
            .collect())
    }

    /// The mean of the masks of `images`, `[channels, H, W]` from 0 to 255.
    ///
    /// # Errors
    ///
    /// When a mask cannot be read.
    pub fn mean(&self, images: &[usize]) -> Result<Vec<u8>, DetectError> {
        let mut sums = vec![0_u64; self.masks.shape().iter().product()];
        for &index in images {
            let mask = self.masks.get(index)?;
            for (sum, &value) in sums.iter_mut().zip(mask.iter()) {
                *sum += u64::from(value);
            }
        }
        let count = images.len().max(1) as u64;
        Ok(sums
            .iter()
            .map(|sum| ((sum + count / 2) / count) as u8)
            .collect())
    }
}

fn frequencies(attributes: &Attributes, images: &[usize], small: &[usize]) -> Vec<Frequency> {
    let share = |some: &[usize], attribute: usize| {
        let having = some
            .iter()
            .filter(|&&index| attributes.of(index)[attribute]);
        having.count() as f64 / some.len().max(1) as f64
    };
    let (all_count, small_count) = (images.len() as f64, small.len() as f64);
    let mut found: Vec<Frequency> = (0..attributes.count())
        .map(|attribute| {
            let (in_small, in_all) = (share(small, attribute), share(images, attribute));
            // Of a draw without putting back.
            let left = (all_count - small_count) / (all_count - 1.0).max(1.0);
            let deviation = (in_all * (1.0 - in_all) / small_count * left).sqrt();
            let difference = in_small - in_all;
            Frequency {
                attribute,
                small: in_small,
                all: in_all,
                deviations: if deviation > 0.0 {
                    difference / deviation
                } else {
                    0.0
                },
            }
        })
        .collect();
    found.sort_by(|a, b| b.deviations.total_cmp(&a.deviations));
    found
}

#[cfg(all(test, feature = "flex"))]
mod tests;
