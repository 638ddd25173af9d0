//! Findings from the folder of a run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_detect::{ThresholdRule, Verdict};
use serde::Deserialize;

use super::{
    DetectorRule, Findings, FindingsError, ImageFinding, SCHEMA_VERSION, VERDICT, contents,
    format_error, io_error,
};
use crate::experiment::Experiment;
use crate::run_dir::RunDir;
use crate::scores::{self, ScoreRow};

/// A detector's rule, scores and flags.
struct Judged {
    rule: DetectorRule,
    rows: Vec<ScoreRow>,
}

/// What is read of `decision.json`.
#[derive(Deserialize)]
struct Decision {
    rule: String,
}

pub(super) fn read(folder: &Path, root: &Path) -> Result<Findings, FindingsError> {
    let judged = detectors(folder)?;
    let Some(first) = judged.iter().find(|one| one.rule.judges).or(judged.first()) else {
        return Err(format_error(folder, "no detector ran here"));
    };
    let first = first.rule.detector.clone();
    let verdict = verdict(folder)?;
    Ok(Findings {
        schema_version: SCHEMA_VERSION,
        toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
        root: root.to_owned(),
        images: images(folder, root, &judged, &first, verdict.as_ref())?,
        verdict,
        detectors: judged.into_iter().map(|one| one.rule).collect(),
        since: None,
    })
}

/// The verdict in `folder`, where one was reached.
pub(crate) fn verdict(folder: &Path) -> Result<Option<Verdict>, FindingsError> {
    let path = folder.join(VERDICT);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| format_error(&path, format!("is no verdict: {error}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path)(error)),
    }
}

fn detectors(folder: &Path) -> Result<Vec<Judged>, FindingsError> {
    let (_, text) = RunDir::existing(folder)?;
    let config = folder.join("config.toml");
    let experiment = Experiment::parse(&text, &config.display().to_string(), &[])
        .map_err(|error| format_error(&config, error.to_string()))?;
    let stage = &experiment.detect;
    let rules: Vec<_> = stage.detectors.iter().map(|one| one.rule(stage)).collect();
    let labels = experiment.detector_labels().into_iter();
    labels
        .zip(judging(&rules))
        .map(|(label, judges)| {
            let folder = folder.join("detect").join(&label);
            let rows = scores::read(&folder.join("scores.csv"))?;
            let rule = DetectorRule {
                rule: decision(&folder)?.rule,
                judges,
                flagged: rows.iter().filter(|row| row.flagged).count(),
                detector: label,
            };
            Ok(Judged { rule, rows })
        })
        .collect()
}

/// Which detectors judge: those with a rule of their own, or else those whose rule bounds false flags. A number of deviations or a
/// share flags pictures of every set and tells nothing.
fn judging(rules: &[ThresholdRule]) -> Vec<bool> {
    use ThresholdRule::{Calibrated, Fraction, Own, Robust};
    let with_own = rules.contains(&Own);
    let judges = |rule: &ThresholdRule| {
        let flags_always = matches!(rule, Calibrated { .. } | Robust { .. } | Fraction { .. });
        *rule == Own || !with_own && !flags_always
    };
    rules.iter().map(judges).collect()
}

fn decision(folder: &Path) -> Result<Decision, FindingsError> {
    let path = folder.join("decision.json");
    let text = fs::read_to_string(&path).map_err(io_error(&path))?;
    serde_json::from_str(&text).map_err(|error| format_error(&path, error.to_string()))
}

fn images(
    folder: &Path,
    root: &Path,
    judged: &[Judged],
    first: &str,
    verdict: Option<&Verdict>,
) -> Result<Vec<ImageFinding>, FindingsError> {
    let count = judged.first().map_or(0, |one| one.rows.len());
    if let Some(other) = judged.iter().find(|one| one.rows.len() != count) {
        let reason = format!(
            "detector `{}` has scores of {} pictures, another one of {count}",
            other.rule.detector,
            other.rows.len()
        );
        return Err(format_error(folder, reason));
    }
    let contents = contents::read(folder)?;
    let is_folder = root.is_dir();
    let image = |index: usize| {
        let row = &judged[0].rows[index];
        let scores: BTreeMap<String, f64> = judged
            .iter()
            .map(|one| (one.rule.detector.clone(), one.rows[index].score))
            .collect();
        let flagging = || judged.iter().filter(|one| one.rows[index].flagged);
        let is_flagged = match verdict {
            Some(verdict) => {
                let by = |label: &str| flagging().any(|one| one.rule.detector == label);
                verdict.takes_for_poisoned(&row.label, by)
            }
            None => flagging().any(|one| one.rule.judges),
        };
        ImageFinding {
            filepath: if is_folder {
                root.join(&row.file)
            } else {
                PathBuf::from(&row.file)
            },
            file: row.file.clone(),
            label: row.label.clone(),
            content: contents.get(&row.file).cloned(),
            score: f64::midpoint(scores[first], f64::from(u8::from(is_flagged))),
            scores,
            flagged: is_flagged,
            flagged_by: flagging().map(|one| one.rule.detector.clone()).collect(),
            new: None,
        }
    };
    Ok((0..count).map(image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_always_flag_do_not_judge() {
        let robust = ThresholdRule::Robust { t: 2.0 };
        let share = ThresholdRule::Fraction { share: 0.1 };
        assert_eq!(
            judging(&[robust, ThresholdRule::Own, share]),
            [false, true, false]
        );
        assert_eq!(
            judging(&[robust, ThresholdRule::Calibrated { t: 1.0 }]),
            [false, false]
        );
        assert!(judging(&[]).is_empty());
    }
}
