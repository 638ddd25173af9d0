//! What is kept of a scanned set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cd_detect::{ClassFinding, Power, Standing, Verdict};
use cd_eval::pipeline;
use cd_models::ImageSet;
use serde::de::DeserializeOwned;
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
    /// What images of each class share, by detector.
    #[serde(default)]
    pub(super) patterns: BTreeMap<String, Vec<ClassFinding>>,
}

/// What a set's own canaries say of an attack like its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    /// One of its kind, in at most as many images, was found.
    Found,
    /// One of its kind was found, but in more images than are poisoned.
    FoundInMore,
    /// The one of its kind was missed.
    Missed,
    /// None is of its kind.
    Other,
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

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
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
            classes: read_json(&run.join("classes.json"))?,
            patterns: read_json(&run.join("patterns.json"))?,
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

    /// What the scan's own canaries say of this attack.
    pub(super) fn planted(&self) -> Planted {
        let (Power::Measured { canaries }, Some(kind)) = (&self.verdict.power, &self.kind) else {
            return Planted::Other;
        };
        match canaries.iter().find(|canary| canary.kind == *kind) {
            None => Planted::Other,
            Some(canary) if canary.is_missed() => Planted::Missed,
            Some(canary) if canary.planted > self.poisoned => Planted::FoundInMore,
            Some(_) => Planted::Found,
        }
    }

    /// Whether a warning says that this kind of attack may go unseen.
    pub(super) fn is_warned(&self) -> bool {
        let about = match (self.planted(), &self.kind) {
            (Planted::Missed, Some(kind)) => format!("a {kind} trigger on"),
            _ => "may go unseen".to_owned(),
        };
        self.verdict
            .warnings
            .iter()
            .any(|text| text.contains(&about))
    }

    /// The largest gap of a class, by any detector that looks at classes, as a share of its border.
    pub(super) fn gap(&self) -> f64 {
        self.classes
            .iter()
            .chain(self.patterns.values().flatten())
            .map(|class| class.gap / class.border)
            .fold(0.0, f64::max)
    }
}
