//! What is kept of a scanned set.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cd_detect::{ClassFinding, Power, Standing, Verdict};
use cd_eval::pipeline;
use cd_models::ImageSet;
use serde::{Deserialize, Serialize};

use super::case::Case;

/// A scanned set, whose truth is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) source: String,
    /// The kind of canary that stands for the attack, where one does.
    pub(super) kind: Option<String>,
    pub(super) rate: Option<f64>,
    pub(super) images: usize,
    pub(super) poisoned: usize,
    /// Classes that hold poison.
    pub(super) targets: Vec<u32>,
    /// Shares of the poisoned and of the other images that the verdict takes for poisoned.
    pub(super) true_positives: Option<f64>,
    pub(super) false_positives: f64,
    pub(super) seconds: f64,
    pub(super) verdict: Verdict,
    pub(super) classes: Vec<ClassFinding>,
}

/// Positions of the images that the verdict of the scan in `run` takes for poisoned.
fn dropped(run: &Path) -> Result<BTreeSet<usize>> {
    let path = run.join("drop.txt");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let names: BTreeSet<&str> = text.lines().collect();
    // Every detector lists all images by name and position.
    let mut detectors = fs::read_dir(run.join("detect"))?;
    let detector = detectors.next().context("the scan ran no detector")??;
    let rows = cd_eval::scores::read(&detector.path().join("scores.csv"))?;
    let dropped = rows.iter().filter(|row| names.contains(row.file.as_str()));
    Ok(dropped.map(|row| row.index).collect())
}

impl Record {
    /// What the scan in `run` has found of a set of which `truth` is known.
    pub(super) fn of(
        case: &Case<'_>,
        run: &Path,
        set: &ImageSet,
        truth: &[bool],
        seconds: f64,
    ) -> Result<Self> {
        let verdict = pipeline::verdict(run)?.context("the scan gives no verdict")?;
        let path = run.join("classes.json");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let dropped = dropped(run)?;
        let share = |wanted: bool| {
            let images = (0..truth.len()).filter(|&at| truth[at] == wanted);
            let (all, flagged) = images.fold((0, 0), |(all, flagged), image| {
                (all + 1, flagged + usize::from(dropped.contains(&image)))
            });
            (all > 0).then(|| f64::from(flagged as u32) / f64::from(all))
        };
        let poisoned = || (0..truth.len()).filter(|&at| truth[at]);
        let mut targets: Vec<u32> = poisoned().map(|at| set.labels()[at]).collect();
        targets.sort_unstable();
        targets.dedup();
        Ok(Self {
            name: case.name(),
            source: case.source.name.clone(),
            kind: case
                .poisoned
                .and_then(|(poisoned, _)| poisoned.kind.clone()),
            rate: case.poisoned.map(|(_, rate)| rate),
            images: set.len(),
            poisoned: poisoned().count(),
            targets,
            true_positives: share(true),
            false_positives: share(false).unwrap_or(0.0),
            seconds,
            verdict,
            classes: serde_json::from_str(&text).with_context(|| path.display().to_string())?,
        })
    }

    pub(super) fn is_clean(&self) -> bool {
        self.rate.is_none()
    }

    /// Whether a clean set is called clean, or a poisoned one is not and the worst class is a target.
    pub(super) fn is_right(&self) -> bool {
        if self.is_clean() {
            return self.verdict.standing == Standing::Clean;
        }
        let worst = self.verdict.classes.first();
        worst.is_some_and(|class| self.targets.contains(&class.class))
    }

    /// Whether the canary of the attack's kind was found; `None` where none stands for it.
    pub(super) fn is_canary_found(&self) -> Option<bool> {
        let Power::Measured { canaries } = &self.verdict.power else {
            return None;
        };
        let kind = self.kind.as_ref()?;
        let canary = canaries.iter().find(|canary| canary.kind == *kind)?;
        Some(!canary.is_missed())
    }

    /// Whether a warning says that this kind of attack may go unseen.
    pub(super) fn is_warned(&self) -> bool {
        let about = match &self.kind {
            Some(kind) => format!("a {kind} trigger on"),
            None => "may go unseen".to_owned(),
        };
        self.verdict
            .warnings
            .iter()
            .any(|text| text.contains(&about))
    }

    /// The largest gap of a class, as a share of its border.
    pub(super) fn gap(&self) -> f64 {
        self.classes
            .iter()
            .map(|class| class.gap / class.border)
            .fold(0.0, f64::max)
    }
}
