//! PSBD: dropout shifts the predictions of clean images, not those of poisoned ones.
//!
//! Threat model: dirty-label poison in a classifier that has learned its training images by heart: before that clean images shift
//! little. All-to-all poison defeats the premise.
//!
//! Li, Liu, Chen: *PSBD: Prediction Shift Uncertainty Unlocks Backdoor Detection*, CVPR 2025. `mean-rank` is ours: a few moderate rates
//! together, for the paper's choice of one lands near .7 whatever the attack, where this score is worst.

mod shift;

use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::{quantile, ranks};

use shift::{Shifts, swept};

/// Rates that the paper chooses among.
const PUBLISHED: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Rates of which the ranks are averaged.
const MODERATE: [f64; 3] = [0.3, 0.4, 0.5];
/// Predictions of clean images that a rate must shift to be chosen.
const SHIFTED: f64 = 0.8;
/// Share of the clean images below which the rule flags.
const FLAGGED: f64 = 0.25;

/// Settings of PSBD.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Psbd {
    /// How rates of dropout become one number: `mean-rank` or `published`.
    pub form: Form,
    /// Chooses what is dropped.
    pub seed: u64,
}

/// How rates of dropout become one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The mean of the ranks at rates .3, .4 and .5.
    #[default]
    MeanRank,
    /// One rate, at which clean images shift most more than the suspects do.
    Published,
}

impl Psbd {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "psbd",
        title: "Prediction shift under dropout (PSBD)",
        summary: "Drops values behind the residual sums and measures how much confidence the prediction loses; a small loss is suspicious.",
        threat_model: "Dirty-label poison with one target in a classifier that fits its training images. Needs residual blocks; `published` needs clean images (about 5 %), too.",
        paper: "Li, Liu, Chen: PSBD, CVPR 2025",
        source: "https://github.com/WL-619/PSBD",
        notes: "Three passes a rate; what is dropped depends on seed, image, pass and block, and is nested over rates. `mean-rank` is ours; `published` searches the rate on suspects and clean images alone.",
        judges_clean: false,
        rule: Some(
            "`published`: a loss below that of 75 % of the clean images, a false-positive rate near 25 % by design; `mean-rank`: none, the quarter with the smallest losses",
        ),
    };

    fn rates(&self) -> &'static [f64] {
        match self.form {
            Form::MeanRank => &MODERATE,
            Form::Published => &PUBLISHED,
        }
    }
}

impl Detector for Psbd {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            clean: usize::from(self.form == Form::Published),
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        evidence.trainable()?;
        let clean = match self.form {
            Form::MeanRank => None,
            Form::Published => Some(evidence.clean()?.images),
        };
        let sweep = |name, images| swept(name, evidence, images, self.rates(), self.seed);
        let found = sweep("dropped", evidence.images)?;
        let Some(clean) = clean else {
            return Ok(found.map(|found| by_ranks(&found)));
        };
        let clean = sweep("dropped-trusted", clean)?;
        Ok(found
            .zip(clean)
            .map(|(found, clean)| by_rate(&found, &clean)))
    }
}

/// Small losses at several rates.
fn by_ranks(found: &Shifts) -> Detection {
    let count = found.losses.first().map_or(0, Vec::len);
    let mut raw = vec![0.0; count];
    for losses in &found.losses {
        for (sum, rank) in raw.iter_mut().zip(ranks(losses)) {
            *sum += (1.0 - rank) / found.losses.len() as f64;
        }
    }
    let border = quantile(raw.clone(), 1.0 - FLAGGED);
    Detection {
        own: Some(Decision {
            explanation: "the quarter with the smallest losses".to_owned(),
            cutoff: Some(border),
            flagged: raw.iter().map(|&value| value > border).collect(),
        }),
        ..Detection::new(Measure::high("mean rank by small loss under dropout"), raw)
    }
}

/// The loss at the rate that the paper chooses.
fn by_rate(found: &Shifts, clean: &Shifts) -> Detection {
    let rate = chosen(&clean.shifted, &found.shifted);
    let border = quantile(clean.losses[rate].clone(), FLAGGED);
    let raw = found.losses[rate].clone();
    Detection {
        own: Some(Decision {
            explanation: format!(
                "a loss below that of 75 % of the clean images ({border:.4}) at a rate of {}",
                PUBLISHED[rate]
            ),
            cutoff: Some(border),
            flagged: raw.iter().map(|&loss| loss < border).collect(),
        }),
        ..Detection::new(Measure::low("confidence lost under dropout"), raw)
    }
}

/// The rate with the largest difference of shifts among those that shift most clean images, or among all where none does.
fn chosen(clean: &[f64], suspects: &[f64]) -> usize {
    let enough: Vec<usize> = (0..clean.len())
        .filter(|&rate| clean[rate] >= SHIFTED)
        .collect();
    let among = if enough.is_empty() {
        (0..clean.len()).collect()
    } else {
        enough
    };
    let difference = |rate: usize| clean[rate] - suspects[rate];
    let mut best = among[0];
    for rate in among {
        if difference(rate) > difference(best) {
            best = rate;
        }
    }
    best
}

#[cfg(all(test, feature = "flex"))]
mod tests;
