//! When a group of images stands apart from all others.

use cd_core::{Task, random};
use rand::seq::SliceRandom;

use crate::decide::{ClassFinding, Decision};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::statistics::{members, quantile, robust_spread};

/// Fewer images are no group.
pub(crate) const FEWEST: usize = 8;
/// With fewer others in its class, or a smaller share of them, what a group shares is what the class looks like.
const FEWEST_BESIDE: (usize, f64) = (8, 0.05);
/// Fewer images of other classes tell nothing.
pub(crate) const FEWEST_ELSEWHERE: usize = 20;
/// The smallest class that is looked at: a group and as many others.
pub(crate) const SMALLEST_CLASS: usize = 2 * FEWEST;
/// Whether a group of a class can stand apart from the rest of it and from all others, where the classes have so many images.
pub(crate) fn is_judged(class: usize, sizes: &[usize]) -> bool {
    let elsewhere = sizes.iter().sum::<usize>() - sizes[class];
    sizes[class] >= SMALLEST_CLASS && elsewhere >= FEWEST_ELSEWHERE
}

/// Images of the class outside of the group that may lie on its side of the gap, as a share of the group: with more a few images would
/// stand out by their own choice.
const STRAGGLERS_BESIDE: f64 = 0.25;
/// The same of images outside of the class, some of which may carry the pattern to classes of their own, or with their own label: an eighth
/// in published attacks with covers, and three standard errors of a sample more.
const OTHERS_ALIKE: f64 = 0.2;

/// What is asked of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    /// What any image may have of what makes a group.
    pub(crate) usual: f64,
    /// Fewer values are nothing in common.
    pub(crate) values: usize,
    /// Share of the group, and of its class's other images, that may lie on the wrong side of the gap.
    pub(crate) stragglers: f64,
    /// Least standard deviation among images of other classes.
    pub(crate) spread: f64,
}

impl Bar {
    /// For what is the same in every image.
    pub(crate) const EXACT: Self = Self {
        usual: 0.0,
        values: 0,
        stragglers: 0.05,
        spread: f64::EPSILON,
    };
}

/// A group and all others, by how much each image has of what makes the group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Apart {
    /// What the least of the group have.
    pub(crate) least: f64,
    /// What others have at most.
    pub(crate) most: f64,
    /// Standard deviation among images of other classes.
    pub(crate) spread: f64,
}

impl Apart {
    /// Of the images of a class `inside` and `outside` of the group, and images of other classes; `None` for fewer than eight inside.
    pub(crate) fn of(
        inside: Vec<f64>,
        outside: Vec<f64>,
        elsewhere: &[f64],
        bar: Bar,
    ) -> Option<Self> {
        if inside.len() < FEWEST || elsewhere.is_empty() {
            return None;
        }
        let beside = STRAGGLERS_BESIDE * inside.len() as f64 / outside.len().max(1) as f64;
        let in_class = match outside.len() {
            0 => 0.0,
            _ => quantile(outside, 1.0 - beside.min(bar.stragglers)),
        };
        let others = quantile(elsewhere.to_vec(), 1.0 - OTHERS_ALIKE);
        Some(Self {
            least: quantile(inside, bar.stragglers),
            most: in_class.max(others).max(bar.usual),
            spread: robust_spread(elsewhere).max(bar.spread),
        })
    }

    /// How far the least of the group lie above twice what others have, in standard deviations of these.
    pub(crate) fn gap(self) -> f64 {
        (self.least - 2.0 * self.most) / self.spread
    }
}

/// The largest group of a class of so many images.
pub(crate) fn largest_group(images: usize) -> usize {
    let (fewest, share) = FEWEST_BESIDE;
    let beside = fewest.min((share * images as f64).ceil() as usize);
    images.saturating_sub(beside)
}

/// The gap from which a group of so many is suspicious: `border`, and the share `rise` of it more for a group of eight.
pub(crate) fn border(border: f64, rise: f64, count: usize) -> f64 {
    border * (1.0 + rise * FEWEST as f64 / count.max(1) as f64)
}

/// Whether the settings of a border are in their ranges.
pub(crate) fn check(border: f64, rise: f64) -> Result<(), DetectError> {
    let wrong = |key, value: f64, expected| {
        Err(DetectError::Config {
            key,
            value: value.to_string(),
            expected,
        })
    };
    if !(border > 0.0 && border.is_finite()) {
        return wrong("border", border, "a number above 0");
    }
    if !(rise >= 0.0 && rise.is_finite()) {
        return wrong("rise", rise, "a number from 0 on");
    }
    Ok(())
}

/// The group that stands apart most in a class, image by image.
pub(crate) struct Grouped {
    /// The raw number of each image of the class.
    pub(crate) raw: Vec<f64>,
    /// Whether each belongs to the group.
    pub(crate) members: Vec<bool>,
    /// How far the group stands apart.
    pub(crate) gap: f64,
    /// The gap from which it is suspicious.
    pub(crate) border: f64,
    /// Where it stands apart and how, in words, and the median gap of the other classes, for a group that is no pattern of its own.
    pub(crate) beside: Option<(&'static str, f64)>,
}

impl Grouped {
    /// Images of the group `share` something, unless it is no pattern of its own.
    fn finding(&self, class: usize, share: &str) -> ClassFinding {
        let view = self.beside.map_or(share, |(view, _)| view);
        ClassFinding {
            class: class as u32,
            images: self.members.len(),
            group: self.members.iter().filter(|&&member| member).count(),
            gap: self.gap,
            border: self.border,
            usual: self.beside.map(|(_, usual)| usual),
            learned: None,
            view: view.to_owned(),
            search: None,
            trusted: None,
            is_target: self.gap >= self.border,
        }
    }
}

/// What a detector comes to that looks in each class for images that `share` something: `grouped` finds the group of a class among its images.
pub(crate) fn detection(
    evidence: &Evidence<'_>,
    task: &str,
    measure: Measure,
    share: &str,
    mut grouped: impl FnMut(usize, &[usize]) -> Result<Option<Grouped>, DetectError>,
) -> Result<Detection, DetectError> {
    let count = evidence.images.len();
    let task = Task::start(evidence.compute.progress, task, Some(count as u64));
    let mut raw = vec![0.0; count];
    let mut flagged = vec![false; count];
    let mut classes = Vec::new();
    let all = members(evidence.labels()?, evidence.class_count);
    for (class, of_class) in all.iter().enumerate() {
        if let Some(grouped) = grouped(class, of_class)? {
            let finding = grouped.finding(class, share);
            let each = grouped.raw.iter().zip(&grouped.members);
            for (&image, (&value, &is_member)) in of_class.iter().zip(each) {
                raw[image] = value;
                flagged[image] = is_member && finding.is_target;
            }
            classes.push(finding);
        }
        task.advance(of_class.len() as u64);
    }
    Ok(Detection {
        own: Some(Decision {
            explanation: explanation(&classes, share),
            cutoff: None,
            flagged,
        }),
        classes,
        ..Detection::new(measure, raw)
    })
}

/// What was flagged of these classes, in words: images that `share` something.
fn explanation(classes: &[ClassFinding], share: &str) -> String {
    let targets = classes.iter().filter(|class| class.is_target);
    let gaps: Vec<f64> = targets.map(|class| class.gap).collect();
    let widest = gaps.iter().copied().fold(0.0, f64::max);
    match gaps.len() {
        0 => format!("no class holds images that {share}"),
        1 => format!("images of one class that {share}; their gap is {widest:.1}"),
        count => format!("images of {count} classes that {share}; the widest gap is {widest:.1}"),
    }
}

/// Up to `most` of `images`, in their order: those that the seed draws for a purpose.
pub(crate) fn sample(seed: u64, images: &[usize], most: usize, purpose: &str) -> Vec<usize> {
    let mut chosen = images.to_vec();
    if chosen.len() > most {
        chosen.shuffle(&mut random::stream(seed, random::named(purpose)));
        chosen.truncate(most);
        chosen.sort_unstable();
    }
    chosen
}

/// The values of members and of all others.
pub(crate) fn sides(values: &[f64], members: &[bool]) -> [Vec<f64>; 2] {
    let side = |wanted: bool| {
        let all = values.iter().zip(members);
        all.filter(|(_, member)| **member == wanted)
            .map(|(&value, _)| value)
            .collect()
    };
    [side(true), side(false)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_to_reach_twice_what_others_have() {
        let elsewhere: Vec<f64> = (0..100).map(|at| f64::from(at - 50) / 100.0).collect();
        let gap = |inside: f64, outside: f64| {
            let group = Apart::of(vec![inside; 10], vec![outside; 90], &elsewhere, Bar::EXACT);
            group.expect("ten are a group").gap()
        };
        assert!(gap(2.0, 0.0) > 3.0);
        assert!(gap(2.0, 0.9) < gap(2.0, 0.0));
        assert!(gap(2.0, 1.0).abs() < 1e-9);
        assert!(Apart::of(vec![1.0; 7], vec![0.0; 90], &elsewhere, Bar::EXACT).is_none());
        // Three of ninety others that are alike, too, are more than a quarter of the group.
        let mut outside = vec![0.0; 90];
        outside[..3].fill(1.9);
        let group =
            Apart::of(vec![2.0; 10], outside, &elsewhere, Bar::EXACT).expect("ten are a group");
        assert!(group.gap() < 0.0, "{group:?}");
    }

    #[test]
    fn a_group_leaves_eight_others_or_a_twentieth() {
        assert_eq!([20, 100, 160, 420].map(largest_group), [19, 95, 152, 412]);
    }

    #[test]
    fn small_groups_have_a_wider_border() {
        assert!((border(2.0, 0.5, 8) - 3.0).abs() < 1e-12);
        assert!((border(2.0, 0.5, 800) - 2.01).abs() < 1e-12);
    }
}
