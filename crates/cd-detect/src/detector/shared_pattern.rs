//! Shared pattern: images of a class that carry the same thing in the same place.
//!
//! Threat model: a trigger that is the same in every poisoned image, of any size, opacity and place, whether the label is wrong or right.
//! No classifier is asked, so nothing has to be learned first, and a handful of images is enough. Triggers that differ from image to
//! image, move about or warp leave nothing that is the same.
//!
//! Ours. A matched filter looks for a known signal in noise that has been made white; here the signal is unknown, and is the mean of
//! whatever group of images shares one.

mod copies;
mod groups;
mod pattern;
mod residual;

use cd_core::{Matrix, Pixels};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::groups::Group;
use self::residual::Residuals;
use super::{Detector, DetectorInfo};
use crate::apart::{self, FEWEST, FEWEST_ELSEWHERE, Grouped, SMALLEST_CLASS, sample};
use crate::decide::Testimony;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// Images that show what is usual, and that patterns of a class are held against.
const USUAL: usize = 400;
/// Images of a class among which groups are looked for; the others are only compared with what was found.
const SEARCHED: usize = 1000;
/// Bytes of residuals that are held at once, as far as that leaves enough images.
const BYTES: usize = 400 << 20;

/// Settings of the shared pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedPattern {
    /// Gap from which a very large group is suspicious, in standard deviations; above 0.
    pub border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it; it falls with their number. From 0.
    pub rise: f64,
    /// Chooses the images that stand for all where there are very many.
    pub seed: u64,
}

impl Default for SharedPattern {
    fn default() -> Self {
        Self {
            border: 2.5,
            rise: 6.0,
            seed: 0,
        }
    }
}

impl SharedPattern {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "shared-pattern",
        title: "Shared pattern",
        summary: "Looks in each class for images that carry the same thing in the same place: no classifier, no training, seconds.",
        threat_model: "Triggers that are the same in every poisoned image: patches, blended pictures, waves, stamps, of any size and opacity, with wrong or right labels, from eight images on. Triggers that move, warp or differ from image to image are not seen; nor is one in nearly all images of a class.",
        paper: "ours; whitening before a correlation is the matched filter, North: An Analysis of the Factors Which Determine Signal/Noise Discrimination in Pulsed-Carrier Systems, Proceedings of the IEEE 1963",
        source: "ours",
        notes: "Pictures are whitened by the middle cosine spectrum of the set, freed of the middle picture and of plain bars at their edges, and bent at three standard deviations. In each class, near copies count as one, and groups are grown from the main directions and the nearest images until their common pattern, where it is significant and weighted by how exactly they agree, no longer changes who belongs to them. The raw number is an image's likeness to the pattern of its class times how far the group stands apart.",
        judges_clean: false,
        rule: Some(
            "Flags the group of a class whose least members lie far above twice what other images have of the pattern, and above a fifth of it: 2.5 standard deviations of other classes' images for a large group, 17.5 for one of eight.",
        ),
    };

    fn border_of(&self, count: usize) -> f64 {
        apart::border(self.border, self.rise, count)
    }

    /// The group of a class that stands apart most, looked for among `most` of its images and judged among all.
    fn found(
        &self,
        images: Pixels<'_>,
        residuals: &Residuals,
        of_class: &[usize],
        others: &[&[f32]],
        most: usize,
    ) -> Result<Option<Grouped>, DetectError> {
        if of_class.len() < SMALLEST_CLASS || others.len() < FEWEST_ELSEWHERE {
            return Ok(None);
        }
        let searched = sample(self.seed, of_class, most, "images of a class");
        let seen: Vec<(Vec<f32>, Vec<f32>)> = searched
            .par_iter()
            .map(|&image| Ok(residuals.with_sketch(&images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        let (sketches, rows): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let distinct = copies::distinct(&sketches);
        if distinct.len() < SMALLEST_CLASS {
            return Ok(None);
        }
        let rows: Vec<&[f32]> = distinct.iter().map(|&at| &*rows[at]).collect();
        let rows = Matrix::new(images.image_len(), rows.concat());
        let searched: Vec<usize> = distinct.into_iter().map(|at| searched[at]).collect();
        let Some(group) = Group::widest(&rows, others, |count| self.border_of(count)) else {
            return Ok(None);
        };
        let of = |image: &usize| match searched.binary_search(image) {
            Ok(row) if group.members[row] => Ok(group.pattern.likeness_to_others(rows.row(row))),
            Ok(row) => Ok(group.pattern.likeness(rows.row(row))),
            Err(_) => Ok(group.pattern.likeness(&residuals.of(&images.get(*image)?))),
        };
        let likenesses = of_class
            .par_iter()
            .map(of)
            .collect::<Result<Vec<f64>, DetectError>>()?;
        let members: Vec<bool> = likenesses.iter().map(|&one| one > group.from).collect();
        let count = members.iter().filter(|&&member| member).count();
        Ok(group.gap_among(&likenesses, others).map(|gap| Grouped {
            raw: likenesses.iter().map(|one| gap.max(0.0) * one).collect(),
            members,
            gap,
            border: self.border_of(count),
        }))
    }
}

impl Detector for SharedPattern {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        apart::check(self.border, self.rise)
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: true,
            ..Needs::default()
        }
    }

    fn looks_at_classifier(&self) -> bool {
        false
    }

    fn testimony(&self) -> Testimony {
        Testimony::Patterns
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let (images, labels) = (evidence.images, evidence.labels()?);
        let most = (BYTES / (4 * images.image_len().max(1))).clamp(8 * FEWEST, SEARCHED);
        let all: Vec<usize> = (0..images.len()).collect();
        let usual = sample(self.seed, &all, USUAL.min(most), "usual images");
        let residuals = Residuals::learned(images, &usual)?;
        let usual_rows = rows(images, &residuals, &usual)?;
        let found = apart::detection(
            evidence,
            "looking for shared patterns",
            Measure::high("likeness to a pattern of its class, times its gap"),
            "that share a pattern in one place",
            |class, of_class| {
                let others: Vec<&[f32]> = usual
                    .iter()
                    .enumerate()
                    .filter(|(_, image)| labels[**image] as usize != class)
                    .map(|(row, _)| usual_rows.row(row))
                    .collect();
                self.found(images, &residuals, of_class, &others, most)
            },
        );
        found.map(Some)
    }
}

/// Residuals of some images, one a row.
fn rows(
    images: Pixels<'_>,
    residuals: &Residuals,
    chosen: &[usize],
) -> Result<Matrix, DetectError> {
    let rows: Vec<Vec<f32>> = chosen
        .par_iter()
        .map(|&image| Ok(residuals.of(&images.get(image)?)))
        .collect::<Result<_, DetectError>>()?;
    Ok(Matrix::new(images.image_len(), rows.concat()))
}

#[cfg(all(test, feature = "flex"))]
mod tests;
