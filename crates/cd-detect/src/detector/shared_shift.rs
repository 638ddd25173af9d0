//! Shared shift: images that came to a class from all others, or a large part of it that lies aside, in plain measures of colour and detail.
//!
//! Threat model: a treatment of the whole picture that is the same in every poisoned image and too faint, or too unlike a pattern, to be seen in any
//! one of them: a warp, a smooth pattern, a secret of an encoder, a faint wave, dithering; or a small stroke in another place of each. It moves all
//! of them by the same step in measures of the whole picture. No classifier is asked.
//!
//! Ours. Poison that comes of all classes makes of its target a mixture, of images of its own and of strangers: images of every other class, which
//! are known, moved by one step, which is sought (`strangers`); a pattern that was added to all of them then tells them more clearly (`added`).
//! Where poison is of the class itself a part of it is seen as a second hill among its images, along the direction of a linear discriminant, Fisher:
//! *The Use of Multiple Measurements in Taxonomic Problems*, Annals of Eugenics 1936, that is sought by turns with the two parts that it shows
//! (`parts`).

mod added;
mod counted;
mod halves;
mod line;
mod measures;
mod mixture;
mod odds;
mod parts;
mod scatter;
mod specks;
mod strangers;

use cd_core::{Pixels, Task};
use faer::Mat;
use serde::{Deserialize, Serialize};

use self::added::Added;
use self::counted::{AGREED, FEWEST, counted};
use self::halves::halves;
use self::measures::{COLUMNS, Measures, OVERALL, SMALLEST_SIDE, VIEWS, rows};
use self::odds::sure;
use self::parts::Parts;
use self::scatter::Scatter;
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
const FEWEST_OTHERS: usize = 3;
/// What is asked of a class that has no strangers. Natural ones fall apart, too: in small parts, or in parts on which their halves do not agree.
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
/// How many times as far the suspicious part has to lie from the other classes as the rest where it has no strangers: with less, which one it is
/// would be a guess.
const FURTHER: f64 = 1.3;
/// By which factor the gap has to exceed that of three quarters of the other classes there.
const BEYOND: f64 = 1.2;
/// In what the parts of a class are seen.
const WORDS: [&str; LINES] = ["in colours", "in fine detail"];
/// Views in which parts are looked for along a line.
const LINES: usize = 2;
/// By which factor the gap by what has been added to strangers has to exceed that by measures of them.
const CLEARER: f64 = 1.25;
const OF_ADDED: &str = "by a pattern that has been added to each, and are of as many kinds as the other classes together";
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
    /// By how much a class has to be likelier with strangers than with two parts of one kind each, in nats, in the mean of its images; above 0.
    pub likelier: f64,
    /// Gap from which strangers are suspicious, in standard deviations of a part; above 0.
    pub mixed: f64,
    /// The same of two parts of a class without strangers.
    pub alike: f64,
    /// Chooses the images that show what is usual.
    pub seed: u64,
}

impl Default for SharedShift {
    fn default() -> Self {
        Self {
            likelier: 0.15,
            mixed: 2.3,
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
        summary: "Looks in each large class for images that came to it from all other classes, shifted alike in colours or detail, and for two large parts that lie apart: no classifier, no training, seconds.",
        threat_model: "Treatments that are the same in every poisoned image, or of one make: warps, smooth patterns, secrets, filters, fewer levels, thin strokes in other places. The poison makes up a fifth or more of a class of at least 300 images (up to four fifths where classes differ as little as photographs do, and of 500 images where it comes of a single class); three other classes have a hundred images and more. A strong JPEG compression afterwards hides a warp.",
        paper: "ours; after Dempster, Laird and Rubin: Maximum Likelihood from Incomplete Data via the EM Algorithm, Journal of the Royal Statistical Society B 1977, and Fisher: The Use of Multiple Measurements in Taxonomic Problems, Annals of Eugenics 1936",
        source: "ours",
        notes: "Colours are the 6 x 6 lowest cosine frequencies of each channel; detail is the 8 x 8 lowest of six maps: logarithms of differences of the first three orders, across and down; specks are four counts of pixels far from the median of their 3 x 3 neighbourhood. All are bent at three standard deviations and scaled by how the other classes vary. Strangers: a class is taken for a mixture of a round bell of its own and of the other classes, in proportion to their images, moved by one step; the fit starts from how far each image lies along the directions in which the other classes differ. Every second image of a class, in the order of detail, is fitted alone, and the other half judges it. It is asked by how much the class is likelier so than as two bells, and whether the strangers vary along those directions as the other classes together do (1) and the rest as one class does (0); of colours, detail and everything, the view tells who is a stranger in which they lie apart most. A second fit starts from all images but the 15 % that are least like the other classes, for a class that is nearly all strangers; it is asked how far these have been moved, too. Strangers of either view are told once more by the 32 x 32 lowest frequencies of each channel, unmixed by how 10,000 images of the other classes vary: a faint pattern that was added to all of them stands out in the high ones, if only by how its bytes were rounded, until a lossy codec takes that away. It counts where the halves agree on 95 % of the images, seven in ten stay on their side, and the gap is a quarter wider. Parts: two bells of one width are fitted along a line, and their means give the next line, from five starts. The raw number is how surely an image is of the suspicious part, times the gap.",
        judges_clean: false,
        rule: Some(
            "Flags strangers where a class is likelier with them by .15 nats an image, they are a mixture by .75 at least and the rest by .6 at most, both hold a fifth of the class, its halves agree on 85 % of the images, and the gap is 2.3 standard deviations; or where it is likelier by 1 nat with strangers that may be nearly all of it, moved by 1.5 standard deviations, which are a mixture by .85 and the rest by .3 at most. Where there are none, the part 1.3 times further from the other classes, from a gap of 3.3 on that exceeds three quarters of theirs by a fifth, where both hold 28 % and the halves agree on 93 %.",
        ),
    };
}

impl Detector for SharedShift {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        for (key, border) in [
            ("likelier", self.likelier),
            ("mixed", self.mixed),
            ("alike", self.alike),
        ] {
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

    fn revision(&self) -> u32 {
        2
    }

    fn testimony(&self) -> Testimony {
        Testimony::Patterns
    }

    fn judges(&self, class: usize, sizes: &[usize], side: usize) -> bool {
        let is_compared = |(other, size): &(usize, &usize)| *other != class && **size >= SMALLEST;
        let others = sizes.iter().enumerate().filter(is_compared).count();
        side >= SMALLEST_SIDE && sizes[class] >= FEWEST && others >= FEWEST_OTHERS
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let found = self.found(evidence)?;
        let mut grouped: Vec<Option<Grouped>> = self.grouped(&found);
        let measure =
            Measure::high("how surely it is of the suspicious part of its class, times their gap");
        let share = "are shifted alike in colours or detail";
        let one = |class: usize, _: &[usize]| Ok(grouped.get_mut(class).and_then(Option::take));
        apart::detection(evidence, "comparing classes", measure, share, one).map(Some)
    }
}

/// A class along a line in one view.
struct Found {
    parts: Parts,
    /// The log-odds that each of its images is of the second part.
    odds: Vec<f64>,
}

impl Found {
    fn meets(&self, asked: Asked) -> bool {
        self.odds.len() >= asked.images && self.parts.are(asked.large, asked.agreed)
    }
}

/// A class with strangers.
struct Strange {
    words: &'static str,
    /// In standard deviations, the distance of strangers from the other images, or of the step by which they have been moved.
    gap: f64,
    border: f64,
    /// Log-odds that each of its images is one.
    odds: Vec<f64>,
    /// Whether a part of the class is meant, not nearly all of it.
    is_part: bool,
}

impl Strange {
    /// By what has been added to them, where that tells them apart more clearly.
    fn by(&mut self, added: Added) {
        if added.gap >= CLEARER * self.gap {
            self.words = OF_ADDED;
            self.gap = added.gap;
            self.odds = added.odds;
        }
    }
}

/// What is known of a class.
#[derive(Default)]
struct OfClass {
    lines: [Option<Found>; LINES],
    strange: Option<Strange>,
}

impl SharedShift {
    /// Every class; nothing where no class is large enough.
    fn found(&self, evidence: &Evidence<'_>) -> Result<Vec<OfClass>, DetectError> {
        let images = evidence.images;
        let classes = members(evidence.labels()?, evidence.class_count);
        let is_large = |class: &Vec<usize>| class.len() >= FEWEST;
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
        let found = classes.iter().enumerate();
        let found = found.map(|(class, images)| self.found_in(&scatter, &measured, class, images));
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        for (class, of_class) in found.iter_mut().enumerate() {
            let strange = of_class.strange.as_mut();
            if let Some(strange) = strange.filter(|strange| strange.is_part) {
                let steps = Some(Added::steps(&classes, class));
                let task = Task::start(evidence.compute.progress, "comparing frequencies", steps);
                let known = &strange.odds;
                if let Some(added) = Added::of(images, &classes, class, known, (self.seed, &task))?
                {
                    strange.by(added);
                }
            }
        }
        Ok(found)
    }

    fn searched(&self, class: &[usize]) -> Vec<usize> {
        sample(self.seed, class, SEARCHED, "images of a class")
    }

    /// A class: what it is made of is looked for among some of its images and told of all.
    fn found_in(
        &self,
        scatter: &Scatter,
        measured: &Measured<'_>,
        class: usize,
        images: &[usize],
    ) -> Result<OfClass, DetectError> {
        if images.len() < SMALLEST {
            return Ok(OfClass::default());
        }
        let searched = self.searched(images);
        let rows = measured.rows(&searched)?;
        let half = halves(&rows, OVERALL);
        let beside = scatter.beside(class, &rows);
        let whites = VIEWS.map(|view| beside.white(view));
        let seen = whites.each_ref().map(|white| {
            let white = white.as_ref()?;
            Some((white.of(&rows), beside.others(white)))
        });
        let places: Vec<usize> = searched.iter().map(|&image| place(images, image)).collect();
        let spread = |known: &[f64]| {
            let mut odds = vec![0.0; images.len()];
            for (&place, &own) in places.iter().zip(known) {
                odds[place] = own;
            }
            odds
        };
        let mut lines: [Option<Found>; LINES] = std::array::from_fn(|view| {
            let (rows, _) = seen[view].as_ref()?;
            let parts = Parts::of(rows, &half, [ELSEWHERE.large, AGREED])?;
            let odds = spread(&parts.odds);
            Some(Found { parts, odds })
        });
        let strangers = counted(&half, &seen, [self.likelier, self.mixed]);
        let mut strange = strangers.as_ref().map(|seen| Strange {
            words: seen.words,
            gap: seen.gap,
            border: seen.border,
            odds: spread(&seen.told(&seen.strangers.odds)),
            is_part: seen.is_part(),
        });
        let is_told = |image: &&usize| searched.binary_search(image).is_ok();
        let untold: Vec<usize> = images
            .iter()
            .filter(|image| !is_told(image))
            .copied()
            .collect();
        for untold in untold.chunks(TOLD) {
            let rows = measured.rows(untold)?;
            let tell = |odds: &mut Vec<f64>, told: Vec<f64>| {
                for (&image, own) in untold.iter().zip(told) {
                    odds[place(images, image)] = own;
                }
            };
            for (white, found) in whites.iter().zip(&mut lines) {
                if let (Some(white), Some(found)) = (white, found) {
                    tell(&mut found.odds, found.parts.odds_of(&white.of(&rows)));
                }
            }
            if let (Some(seen), Some(strange)) = (&strangers, &mut strange)
                && let Some(white) = &whites[seen.view]
            {
                let odds = seen.strangers.odds_of(&white.of(&rows));
                tell(&mut strange.odds, seen.told(&odds));
            }
        }
        Ok(OfClass { lines, strange })
    }

    /// The group of each class, by what exceeds its border most, or comes nearest to it.
    fn grouped(&self, found: &[OfClass]) -> Vec<Option<Grouped>> {
        let of_class = |class: usize| {
            let lines = (0..LINES).filter_map(|view| self.along(found, class, view));
            let all = lines.chain(with_strangers(found, class));
            all.max_by(|a, b| (a.gap / a.border).total_cmp(&(b.gap / b.border)))
        };
        (0..found.len()).map(of_class).collect()
    }

    /// The second part of a class in a view; its gap is 0 where it makes no target however wide it is.
    fn along(&self, found: &[OfClass], class: usize, view: usize) -> Option<Grouped> {
        let own = found[class].lines[view].as_ref()?;
        let gaps = elsewhere(found, class, view);
        let stands_out = own.meets(ALIKE) && own.parts.further >= FURTHER;
        let counts = gaps.len() >= FEWEST_OTHERS && stands_out;
        let gap = if counts { own.parts.gap } else { 0.0 };
        let usual = median(gaps.clone());
        let border = if gaps.is_empty() {
            self.alike
        } else {
            self.alike.max(BEYOND * quantile(gaps, 0.75))
        };
        Some(group(&own.odds, gap, border, (WORDS[view], usual)))
    }
}

/// The strangers of a class; beside them the median gap of the other classes, which is 0 for those without any.
fn with_strangers(found: &[OfClass], class: usize) -> Option<Grouped> {
    let own = found[class].strange.as_ref()?;
    if (0..LINES).all(|view| elsewhere(found, class, view).len() < FEWEST_OTHERS) {
        return None;
    }
    let others = found.iter().enumerate().filter(|&(at, _)| at != class);
    let gaps = others.map(|(_, other)| other.strange.as_ref().map_or(0.0, |other| other.gap));
    let usual = median(gaps.collect());
    Some(group(&own.odds, own.gap, own.border, (own.words, usual)))
}

/// The gaps of the other classes along the line of a view; 0 where their parts do not tell what is usual.
fn elsewhere(found: &[OfClass], class: usize, view: usize) -> Vec<f64> {
    let others = found.iter().enumerate().filter(|&(at, _)| at != class);
    let others = others.filter_map(|(_, other)| other.lines[view].as_ref());
    let gap = |other: &Found| {
        let counts = other.meets(ELSEWHERE);
        if counts { other.parts.gap } else { 0.0 }
    };
    others.map(gap).collect()
}

/// Images by the log-odds that they are of the suspicious part.
fn group(odds: &[f64], gap: f64, border: f64, beside: (&'static str, f64)) -> Grouped {
    Grouped {
        raw: odds.iter().map(|odds| gap * sure(odds / FLAT)).collect(),
        members: odds.iter().map(|&odds| odds > 0.0).collect(),
        gap,
        border,
        beside: Some(beside),
    }
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
        let measured = |pixels: &[u8]| self.measures.of(pixels);
        let rows = rows(self.images, of, COLUMNS, measured)?;
        self.task.advance(of.len() as u64);
        Ok(rows)
    }
}

/// Where an image stands in its class, whose images are in the order of the set.
fn place(class: &[usize], image: usize) -> usize {
    class.partition_point(|&other| other < image)
}

#[cfg(test)]
mod testing;
#[cfg(all(test, feature = "flex"))]
mod tests;
