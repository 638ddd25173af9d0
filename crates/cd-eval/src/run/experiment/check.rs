//! What can be known to be wrong before any work is done.

use cd_detect::ThresholdRule;

use super::{CanaryStage, DetectStage, Experiment, ExperimentError};

/// Widths that a model may have, in channels of its stem (of the last block, for some): more would not fit any memory.
const WIDTHS: std::ops::RangeInclusive<usize> = 1..=4096;

impl Experiment {
    /// Whether the values are in their ranges and go together; everything that can be known before any work.
    ///
    /// # Errors
    ///
    /// Names the setting.
    pub fn check(&self) -> Result<(), ExperimentError> {
        let checks = [
            self.check_name(),
            self.check_detect(),
            self.check_model(),
            self.check_parts(),
            self.check_detectors(),
        ];
        let checked = checks.into_iter().collect::<Result<(), String>>();
        checked.map_err(|reason| ExperimentError::Contradiction {
            name: self.name.clone(),
            reason,
        })
    }

    fn check_name(&self) -> Result<(), String> {
        if is_folder_name(&self.name) {
            return Ok(());
        }
        Err("`name` becomes a folder: use letters, digits, `-`, `_` and `.`".into())
    }

    fn check_detect(&self) -> Result<(), String> {
        let DetectStage {
            sample,
            sample_poisoned,
            ..
        } = self.detect;
        if self.detect.batch_size == 0 {
            return Err("`detect.batch_size` is 0; at least 1".into());
        }
        if sample == Some(0) {
            return Err("`detect.sample` is 0; leave it out to search all images".into());
        }
        if let Some(poisoned) = sample_poisoned {
            if self.poison.is_none() {
                return Err("`detect.sample_poisoned` needs a `[poison]` table".into());
            }
            if sample.is_none_or(|sample| sample < poisoned) {
                return Err(format!(
                    "`detect.sample_poisoned` is {poisoned}; set `detect.sample` to at least as many"
                ));
            }
        }
        if self.detect.features_weights.is_none() && self.detect.features_key.is_some() {
            return Err("`detect.features_key` names a network in a file: name `detect.features_weights`, too".into());
        }
        if self.detect.features_size == Some(0) {
            return Err("`detect.features_size` is 0; leave it out for the network's own".into());
        }
        let mut rules = self
            .detect
            .detectors
            .iter()
            .map(|one| one.rule(&self.detect));
        let calibrated = rules.any(|rule| matches!(rule, ThresholdRule::Calibrated { .. }));
        if self.detect.clean.is_some() && self.detect.trusted > 0 {
            return Err("`detect.clean` names trusted images: leave out `detect.trusted`".into());
        }
        if calibrated && self.detect.clean.is_none() && self.detect.trusted < 2 {
            return Err(
                "the `calibrated` rule needs clean images: set `detect.trusted` to 2 or more"
                    .into(),
            );
        }
        Ok(())
    }

    fn check_model(&self) -> Result<(), String> {
        if self.train.finetune.is_some() && self.weights.is_none() {
            return Err("`train.finetune` continues from weights: name `weights`, too".into());
        }
        if self.is_unlabelled() && self.given_weights().is_none() {
            return Err(
                "pictures without classes cannot be trained on: name `weights`, without `train.finetune`".into(),
            );
        }
        if self.weights_key.is_some() && self.weights.is_none() {
            return Err("`weights_key` names a network in a file: name `weights`, too".into());
        }
        let Some(model) = &self.model else {
            return match self.weights {
                Some(_) => Ok(()),
                None if !self.looks_at_classifier() => Ok(()),
                None => Err("nothing to classify with: add a `[model]` table to train one, or name `weights`".into()),
            };
        };
        model.architecture().map_err(|error| error.to_string())?;
        match model.width.filter(|width| !WIDTHS.contains(width)) {
            Some(width) => {
                let (low, high) = (WIDTHS.start(), WIDTHS.end());
                Err(format!("`model.width` is {width}; {low} to {high}"))
            }
            None => Ok(()),
        }
    }

    /// The checks that the parts bring along.
    fn check_parts(&self) -> Result<(), String> {
        if let Some(poison) = &self.poison {
            poison.check().map_err(|error| error.to_string())?;
        }
        self.canary.map_or(Ok(()), CanaryStage::check)?;
        self.train.check().map_err(|error| error.to_string())?;
        let detectors = self.detect.detectors.iter();
        let rules = detectors.map(|one| one.rule(&self.detect));
        for rule in rules.chain([self.detect.threshold]) {
            rule.check().map_err(|error| error.to_string())?;
        }
        self.evaluate.check().map_err(|error| error.to_string())
    }

    fn check_detectors(&self) -> Result<(), String> {
        if self.detect.detectors.is_empty() {
            return Err("`detect.detectors` is empty; name at least one".into());
        }
        let offer = self.offer();
        for (label, configured) in self.detector_labels().iter().zip(&self.detect.detectors) {
            if !is_folder_name(label) {
                return Err(format!(
                    "detector `{label}`: a label becomes a folder: use letters, digits, `-`, `_` and `.`"
                ));
            }
            let detector = configured.detector.detector();
            let rule = configured.rule(&self.detect);
            let checked = detector.check().map_err(|error| error.to_string());
            let ruled = checked.and_then(|()| {
                let ruled = rule.check_with(detector.info());
                ruled.map_err(|error| error.to_string())
            });
            ruled.map_err(|error| format!("{label}: {error}"))?;
            let met = detector.needs().check(label, &offer);
            met.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn is_folder_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.#".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}
