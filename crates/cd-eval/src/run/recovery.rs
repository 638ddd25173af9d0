//! The triggers of the classes of a run, recovered and proven after it.

use std::collections::BTreeSet;
use std::path::Path;

use cd_core::Task;
use cd_detect::{Evidence, Proof, Recovered, Recovery, Suspects, prove};
use cd_models::{ImageSet, Predictions, predict};
use serde::Serialize;

use super::opened::with_run;
use super::pipeline::{PipelineError, RunOptions};
use super::stage::Work;
use super::stage::classifier::Trained;
use super::stage::data::Data;
use super::store::{StoreError, write_json};
use crate::trigger;

pub use super::suspects::SuspectSource;

/// A class has to hold this share of all flagged images for its trigger to be looked for unasked.
const SHARE: f64 = 0.05;
/// Images per batch of plain predictions.
const BATCH: usize = 250;

/// What was found of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecoveredClass {
    /// The class.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// Flagged images of the class.
    pub flagged: usize,
    /// What its trigger does; `None` where there are too few images for a proof.
    pub proof: Option<Proof>,
    /// Whether that is a proof, or the suspicion is statistical only.
    pub proven: bool,
    /// Names of the classes that answer to the trigger, where not all do.
    pub sources: Option<Vec<String>>,
}

/// Recovers the triggers of the run in `folder` from the images of `source`, for the class named `class` or every one that holds a
/// twentieth of them. Pictures and `recovered.json` go to `out`.
///
/// # Errors
///
/// When the folder is of no run, nothing is suspected, there is no such class, or a search fails.
pub fn recover(
    folder: &Path,
    source: &SuspectSource,
    class: Option<&str>,
    settings: &Recovery,
    out: &Path,
    options: &RunOptions<'_>,
) -> Result<Vec<RecoveredClass>, PipelineError> {
    with_run(folder, options, |work, data, trained| {
        let flagged = source.suspected(work, data)?.flagged;
        let set = data.poisoned.train();
        let classes = classes(set.labels(), set.class_names(), &flagged, class)?;
        let predictions = predictions(work, data, trained)?;
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        let mut found = Vec::new();
        for class in classes {
            let recovered = proven(work, data, trained, &predictions, class, &flagged, settings)?;
            let mut one = described(data, class, &flagged, recovered.as_ref());
            if let Some(recovered) = &recovered {
                let name = format!("trigger-{class}.png");
                one.proof = Some(shown(recovered, set, settings.seed, out, name)?);
            }
            found.push(one);
        }
        write_json(&out.join("recovered.json"), &found)?;
        Ok(found)
    })
}

/// The classes to look at.
fn classes(
    labels: &[u32],
    names: &[String],
    flagged: &[usize],
    wanted: Option<&str>,
) -> Result<Vec<u32>, PipelineError> {
    if flagged.is_empty() {
        return Err(PipelineError::Missing(
            "no image is suspected, so there is no trigger to recover".into(),
        ));
    }
    if let Some(wanted) = wanted {
        if let Some(class) = names.iter().position(|name| name == wanted) {
            return Ok(vec![class as u32]);
        }
        let hint = cd_core::names::did_you_mean(wanted, names.iter().map(String::as_str));
        return Err(PipelineError::Missing(format!(
            "there is no class `{wanted}`; {hint}"
        )));
    }
    let all: BTreeSet<u32> = flagged.iter().map(|&index| labels[index]).collect();
    let held = |class: u32| {
        flagged
            .iter()
            .filter(|&&index| labels[index] == class)
            .count()
    };
    let least = SHARE * flagged.len() as f64;
    Ok(all
        .into_iter()
        .filter(|&class| held(class) as f64 >= least)
        .collect())
}

/// Logits of all training images.
pub(super) fn predictions(
    work: &Work<'_>,
    data: &Data,
    trained: &Trained,
) -> Result<Predictions, PipelineError> {
    let set = data.poisoned.train();
    let options = work.options;
    let task = Task::start(options.progress, "classifying", Some(set.len() as u64));
    let found = predict(&trained.model, set, BATCH, options.device, options.progress)?;
    drop(task);
    Ok(found)
}

/// The trigger of `class`, proven on the training images of the run.
pub(super) fn proven(
    work: &Work<'_>,
    data: &Data,
    trained: &Trained,
    predictions: &Predictions,
    class: u32,
    flagged: &[usize],
    settings: &Recovery,
) -> Result<Option<Recovered>, PipelineError> {
    let set = data.poisoned.train();
    let compute = cd_detect::Compute {
        batch_size: work.experiment.detect.batch_size,
        workers: work.options.workers,
        progress: work.options.progress,
        ..cd_detect::Compute::new(work.options.device)
    };
    let evidence = Evidence {
        labels: Some(set.labels()),
        class_count: set.class_count(),
        predictions: Some(predictions),
        ..Evidence::new(&trained.model, set, compute)
    };
    let suspects = Suspects {
        class,
        flagged,
        masks: None,
    };
    Ok(prove(&evidence, &suspects, settings)?)
}

/// Writes the picture of a recovered trigger to `name` in `folder`; its proof, with that name.
pub(super) fn shown(
    recovered: &Recovered,
    set: &ImageSet,
    seed: u64,
    folder: &Path,
    name: String,
) -> Result<Proof, PipelineError> {
    let picture = trigger::picture(recovered, set, seed)?;
    trigger::save(&picture, &folder.join(&name))?;
    Ok(Proof {
        picture: Some(name),
        ..recovered.proof.clone()
    })
}

fn described(
    data: &Data,
    class: u32,
    flagged: &[usize],
    recovered: Option<&Recovered>,
) -> RecoveredClass {
    let set = data.poisoned.train();
    let name = |class: u32| set.class_names()[class as usize].clone();
    let sources = recovered.and_then(|found| found.sources.as_ref());
    RecoveredClass {
        class,
        name: name(class),
        flagged: flagged
            .iter()
            .filter(|&&index| set.labels()[index] == class)
            .count(),
        proof: recovered.map(|found| found.proof.clone()),
        proven: recovered.is_some_and(|found| found.proof.holds()),
        sources: sources.map(|all| all.iter().map(|&class| name(class)).collect()),
    }
}

impl RecoveredClass {
    /// What was found, in a sentence.
    pub fn sentence(&self) -> String {
        let Some(proof) = &self.proof else {
            return format!(
                "`{}`: too few images to recover a trigger from, or to try it on; the suspicion is statistical only.",
                self.name
            );
        };
        let share = |count: usize| 100 * count / proof.images.max(1);
        let of = match &self.sources {
            Some(sources) => format!(" of {}", sources.join(", ")),
            None => String::new(),
        };
        let ending = if self.proven {
            ""
        } else {
            " That is no proof: the suspicion is statistical only."
        };
        format!(
            "The {} turns {} % of {} other pictures{of} into `{}`; what was put on in its place for comparison, {} %.{ending}",
            proof.tried(),
            share(proof.turned),
            proof.images,
            self.name,
            share(proof.control)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_a_twentieth_of_the_flags_are_looked_at() {
        let names = ["a", "b", "c"].map(String::from);
        let labels: Vec<u32> = (0..100)
            .map(|at| if at < 60 { 0 } else { 2 - u32::from(at == 99) })
            .collect();
        let flagged: Vec<usize> = (30..100).collect();
        assert_eq!(
            classes(&labels, &names, &flagged, None).expect("some"),
            [0, 2]
        );
        assert_eq!(
            classes(&labels, &names, &flagged, Some("b")).expect("there"),
            [1]
        );
        let error = classes(&labels, &names, &flagged, Some("bb")).expect_err("a slip");
        assert!(error.to_string().contains("no class `bb`"), "{error}");
        assert!(classes(&labels, &names, &[], None).is_err());
    }

    #[test]
    fn a_failed_proof_says_so() {
        let mut found = RecoveredClass {
            class: 0,
            name: "stop".into(),
            flagged: 12,
            proof: Some(Proof {
                kind: "patch".into(),
                strength: 1.0,
                images: 100,
                turned: 97,
                control: 2,
                picture: None,
            }),
            proven: true,
            sources: None,
        };
        assert_eq!(
            found.sentence(),
            "The recovered patch turns 97 % of 100 other pictures into `stop`; what was put on in its place for comparison, 2 %."
        );
        found.proven = false;
        assert!(found.sentence().ends_with("statistical only."));
    }
}
