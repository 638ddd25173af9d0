//! Spectral signatures: poison shifts a class along its direction of largest spread.
//!
//! Threat model: a minority of a class is poisoned, by dirty or clean labels, and lies apart in the features that enter the last
//! layer. Fails where half of a class is poisoned, for then its middle lies between the two groups.
//!
//! Tran, Li, Madry: *Spectral Signatures in Backdoor Attacks*, 2018. [`Form::Reference`] is what the released code of
//! Cognitive Distillation compares with, [`Form::Original`] the paper's.

use cd_core::Matrix;
use cd_models::Tap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Direction, Measure, Scale};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::singular::top_direction;
use crate::statistics::{deviations, median};

/// Share of a normal distribution's standard deviation that its median absolute deviation is.
const MAD_OF_NORMAL: f64 = 0.6745;
/// As [`MAD_OF_NORMAL`], of the mean absolute deviation.
const MEAN_OF_NORMAL: f64 = 0.7979;

/// Settings of spectral signatures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ss {
    /// How projections become numbers: `reference` or `original`.
    pub form: Form,
}

/// How projections on the direction of largest spread become numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The length of the projection of the features as they are, and how far it lies from the median over all classes.
    #[default]
    Reference,
    /// The square of the projection from the middle of the class, by its mean over the class. Ranks within a class are the
    /// paper's; the division makes classes comparable.
    Original,
}

impl Ss {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "ss",
        title: "Spectral signatures (SS)",
        summary: "Projects the features of each class on their direction of largest spread; a projection far from the others is suspicious.",
        threat_model: "A minority of a class is poisoned and lies apart in the last features. Needs the labels that training saw and enough images of a class; judges the set as a whole.",
        paper: "Tran, Li, Madry: Spectral Signatures in Backdoor Attacks, NeurIPS 2018",
        source: "https://github.com/MadryLab/backdoor_data_poisoning",
        notes: "`reference` projects features that are not centred, as the released code of Cognitive Distillation does; `original` is the paper's form, scaled so that classes can be ranked together. Classes without spread get 0.",
        judges_clean: false,
        rule: None,
    };
}

impl Detector for Ss {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            features: vec![Tap::Penultimate],
            labels: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let features = evidence.features(Tap::Penultimate)?;
        let mut classes = vec![Vec::new(); evidence.class_count];
        for (index, &label) in evidence.labels()?.iter().enumerate() {
            classes[label as usize].push(index);
        }
        let mut projections = vec![None; features.rows()];
        let found = classes
            .par_iter()
            .map(|members| self.projections(features, members));
        let found: Vec<Vec<f64>> = found.collect();
        for (members, values) in classes.iter().zip(found) {
            for (&index, value) in members.iter().zip(values) {
                projections[index] = Some(value);
            }
        }
        let (raw, title) = match self.form {
            Form::Reference => (
                from_the_median(&projections),
                "robust distance of the spectral projection from the median",
            ),
            Form::Original => {
                let values = projections.iter().map(|value| value.unwrap_or(0.0));
                (
                    values.collect(),
                    "squared spectral projection, by its mean over the class",
                )
            }
        };
        Ok(Some(Detection {
            measure: Measure {
                title: title.into(),
                direction: Direction::High,
                scale: Scale::Linear,
            },
            raw,
            clean: None,
            masks: None,
            own: None,
            classes: Vec::new(),
        }))
    }
}

impl Ss {
    /// The projections of a class; none when its images do not differ.
    fn projections(&self, features: &Matrix, members: &[usize]) -> Vec<f64> {
        let row = |&index: &usize| features.row(index).iter().copied().map(f64::from);
        let mut middle = vec![0.0; features.columns()];
        for index in members {
            for (sum, value) in middle.iter_mut().zip(row(index)) {
                *sum += value / members.len() as f64;
            }
        }
        let centred = |index| {
            row(index)
                .zip(&middle)
                .map(|(value, middle)| value - middle)
        };
        let centred: Vec<Vec<f64>> = members.iter().map(|i| centred(i).collect()).collect();
        let Some(direction) = top_direction(&centred) else {
            return Vec::new();
        };
        let along = |values: &mut dyn Iterator<Item = f64>| -> f64 {
            values.zip(&direction).map(|(value, way)| value * way).sum()
        };
        match self.form {
            Form::Reference => members.iter().map(|i| along(&mut row(i)).abs()).collect(),
            Form::Original => {
                let squares = centred
                    .iter()
                    .map(|row| along(&mut row.iter().copied()).powi(2));
                let squares: Vec<f64> = squares.collect();
                let mean = squares.iter().sum::<f64>() / squares.len() as f64;
                squares.iter().map(|square| square / mean).collect()
            }
        }
    }
}

/// How many robust standard deviations each value lies from the median, to either side; 0 where there is none.
fn from_the_median(values: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let middle = median(known.clone());
    let away = deviations(&known, middle);
    let mean = away.iter().sum::<f64>() / away.len().max(1) as f64;
    // Without a spread of the middle half, the mean deviation stands in.
    let scale = match median(away) {
        0.0 => mean / MEAN_OF_NORMAL,
        mad => mad / MAD_OF_NORMAL,
    };
    let distance = |value: &Option<f64>| match value {
        Some(value) if scale > 0.0 => (value - middle).abs() / scale,
        _ => 0.0,
    };
    values.iter().map(distance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_far_values_stand_out_however_tied_the_others_are() {
        let spread = from_the_median(&[Some(1.0), Some(2.0), Some(3.0), Some(9.0), None]);
        assert!(spread[3] > 3.0 && spread[4] == 0.0, "{spread:?}");
        let tied = from_the_median(&[Some(1.0), Some(1.0), Some(1.0), Some(9.0)]);
        assert!(tied[3] > 1.0 && tied[0] == 0.0 && tied[3].is_finite());
        assert_eq!(from_the_median(&[Some(5.0); 3]), [0.0; 3]);
        assert_eq!(from_the_median(&[None, None]), [0.0; 2]);
    }
}
