//! What a detector finds: one number per image, and masks where the method makes them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::decide::{ClassFinding, Decision};
use crate::masks::Masks;

/// Which end of a raw measure is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Small values are suspicious, such as the norm of a mask.
    Low,
    /// Large values are suspicious.
    High,
}

/// How the values of a measure are spread, for rules that assume a bell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Differences count; any value may occur.
    Linear,
    /// Ratios count: values are never negative, and their logarithms are what spreads evenly.
    Ratio,
}

/// What the raw numbers of a detector are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Words for people, such as `L1 norm of the mask`.
    pub title: Cow<'static, str>,
    /// Which end is suspicious.
    pub direction: Direction,
    /// How its values are spread.
    pub scale: Scale,
}

impl Measure {
    /// Differences count, and large values are suspicious.
    pub fn high(title: &'static str) -> Self {
        Self {
            title: title.into(),
            direction: Direction::High,
            scale: Scale::Linear,
        }
    }

    /// Differences count, and small values are suspicious.
    pub fn low(title: &'static str) -> Self {
        Self {
            direction: Direction::Low,
            ..Self::high(title)
        }
    }
}

/// Result of one detector on one image set.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// What [`raw`](Self::raw) measures.
    pub measure: Measure,
    /// The method's own number for each image, in the order of the set.
    pub raw: Vec<f64>,
    /// The same number for each trusted clean image, where there are some and the method can judge an image by itself.
    pub clean: Option<Vec<f64>>,
    /// Masks, where the method makes them.
    pub masks: Option<Masks>,
    /// What the method's own rule flags, where it has one; the `own` rule takes it over.
    pub own: Option<Decision>,
    /// What it found of each class, where it [judges classes](crate::Testimony::Classes) or looks for
    /// [patterns](crate::Testimony::Patterns) in them.
    pub classes: Vec<ClassFinding>,
}

impl Detection {
    /// Numbers alone; the fields take the rest.
    pub fn new(measure: Measure, raw: Vec<f64>) -> Self {
        Self {
            measure,
            raw,
            clean: None,
            masks: None,
            own: None,
            classes: Vec::new(),
        }
    }

    /// Scores in `[0, 1]`, higher = more suspicious: the raw values, min-max scaled over the set and
    /// turned so that the suspicious end is 1. All 0 when the raw values are equal.
    pub fn scores(&self) -> Vec<f64> {
        self.on_score_scale(&self.raw)
    }

    /// Any values of the measure on the scale of [`scores`](Self::scores), outside `[0, 1]` where they lie
    /// beyond those of the set.
    pub fn on_score_scale(&self, values: &[f64]) -> Vec<f64> {
        let low = self.raw.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = high - low;
        let score = |&value: &f64| match self.measure.direction {
            _ if range <= 0.0 => 0.0,
            Direction::Low => 1.0 - (value - low) / range,
            Direction::High => (value - low) / range,
        };
        values.iter().map(score).collect()
    }

    /// Values of the measure on the scale on which differences count, logarithms where ratios do; more is more suspicious.
    pub(crate) fn on_even_scale(&self, values: &[f64]) -> Vec<f64> {
        let sign = match self.measure.direction {
            Direction::Low => -1.0,
            Direction::High => 1.0,
        };
        let even = |&value: &f64| match self.measure.scale {
            Scale::Linear => sign * value,
            Scale::Ratio => sign * value.max(f64::MIN_POSITIVE).ln(),
        };
        values.iter().map(even).collect()
    }

    /// Image positions from most to least suspicious; equal values in the order of the set.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.raw.len()).collect();
        order.sort_by(|&a, &b| match self.measure.direction {
            Direction::Low => self.raw[a].total_cmp(&self.raw[b]),
            Direction::High => self.raw[b].total_cmp(&self.raw[a]),
        });
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(raw: &[f64], direction: Direction) -> Detection {
        let measure = Measure {
            title: "m".into(),
            direction,
            scale: Scale::Linear,
        };
        Detection::new(measure, raw.to_vec())
    }

    #[test]
    fn the_suspicious_end_scores_one() {
        let low = detection(&[2.0, 4.0, 3.0], Direction::Low);
        assert_eq!(low.scores(), [1.0, 0.0, 0.5]);
        assert_eq!(low.ranking(), [0, 2, 1]);
        let high = detection(&[2.0, 4.0, 3.0], Direction::High);
        assert_eq!(high.scores(), [0.0, 1.0, 0.5]);
        assert_eq!(high.ranking(), [1, 2, 0]);
    }

    #[test]
    fn equal_values_tie_at_zero() {
        let tied = detection(&[7.0; 3], Direction::Low);
        assert_eq!(tied.scores(), [0.0; 3]);
        assert_eq!(tied.ranking(), [0, 1, 2]);
    }
}
