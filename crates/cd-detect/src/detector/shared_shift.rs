//! Shared shift: a large part of a class that lies aside in plain measures of colour and detail.
//!
//! Threat model: a treatment of the whole picture that is the same in every poisoned image and too faint, or too unlike a pattern, to be seen in any
//! one of them: a warp, a smooth pattern, a secret of an encoder, a faint wave, dithering. It moves all of them by the same step, and
//! a part of a class that has moved is seen as a second hill among its images. No classifier is asked.
//!
//! Ours. The direction of the step is the one of a linear discriminant, Fisher: *The Use of Multiple Measurements in Taxonomic Problems*, Annals of
//! Eugenics 1936, without labels: it is sought by turns with the two parts that it shows.

mod line;
mod measures;
mod parts;
mod scatter;

use std::cell::OnceCell;

use cd_core::{Pixels, Task};
use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::measures::{COLUMNS, Measures, OVERALL, SMALLEST_SIDE, VIEWS};
use self::parts::Parts;
use self::scatter::{Kinds, Scatter};
use super::{Detector, DetectorInfo};
use crate::apart::{self, Grouped, sample};
use crate::decide::Testimony;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::{median, members, quantile};

/// Images that show what is usual.
const USUAL: usize = 2000;
/// Images of a class among which its parts are looked for; the others are only told to which they belong.
const SEARCHED: usize = 10_000;
/// Images that are told so at a time.
const TOLD: usize = 1000;
/// Classes of fewer images are not looked at.
const SMALLEST: usize = 100;
/// Other classes that tell what is usual, at least.
const OTHERS: usize = 3;
/// What is asked of a class whose second part is a mixture of the others.
const MIXED: Asked = Asked {
    images: 300,
    large: 0.2,
    agreed: 0.85,
};
/// What is asked of any other class. Natural ones fall apart, too: in small parts, or in parts on which their halves do not agree.
const ALIKE: Asked = Asked {
    images: 500,
    large: 0.28,
    agreed: 0.93,
};
/// What is asked of a class to tell what is usual.
const ELSEWHERE: Asked = Asked {
    images: SMALLEST,
    large: 0.2,
    agreed: 0.8,
};
/// How mixed the one part has to be at least, and the other at most. Those of natural classes reach .6, poison from all classes .75 to 1.2.
const MIXTURE: f64 = 0.75;
const PURE: f64 = 0.6;
/// How many times as far the suspicious part has to lie from the other classes as the rest where neither is a mixture: with less, which one it is
/// would be a guess.
const FURTHER: f64 = 1.3;
/// By which factor the gap has to exceed that of three quarters of the other classes there.
const BEYOND: f64 = 1.2;
/// In what a class is seen, where its parts are alike and where one is a mixture.
const WORDS: [[&str; 2]; 2] = [
    [
        "in colours",
        "in colours, and are of as many kinds as the other classes together",
    ],
    [
        "in fine detail",
        "in fine detail, and are of as many kinds as the other classes together",
    ],
];
/// Makes raw numbers of log-odds that differ.
const FLAT: f64 = 4.0;

/// Size of a class, least share of it that is a large part, and share of its images that both halves of it put into the same parts.
#[derive(Debug, Clone, Copy)]
struct Asked {
    images: usize,
    large: f64,
    agreed: f64,
}

/// Settings of the shared shift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedShift {
    /// Gap from which two parts are suspicious of which one is a mixture of the other classes, in standard deviations of a part; above 0.
    pub mixed: f64,
    /// The same where neither is.
    pub alike: f64,
    /// Chooses the images that show what is usual.
    pub seed: u64,
}

impl Default for SharedShift {
    fn default() -> Self {
        Self {
            mixed: 1.8,
            alike: 3.3,
            seed: 0,
        }
    }
}

impl SharedShift {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "shared-shift",
        title: "Shared shift",
        summary: "Looks in each large class for two large parts that lie apart in colours or in fine detail: no classifier, no training, seconds.",
        threat_model: "Treatments of the whole picture that are the same in every poisoned image: warps, smooth patterns, secrets, filters, fewer levels. The poison makes up a fifth to four fifths of a class of at least 300 images, 500 where it comes of a single class; three other classes have a hundred images and more. A strong JPEG compression afterwards hides a warp. What differs from image to image is not seen, nor is every small patch.",
        paper: "ours; after Fisher: The Use of Multiple Measurements in Taxonomic Problems, Annals of Eugenics 1936",
        source: "ours",
        notes: "Colours are the 6 x 6 lowest cosine frequencies of each channel; detail is the 8 x 8 lowest of six maps: logarithms of differences of the first three orders, across and down. Both are bent at three standard deviations and scaled by how the other classes vary. Every second image of a class, in the order of detail, finds a direction alone: two bells of one width are fitted to the places along it, and their means give the next direction; the other half judges it. Poison that comes of all classes varies as all of them do along the directions in which they differ; a natural part varies as one class does. The raw number is how surely an image is of the suspicious part, times the gap.",
        judges_clean: false,
        rule: Some(
            "Flags the part of a class that is a mixture of the other classes, by .75 at least, where the rest is not, by .6 at most: from a gap of 1.8 standard deviations on, where both hold a fifth of the class and its halves agree on 85 % of the images. Where neither is a mixture, the part 1.3 times further from the other classes, from a gap of 3.3 on that exceeds three quarters of theirs by a fifth, where both hold 28 % and the halves agree on 93 %.",
        ),
    };
}

impl Detector for SharedShift {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        for (key, border) in [("mixed", self.mixed), ("alike", self.alike)] {
            if !(border > 0.0 && border.is_finite()) {
                return Err(DetectError::Config {
                    key,
                    value: border.to_string(),
                    expected: "a number above 0",
                });
            }
        }
        Ok(())
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
        let found = self.found(evidence)?;
        let mut grouped: Vec<Option<Grouped>> = self.grouped(&found);
        let measure =
            Measure::high("how surely it is of the suspicious part of its class, times their gap");
        let that = "that are shifted alike in colours or detail";
        let one = |class: usize, _: &[usize]| Ok(grouped.get_mut(class).and_then(Option::take));
        apart::detection(evidence, "comparing classes", measure, that, one).map(Some)
    }
}

/// A class in one view.
struct Found {
    parts: Parts,
    /// The log-odds that each of its images is of the second part.
    odds: Vec<f64>,
    /// Whether the second part is a mixture of the other classes, and the first is not.
    is_mixed: bool,
}

impl Found {
    fn meets(&self, asked: Asked) -> bool {
        self.odds.len() >= asked.images && self.parts.are(asked.large, asked.agreed)
    }
}

impl SharedShift {
    /// Every class in every view; nothing where no class is large enough.
    fn found(&self, evidence: &Evidence<'_>) -> Result<Vec<[Option<Found>; 2]>, DetectError> {
        let images = evidence.images;
        let classes = members(evidence.labels()?, evidence.class_count);
        let is_large = |class: &Vec<usize>| class.len() >= MIXED.images.min(ALIKE.images);
        if images.height().min(images.width()) < SMALLEST_SIDE || !classes.iter().any(is_large) {
            return Ok(Vec::new());
        }
        let all: Vec<usize> = (0..images.len()).collect();
        let usual = sample(self.seed, &all, USUAL, "usual images");
        let steps = Some(2 * images.len() as u64);
        let measured = Measured {
            images,
            measures: Measures::learned(images, &usual)?,
            task: Task::start(
                evidence.compute.progress,
                "measuring colours and detail",
                steps,
            ),
        };
        let mut scatter = Scatter::of(COLUMNS);
        for class in &classes {
            scatter.take(&measured.rows(&self.searched(class))?);
        }
        let classes = classes.iter().enumerate();
        classes
            .map(|(class, images)| self.found_in(&scatter, &measured, class, images))
            .collect()
    }

    fn searched(&self, class: &[usize]) -> Vec<usize> {
        sample(self.seed, class, SEARCHED, "images of a class")
    }

    /// A class in every view: its parts are looked for among some of its images and told of all.
    fn found_in(
        &self,
        scatter: &Scatter,
        measured: &Measured<'_>,
        class: usize,
        images: &[usize],
    ) -> Result<[Option<Found>; 2], DetectError> {
        if images.len() < SMALLEST {
            return Ok([None, None]);
        }
        let searched = self.searched(images);
        let rows = measured.rows(&searched)?;
        let half = halves(&rows);
        let beside = scatter.beside(class, &rows);
        let kinds = OnceCell::new();
        let mut views = VIEWS.map(|view| {
            let white = beside.white(view)?;
            let parts = Parts::of(&white.of(&rows), &half, [MIXED.large, MIXED.agreed])?;
            let counts = parts.gap >= self.mixed && parts.are(MIXED.large, MIXED.agreed);
            let kinds = || kinds.get_or_init(|| beside.kinds(&rows)).as_ref();
            let (parts, is_mixed) = if counts {
                mixed(parts, kinds())
            } else {
                (parts, false)
            };
            let mut odds = vec![0.0; images.len()];
            for (image, own) in searched.iter().zip(&parts.odds) {
                odds[place(images, *image)] = *own;
            }
            let found = Found {
                parts,
                odds,
                is_mixed,
            };
            Some((white, found))
        });
        let is_told = |image: &&usize| searched.binary_search(image).is_ok();
        let others: Vec<usize> = images
            .iter()
            .filter(|image| !is_told(image))
            .copied()
            .collect();
        for others in others.chunks(TOLD) {
            let rows = measured.rows(others)?;
            for (white, found) in views.iter_mut().flatten() {
                let told = found.parts.odds_of(&white.of(&rows));
                for (image, odds) in others.iter().zip(told) {
                    found.odds[place(images, *image)] = odds;
                }
            }
        }
        Ok(views.map(|view| view.map(|(_, found)| found)))
    }

    /// The group of each class, in the view in which it is furthest beyond its border, or nearest to it.
    fn grouped(&self, found: &[[Option<Found>; 2]]) -> Vec<Option<Grouped>> {
        let of_class = |class: usize| {
            let groups = (0..VIEWS.len()).filter_map(|view| self.group(found, class, view));
            groups.max_by(|a, b| (a.gap / a.border).total_cmp(&(b.gap / b.border)))
        };
        (0..found.len()).map(of_class).collect()
    }

    /// The group of a class in a view; its gap is 0 where it makes no target however wide it is.
    fn group(&self, found: &[[Option<Found>; 2]], class: usize, view: usize) -> Option<Grouped> {
        let own = found[class][view].as_ref()?;
        let others = found.iter().enumerate().filter(|&(at, _)| at != class);
        let others = others.filter_map(|(_, other)| other[view].as_ref());
        let gaps = others.map(|other| {
            let counts = other.meets(ELSEWHERE);
            if counts { other.parts.gap } else { 0.0 }
        });
        let gaps: Vec<f64> = gaps.collect();
        let is_mixed = own.is_mixed && own.meets(MIXED);
        let stands_out = own.meets(ALIKE) && own.parts.further >= FURTHER;
        let counts = gaps.len() >= OTHERS && (is_mixed || stands_out);
        let gap = if counts { own.parts.gap } else { 0.0 };
        let usual = median(gaps.clone());
        let border = match (is_mixed, gaps.is_empty()) {
            (true, _) => self.mixed,
            (false, true) => self.alike,
            (false, false) => self.alike.max(BEYOND * quantile(gaps, 0.75)),
        };
        let sure = |odds: &f64| 1.0 / (1.0 + (-odds / FLAT).exp());
        Some(Grouped {
            raw: own.odds.iter().map(|odds| gap * sure(odds)).collect(),
            members: own.odds.iter().map(|&odds| odds > 0.0).collect(),
            gap,
            border,
            beside: Some((WORDS[view][usize::from(is_mixed)], usual)),
        })
    }
}

/// Parts with the more mixed one second, and whether it alone is a mixture; as they are where it is not.
fn mixed(parts: Parts, kinds: Option<&Kinds>) -> (Parts, bool) {
    let Some(kinds) = kinds else {
        return (parts, false);
    };
    let [first, second] =
        [false, true].map(|wanted| kinds.mixture(|row| (parts.odds[row] > 0.0) == wanted));
    let is_mixed = first.max(second) >= MIXTURE && first.min(second) <= PURE;
    let parts = if is_mixed && first > second {
        parts.swapped()
    } else {
        parts
    };
    (parts, is_mixed)
}

/// The images of a set, and what measures them.
struct Measured<'a> {
    images: Pixels<'a>,
    measures: Measures,
    task: Task<'a>,
}

impl Measured<'_> {
    /// A row for each of these images.
    fn rows(&self, of: &[usize]) -> Result<Mat<f64>, DetectError> {
        let rows: Vec<Vec<f64>> = of
            .par_iter()
            .map(|&image| Ok(self.measures.of(&self.images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        self.task.advance(of.len() as u64);
        let value = |row: usize, column: usize| rows[row][column];
        Ok(Mat::from_fn(rows.len(), COLUMNS, value))
    }
}

/// Where an image stands in its class, whose images are in the order of the set.
fn place(class: &[usize], image: usize) -> usize {
    class.partition_point(|&other| other < image)
}

/// To which half of its class each row belongs: every second one in the order of detail.
fn halves(rows: &Mat<f64>) -> Vec<bool> {
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    order.sort_by(|&a, &b| rows[(a, OVERALL)].total_cmp(&rows[(b, OVERALL)]));
    let mut half = vec![false; rows.nrows()];
    for row in order.into_iter().skip(1).step_by(2) {
        half[row] = true;
    }
    half
}

#[cfg(all(test, feature = "flex"))]
mod tests;
