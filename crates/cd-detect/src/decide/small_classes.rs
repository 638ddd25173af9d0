//! Classes whose images are all suspicious by nature.
//!
//! A backdoor's target class still holds clean images, so the least suspicious quarter of it looks like the
//! rest of the set. A class of small, plain objects (one road sign among ten) is suspicious as a whole. Such
//! a class is compared with itself: its images are moved back by as much as its least suspicious quarter
//! stands out. Only classes that stand out are moved; all others keep their values.
//!
//! The price: a target class of which more than three quarters are poisoned looks the same. Dirty labels
//! make such a class much larger than the others, so a class above [`SIZE_LIMIT`] is never moved. A clean-label
//! attack on nearly all images of one class is not seen any more; [`Comparison::Set`] is the way to see it.

use serde::{Deserialize, Serialize};

use crate::detection::{Detection, Direction, Scale};
use crate::statistics::{median, robust_spread};

/// A class stands out when even its least suspicious quarter lies this many robust standard deviations on the
/// suspicious side of the set's median.
const STANDS_OUT: f64 = 1.0;
/// Classes of more than so many times the median class size are taken for targets of an attack.
const SIZE_LIMIT: f64 = 1.5;
/// Fewer images than this say nothing about their class.
const ENOUGH: usize = 4;

/// What the images are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Comparison {
    /// All images of the set, as published.
    #[default]
    Set,
    /// All images of the set; those of a class that is suspicious as a whole with their own class.
    SmallClasses,
}

impl Comparison {
    /// The detection by whose values images are to be ranked and flagged, and the classes that were
    /// compared with themselves for it; `labels` has one class per image.
    ///
    /// # Panics
    ///
    /// When there are fewer labels than images.
    pub fn apply(self, detection: Detection, labels: &[u32]) -> (Detection, Vec<u32>) {
        match self {
            Self::Set => (detection, Vec::new()),
            Self::SmallClasses => {
                let (raw, classes) = moved(&detection, labels);
                (Detection { raw, ..detection }, classes)
            }
        }
    }
}

/// The raw values after every class that stands out was moved back, and those classes.
fn moved(detection: &Detection, labels: &[u32]) -> (Vec<f64>, Vec<u32>) {
    let measure = &detection.measure;
    let sign = match measure.direction {
        Direction::Low => -1.0,
        Direction::High => 1.0,
    };
    let suspicion = detection.on_even_scale(&detection.raw);
    let border = median(suspicion.clone()) + STANDS_OUT * robust_spread(&suspicion);
    let classes = by_class(&suspicion, labels);
    let sizes = classes.iter().filter(|class| !class.is_empty());
    let largest = SIZE_LIMIT * median(sizes.map(|class| class.len() as f64).collect());
    let back: Vec<f64> = classes
        .into_iter()
        .map(|class| match class.len() {
            count if count < ENOUGH || count as f64 > largest => 0.0,
            _ => (least_suspicious_quarter(class) - border).max(0.0),
        })
        .collect();
    let images = detection.raw.iter().zip(suspicion).zip(labels);
    let raw = images.map(|((&raw, suspicion), &label)| match back[label as usize] {
        0.0 => raw,
        back => match measure.scale {
            Scale::Linear => sign * (suspicion - back),
            Scale::Ratio => (sign * (suspicion - back)).exp(),
        },
    });
    let classes = (0..).zip(&back).filter(|&(_, &back)| back > 0.0);
    (raw.collect(), classes.map(|(class, _)| class).collect())
}

fn by_class(values: &[f64], labels: &[u32]) -> Vec<Vec<f64>> {
    let count = labels.iter().max().map_or(0, |&last| last as usize + 1);
    let mut classes = vec![Vec::new(); count];
    for (index, &value) in values.iter().enumerate() {
        classes[labels[index] as usize].push(value);
    }
    classes
}

/// The value that a quarter of the class does not exceed.
fn least_suspicious_quarter(mut class: Vec<f64>) -> f64 {
    class.sort_by(f64::total_cmp);
    class[class.len() / 4]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Measure;

    fn norms(raw: Vec<f64>) -> Detection {
        Detection {
            measure: Measure {
                title: "m".into(),
                direction: Direction::Low,
                scale: Scale::Ratio,
            },
            raw,
            clean: None,
            masks: None,
            own: None,
            classes: Vec::new(),
        }
    }

    /// Class 0: plain and small. Class 1: half clean, half poisoned. Classes 2 to 4: clean.
    fn signs() -> (Detection, Vec<u32>) {
        let mut raw = Vec::new();
        let mut labels = Vec::new();
        for image in 0..20 {
            let wobble = 1.0 + 0.02 * f64::from(image);
            for (class, norm) in [10.0, 200.0, 210.0, 190.0, 205.0].into_iter().enumerate() {
                let poisoned = class == 1 && image % 2 == 0;
                raw.push(wobble * if poisoned { 15.0 } else { norm });
                labels.push(class as u32);
            }
        }
        (norms(raw), labels)
    }

    #[test]
    fn a_class_that_is_small_by_nature_makes_room_for_the_poisoned() {
        let (detection, labels) = signs();
        let first = |detection: &Detection| labels[detection.ranking()[0]];
        assert_eq!(first(&detection), 0);
        let (judged, classes) = Comparison::SmallClasses.apply(detection.clone(), &labels);
        assert_eq!(classes, [0]);
        assert!(
            judged.ranking()[..10]
                .iter()
                .all(|&index| labels[index] == 1)
        );
        for (index, &label) in labels.iter().enumerate() {
            if label != 0 {
                assert_eq!(judged.raw[index], detection.raw[index]);
            }
        }
        let (as_published, classes) = Comparison::Set.apply(detection.clone(), &labels);
        assert_eq!((as_published, classes.len()), (detection, 0));
    }

    #[test]
    fn order_within_a_class_stays() {
        let (detection, labels) = signs();
        let (judged, _) = Comparison::SmallClasses.apply(detection.clone(), &labels);
        let of_class = |ranking: Vec<usize>| -> Vec<usize> {
            ranking
                .into_iter()
                .filter(|&index| labels[index] == 0)
                .collect()
        };
        assert_eq!(of_class(judged.ranking()), of_class(detection.ranking()));
    }

    #[test]
    fn a_swollen_class_is_taken_for_a_target() {
        // Class 0 had two clean images of its own and got 38 poisoned ones.
        let mut raw = vec![200.0, 220.0];
        raw.extend((0..38).map(|image| 10.0 + f64::from(image) * 0.1));
        let mut labels = vec![0; 40];
        for class in 1..5 {
            raw.extend((0..20).map(|image| 190.0 + f64::from(image)));
            labels.extend([class; 20]);
        }
        let detection = norms(raw);
        let judged = Comparison::SmallClasses.apply(detection.clone(), &labels);
        assert_eq!(judged, (detection, Vec::new()));
    }

    #[test]
    fn nothing_moves_without_spread_or_images() {
        let tied = norms(vec![5.0; 12]);
        let labels: Vec<u32> = (0..12).map(|index| index / 4).collect();
        let apply = |detection, labels| Comparison::SmallClasses.apply(detection, labels);
        assert_eq!(apply(tied.clone(), &labels), (tied, Vec::new()));
        let empty = norms(Vec::new());
        assert_eq!(apply(empty.clone(), &[]), (empty, Vec::new()));
    }
}
