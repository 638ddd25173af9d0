//! Moving pattern: images of a class that carry the same thing, each in another place.
//!
//! Threat model: a sticker that is pasted wherever it falls, with any label. No classifier is asked. What is turned, scaled or blended
//! weakly differs from picture to picture, and is not seen.
//!
//! Ours, on phase correlation: Kuglin, Hines: *The Phase Correlation Image Alignment Method*, 1975, which finds by how much two pictures
//! of the same thing are moved. Here the height of the peak tells whether there is such a thing at all.

mod phases;

use cd_core::Pixels;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::phases::{Correlator, Phases};
use super::{Detector, DetectorInfo};
use crate::apart::{
    self, Apart, Bar, FEWEST, FEWEST_ELSEWHERE, Grouped, SMALLEST_CLASS, largest_group, sample,
    sides,
};
use crate::decide::Testimony;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::{median, members};

/// Images of a class that are compared with each other, at most and where classes are very many.
const SEARCHED: (usize, usize) = (100, 24);
/// Images of other classes that each of them is compared with, at most.
const OTHERS: usize = 40;
/// Pairs of pictures of 224 pixels that a whole set is worth, before the fewest of each class are taken.
const PAIRS: usize = 400_000;
/// Largest correlations of an image that count: as many as the smallest group has for each of its images.
const LARGEST: usize = FEWEST - 1;
/// Images of a group that all others of its class are compared with.
const EXAMPLES: usize = 24;
/// The smallest side of pictures in which something can move.
const SMALLEST_SIDE: usize = 16;

/// Settings of the moving pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MovingPattern {
    /// Gap from which a very large group is suspicious, in standard deviations; above 0.
    pub border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it; it falls with their number. From 0.
    pub rise: f64,
    /// Chooses the images that stand for all.
    pub seed: u64,
}

impl Default for MovingPattern {
    fn default() -> Self {
        Self {
            border: 4.0,
            rise: 0.5,
            seed: 0,
        }
    }
}

impl MovingPattern {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "moving-pattern",
        title: "Moving pattern",
        summary: "Looks in each class for images that carry the same thing in different places, by phase correlation: no classifier, no training.",
        threat_model: "Stickers and patches that are pasted anywhere, as they are, with wrong or right labels; from eight images of a hundred of a class on. What is turned, scaled or blended weakly is not seen, nor what always lies in the same place (`shared-pattern`).",
        paper: "ours; phase correlation is Kuglin, Hines: The Phase Correlation Image Alignment Method, IEEE Conference on Cybernetics and Society 1975",
        source: "ours",
        notes: "At most 100 images of a class are compared with each other and with 40 of other classes, wherever one is moved by more than an eighth of a side. A frequency weaker than noise of two grey levels counts less, and plain bars at the edges are faded out. What counts of an image is the mean of its seven largest correlations. The group is cut where the gap is widest; all images of the class are then compared with 24 of it. The raw number is what an image has in common with them, in standard deviations of images of other classes.",
        judges_clean: false,
        rule: Some(
            "Flags the group of a class whose least members lie far above twice what other images have in common: 4 standard deviations of images of other classes, 6 for a group of eight.",
        ),
    };
}

impl Detector for MovingPattern {
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

    fn judges(&self, class: usize, sizes: &[usize], side: usize) -> bool {
        side >= SMALLEST_SIDE && apart::is_judged(class, sizes)
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let (images, labels) = (evidence.images, evidence.labels()?);
        let correlator = Correlator::new(images.height(), images.width());
        let all: Vec<usize> = (0..images.len()).collect();
        let pool = sample(self.seed, &all, 2 * OTHERS, "images of other classes");
        let pool = phases_of(&correlator, images, &pool)?;
        let classes = members(labels, evidence.class_count);
        let fits = images.height().min(images.width()) >= SMALLEST_SIDE;
        let looked_at = classes.iter().filter(|one| one.len() >= SMALLEST_CLASS);
        let most = most_of(looked_at.count(), images.image_len());
        let found = apart::detection(
            evidence,
            "looking for moving patterns",
            Measure::high("what it shares with images of its class, in standard deviations"),
            "share something in different places",
            |class, of_class| {
                let others = pool
                    .iter()
                    .filter(|(image, _)| labels[*image] as usize != class);
                let others: Vec<&Phases> = others.map(|(_, one)| one).take(OTHERS).collect();
                let is_known = others.len() >= FEWEST_ELSEWHERE;
                if !fits || of_class.len() < SMALLEST_CLASS || !is_known {
                    return Ok(None);
                }
                let chosen = sample(self.seed, of_class, most, "images of a class");
                let searched = phases_of(&correlator, images, &chosen)?;
                self.found(&correlator, images, of_class, &searched, &others)
            },
        );
        found.map(Some)
    }
}

impl MovingPattern {
    /// The group of a class that stands apart most; `None` where there is none.
    fn found(
        &self,
        correlator: &Correlator,
        images: Pixels<'_>,
        of_class: &[usize],
        searched: &[(usize, Phases)],
        others: &[&Phases],
    ) -> Result<Option<Grouped>, DetectError> {
        let of_searched: Vec<&Phases> = searched.iter().map(|(_, one)| one).collect();
        let shared = |count: usize, among: usize| {
            let share = LARGEST as f64 * count as f64 / among.max(1) as f64;
            (share.round() as usize).max(1)
        };
        let among = searched.len() - 1;
        let elsewhere: Vec<f64> = of_searched
            .par_iter()
            .map(|one| {
                let peaks = peaks(correlator, one, others.iter().copied());
                mean_of_largest(peaks, shared(others.len(), among))
            })
            .collect();
        let usual = median(elsewhere.clone());
        let elsewhere: Vec<f64> = elsewhere.iter().map(|value| value - usual).collect();
        let within: Vec<f64> = pairwise(correlator, &of_searched)
            .into_iter()
            .map(|peaks| mean_of_largest(peaks, LARGEST) - usual)
            .collect();
        let Some((count, _)) = self.widest(&within, &elsewhere) else {
            return Ok(None);
        };
        let mut order: Vec<usize> = (0..searched.len()).collect();
        order.sort_by(|&a, &b| within[b].total_cmp(&within[a]));
        let examples: Vec<usize> = order.into_iter().take(count.min(EXAMPLES)).collect();
        let value = |image: usize, one: &Phases| {
            let not_itself = examples.iter().filter(|&&at| searched[at].0 != image);
            let peaks = peaks(correlator, one, not_itself.map(|&at| &searched[at].1));
            mean_of_largest(peaks, LARGEST) - usual
        };
        let values: Vec<f64> = of_class
            .par_iter()
            .map(
                |&image| match searched.binary_search_by_key(&image, |(at, _)| *at) {
                    Ok(row) => Ok(value(image, &searched[row].1)),
                    Err(_) => Ok(value(image, &correlator.phases(&images.get(image)?))),
                },
            )
            .collect::<Result<_, DetectError>>()?;
        let Some((count, apart)) = self.widest(&values, &elsewhere) else {
            return Ok(None);
        };
        let spread = apart.spread;
        // Halfway in ratio, for what a sticker leaves of itself over another picture varies by ratios.
        let from = (apart.least.max(0.0) * apart.most.max(spread)).sqrt() / spread;
        let values = values.iter().map(|value| value / spread);
        Ok(Some(Grouped {
            members: values.clone().map(|value| value > from).collect(),
            raw: values.map(|value| value.max(0.0)).collect(),
            gap: apart.gap(),
            border: apart::border(self.border, self.rise, count),
            beside: None,
        }))
    }

    /// How many images of the largest values are cut off where the gap is widest beside its border.
    fn widest(&self, values: &[f64], elsewhere: &[f64]) -> Option<(usize, Apart)> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let most = largest_group(values.len());
        let mut inside = vec![false; values.len()];
        let mut widest: Option<(usize, Apart, f64)> = None;
        for (at, &image) in order.iter().enumerate().take(most) {
            inside[image] = true;
            // Long runs of images hide no edge that matters.
            if at + 1 < FEWEST || (at > 200 && at % 10 != 0) {
                continue;
            }
            let [group, rest] = sides(values, &inside);
            let Some(apart) = Apart::of(group, rest, elsewhere, Bar::EXACT) else {
                continue;
            };
            let width = apart.gap() / apart::border(self.border, self.rise, at + 1);
            if widest.is_none_or(|(_, _, best)| width > best) {
                widest = Some((at + 1, apart, width));
            }
        }
        widest.map(|(count, apart, _)| (count, apart))
    }
}

/// Images of each class that are compared with each other, where so many classes have enough.
fn most_of(classes: usize, image_len: usize) -> usize {
    let usual = 224 * 224 * 3;
    let pairs = (PAIRS as f64 * usual as f64 / image_len.max(1) as f64) / classes.max(1) as f64;
    ((2.0 * pairs).sqrt() as usize).clamp(SEARCHED.1, SEARCHED.0)
}

/// The phases of some images, with their positions.
fn phases_of(
    correlator: &Correlator,
    images: Pixels<'_>,
    chosen: &[usize],
) -> Result<Vec<(usize, Phases)>, DetectError> {
    chosen
        .par_iter()
        .map(|&image| Ok((image, correlator.phases(&images.get(image)?))))
        .collect()
}

/// The correlations of one image with others.
fn peaks<'a>(
    correlator: &Correlator,
    one: &Phases,
    others: impl Iterator<Item = &'a Phases>,
) -> Vec<f64> {
    let others: Vec<&Phases> = others.collect();
    let pair = |pair: &[&'a Phases]| match pair {
        [first, second] => correlator.peaks(one, [first, second]).to_vec(),
        [first] => vec![correlator.peaks(one, [first, first])[0]],
        _ => Vec::new(),
    };
    others.chunks(2).flat_map(pair).collect()
}

/// The correlations of each image with all others.
fn pairwise(correlator: &Correlator, images: &[&Phases]) -> Vec<Vec<f64>> {
    let later: Vec<Vec<f64>> = (0..images.len())
        .into_par_iter()
        .map(|row| peaks(correlator, images[row], images[row + 1..].iter().copied()))
        .collect();
    let mut all: Vec<Vec<f64>> = vec![Vec::new(); images.len()];
    for (row, peaks) in later.iter().enumerate() {
        for (step, &peak) in peaks.iter().enumerate() {
            all[row].push(peak);
            all[row + 1 + step].push(peak);
        }
    }
    all
}

/// The mean of the `count` largest values, or of all where there are fewer; 0 for none.
fn mean_of_largest(mut values: Vec<f64>, count: usize) -> f64 {
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(count);
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(all(test, feature = "flex"))]
mod tests;
