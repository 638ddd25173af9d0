//! SPECTRE: what stands out of a class after its own spread has been divided out.
//!
//! Threat model: dirty-label poison that adds a spread of its own to the features of the target class. `reference` takes the spread
//! from labelled clean images and holds at any rate of poison; `robust` filters it out of the suspects and is blind beyond a third.
//!
//! Hayase, Kong, Somani, Oh: *SPECTRE: Defending Against Backdoor Attacks Using Robust Statistics*, ICML 2021. The robust form is the
//! paper's; the reference form is ours.

mod entropy;
mod filter;
mod robust;

use cd_models::Tap;
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::dense::{Spectrum, centred, covariance, mean_row, product, rows_of, with_diagonal};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::{TARGET_INDEX, class_index, members, quantile};

use entropy::Entropy;

/// Parts of the clean images that are judged by the others.
const FOLDS: usize = 5;
/// Clean and inspected images that a class must have; smaller ones are not judged.
const LEAST: [usize; 2] = [5, 4];
/// Added to the variances of clean images.
const FLOOR: f64 = 1e-6;

/// Settings of SPECTRE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spectre {
    /// Where the spread of a class is taken from: `reference` or `robust`.
    pub form: Form,
    /// Directions of largest spread that features are reduced to; at least 1. At most a quarter of the clean images of a class
    /// (`reference`) or of its images (`robust`, where the number is chosen among ten up to this one).
    pub components: usize,
    /// Share of a class that may be poison, for `robust`: above 0, at most a third.
    pub budget: f64,
}

/// Where the spread of a class is taken from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// From labelled clean images.
    #[default]
    Reference,
    /// From the suspects, filtered.
    Robust,
}

impl Default for Spectre {
    fn default() -> Self {
        Self {
            form: Form::default(),
            components: 8,
            budget: 0.1,
        }
    }
}

impl Spectre {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "spectre",
        title: "SPECTRE",
        summary: "Whitens the features of each class with a covariance that poison has not shaped and scores by quantum entropy; what still spreads is suspicious.",
        threat_model: "Dirty-label poison. `reference` needs labelled clean images of every class and holds at any rate; `robust` needs none and fails beyond a third of a class.",
        paper: "Hayase, Kong, Somani, Oh: SPECTRE, ICML 2021",
        source: "https://github.com/SewoongLab/spectre-defense",
        notes: "The exponential is that of matrices and the filter's tail test that of the authors, unlike in the public toolboxes; the budget is a setting, not the true rate. `reference` is ours.",
        judges_clean: false,
        rule: Some(
            "`reference`: in classes whose index is above e squared, a score above that of 95 % of the clean images (five folds); `robust`: one and a half budgets of the class with the most spread",
        ),
    };
}

impl Detector for Spectre {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.components == 0 {
            return Err(DetectError::Config {
                key: "components",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        if self.budget > 0.0 && self.budget <= 1.0 / 3.0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "budget",
            value: self.budget.to_string(),
            expected: "a number above 0 and at most a third",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            features: vec![Tap::Penultimate],
            labels: true,
            clean: match self.form {
                Form::Reference => LEAST[0],
                Form::Robust => 0,
            },
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let features = evidence.features(Tap::Penultimate)?;
        let classes = members(evidence.labels()?, evidence.class_count);
        let judged: Vec<Judged> = match self.form {
            Form::Robust => classes
                .iter()
                .map(|class| robust::judged(rows_of(features, class), self))
                .collect(),
            Form::Reference => {
                let clean = evidence.clean()?;
                let trusted = clean.features(Tap::Penultimate)?;
                let references = members(clean.labels(evidence.class_count)?, evidence.class_count);
                let pairs = classes.iter().zip(&references);
                pairs
                    .map(|(class, clean)| {
                        reference(rows_of(features, class), rows_of(trusted, clean), self)
                    })
                    .collect()
            }
        };
        Ok(Some(self.detection(&judged, &classes, features.rows())))
    }
}

/// What is known of a class.
#[derive(Debug)]
struct Judged {
    /// Score of each of its images.
    scores: Vec<f64>,
    /// How much its spread exceeds the expected one; `None` where it was not judged.
    excess: Option<f64>,
    /// Whether each image is flagged if the class is a target.
    flagged: Vec<bool>,
}

impl Judged {
    fn not(count: usize) -> Self {
        Self {
            scores: vec![0.0; count],
            excess: None,
            flagged: vec![false; count],
        }
    }
}

impl Spectre {
    fn detection(&self, judged: &[Judged], classes: &[Vec<usize>], count: usize) -> Detection {
        let excesses: Vec<Option<f64>> = judged.iter().map(|class| class.excess).collect();
        let most = excesses
            .iter()
            .flatten()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let targets: Vec<bool> = match self.form {
            Form::Reference => class_index(&excesses)
                .into_iter()
                .map(|index| index > TARGET_INDEX)
                .collect(),
            Form::Robust => excesses
                .iter()
                .map(|&excess| excess == Some(most))
                .collect(),
        };
        let (mut raw, mut flagged) = (vec![0.0; count], vec![false; count]);
        for ((class, judged), target) in classes.iter().zip(judged).zip(targets) {
            for (at, &image) in class.iter().enumerate() {
                raw[image] = judged.scores[at];
                flagged[image] = target && judged.flagged[at];
            }
        }
        let explanation = match self.form {
            Form::Reference => {
                "in a class with an index above 7.389, above 95 % of its clean images".to_owned()
            }
            Form::Robust => format!(
                "the {:.1} % with the largest scores of the class with the most spread",
                150.0 * self.budget
            ),
        };
        Detection {
            own: Some(Decision {
                explanation,
                cutoff: None,
                flagged,
            }),
            ..Detection::new(Measure::high("quantum entropy score of its class"), raw)
        }
    }
}

/// A class judged with the spread of its clean images.
fn reference(rows: Mat<f64>, clean: Mat<f64>, settings: &Spectre) -> Judged {
    let count = rows.nrows();
    if clean.nrows() < LEAST[0] || count < LEAST[1] {
        return Judged::not(count);
    }
    let middle = mean_row(rows.as_ref());
    let rows = centred(rows.as_ref(), &middle);
    let clean = centred(clean.as_ref(), &middle);
    let directions = (clean.nrows() / 4)
        .max(2)
        .min(settings.components)
        .min(rows.ncols());
    let axes = Spectrum::of(covariance(rows.as_ref(), 0).as_ref()).top(directions);
    let rows = product(rows.as_ref(), axes.as_ref());
    let clean = product(clean.as_ref(), axes.as_ref());
    let whitening = Whitening::of(&clean);
    let white = whitening.apply(&rows);
    let entropy = Entropy::of(&white);
    let scores = entropy.scores(&white);
    let mut of_clean = vec![0.0; clean.nrows()];
    for fold in 0..FOLDS {
        let of = |inside: bool| -> Vec<usize> {
            (0..clean.nrows())
                .filter(|row| (row % FOLDS == fold) == inside)
                .collect()
        };
        let (inside, others) = (of(true), of(false));
        let some = |rows: &[usize]| {
            Mat::from_fn(rows.len(), directions, |row, column| {
                clean[(rows[row], column)]
            })
        };
        let white = Whitening::of(&some(&others)).apply(&some(&inside));
        for (&row, score) in inside.iter().zip(entropy.scores(&white)) {
            of_clean[row] = score;
        }
    }
    let border = quantile(of_clean, 0.95);
    Judged {
        flagged: scores.iter().map(|&score| score > border).collect(),
        excess: Some(entropy.excess),
        scores,
    }
}

/// What gives clean rows a mean of 0 and a covariance of the identity.
struct Whitening {
    middle: Vec<f64>,
    root: Mat<f64>,
}

impl Whitening {
    fn of(clean: &Mat<f64>) -> Self {
        let spread = with_diagonal(covariance(clean.as_ref(), 1), FLOOR);
        Self {
            middle: mean_row(clean.as_ref()),
            root: Spectrum::of(spread.as_ref()).inverse_root(),
        }
    }

    fn apply(&self, rows: &Mat<f64>) -> Mat<f64> {
        product(
            centred(rows.as_ref(), &self.middle).as_ref(),
            self.root.as_ref(),
        )
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
