//! Mitigation of a run: its classifier forgets the suspects, or is trained again without them.
//!
//! Measured before, after every pass and at the end: accuracy on clean images, and how many images a trigger turns. Where the truth is
//! known both are those of the test images; where it is not, the trigger is the one that was recovered from the suspects.

mod measured;
mod parts;
mod record;
mod yardstick;

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use cd_core::Key;
use cd_detect::{MitigationError, Parts, PassKind, PassReport, Unlearning, unlearn};
use cd_models::{
    Checkpoints, Model, StorageError, TrainConfig, WeightsRequest, atomic, save_weights,
    train_watched,
};

use self::measured::Measured;
use self::parts::Dealt;
use self::yardstick::Yardstick;
use super::opened::with_run;
use super::pipeline::{PipelineError, RunOptions};
use super::stage::Work;
use super::stage::classifier::Trained;
use super::stage::data::Data;
use super::store::{StageName, StoreError, discard, read_json, write_json};
use crate::{cure, trigger};

pub use self::parts::Shares;
pub use self::record::{Figures, Measure, Method, Mitigation, PartCounts, PassFigures};
pub use super::suspects::SuspectSource;

const WEIGHTS: &str = "model.safetensors";
const RECORD: &str = "mitigation.json";
const PAGE: &str = "mitigation.html";
const TRIGGER: &str = "trigger.png";
/// In the store, beside the weights.
const PASSES: &str = "passes.json";
const CHECKPOINTS: &str = "checkpoints";

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct MitigationRequest {
    /// How the classifier is cured.
    pub method: Method,
    /// Where it stands which images are suspected.
    pub suspects: SuspectSource,
    /// Whether as many images drawn at random take their place: what the suspects are worth shows beside it.
    pub control: bool,
    /// Which images are unlearned and which are kept.
    pub shares: Shares,
    /// Settings of unlearning; its seed also draws images.
    pub unlearning: Unlearning,
}

impl MitigationRequest {
    /// What results are called.
    pub fn name(&self) -> String {
        let method = self.method.name();
        if self.control {
            format!("{method}-control")
        } else {
            method.to_owned()
        }
    }
}

/// Cures the classifier of the run in `folder` and writes weights, `mitigation.json` and a page to `out`. The state after every pass is kept in
/// the store of the run: another start goes on from there, and repeats nothing that is complete.
///
/// # Errors
///
/// When the folder is of no run, nothing is suspected, a setting is out of range, or training fails. `out` is written at the end.
pub fn mitigate(
    folder: &Path,
    request: &MitigationRequest,
    out: &Path,
    options: &RunOptions<'_>,
) -> Result<Mitigation, PipelineError> {
    let started = Instant::now();
    with_run(folder, options, |work, data, trained| {
        if request.method == Method::Retrain {
            retrained_from(work, trained)?;
        }
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        let suspected = request.suspects.suspected(work, data)?;
        let seed = request.unlearning.seed;
        let yardstick = Yardstick::of(work, data, trained, &suspected.flagged, seed)?;
        let count = data.poisoned.train().len();
        let aside = yardstick.aside();
        let dealt = parts::dealt(request, &suspected, count, aside)?;
        let before = yardstick.figures(&trained.model)?;
        let cure = Cure {
            work,
            data,
            trained,
            request,
            dealt: &dealt,
            yardstick: &yardstick,
        };
        let (model, passes) = cure.done(&before)?;
        let after = passes.last().map_or(before, |pass| pass.figures);
        let warnings = if request.control {
            Vec::new()
        } else {
            request.method.warnings(&before, &after)
        };
        let done = Mitigation {
            schema_version: record::SCHEMA_VERSION,
            classifier: trained.title()?,
            method: request.method,
            control: request.control,
            suspects: suspected.source,
            parts: dealt.counts(data),
            accuracy_of: yardstick.accuracy_of.clone(),
            success_of: yardstick.success_of.clone(),
            proof: yardstick.proof().cloned(),
            before,
            after,
            passes,
            warnings,
            seconds: started.elapsed().as_secs_f64(),
        };
        written(&done, &model, &yardstick, out)?;
        Ok(done)
    })
}

fn written(
    done: &Mitigation,
    model: &Model,
    yardstick: &Yardstick<'_>,
    out: &Path,
) -> Result<(), PipelineError> {
    save_weights(model, &out.join(WEIGHTS))?;
    let trigger = out.join(TRIGGER);
    match yardstick.picture()? {
        Some(picture) => trigger::save(&picture, &trigger)?,
        None if trigger.exists() => {
            std::fs::remove_file(&trigger).map_err(StoreError::io(&trigger))?;
        }
        None => {}
    }
    write_json(&out.join(RECORD), done)?;
    let page = out.join(PAGE);
    let text = cure::page(done, yardstick.picture()?.as_ref())?;
    Ok(atomic::write(&page, text.as_bytes()).map_err(StoreError::io(&page))?)
}

/// Whether the classifier was trained from the start, which is what training again repeats.
fn retrained_from(work: &Work<'_>, trained: &Trained) -> Result<(), PipelineError> {
    if trained.training.is_some() && work.experiment.train.finetune.is_none() {
        return Ok(());
    }
    Err(PipelineError::Missing(
        "`retrain` repeats the training of a run from the start, and the classifier of this one began with given weights: use `unlearn`, or train again on keep.txt with what made the weights".into(),
    ))
}

struct Cure<'a> {
    work: &'a Work<'a>,
    data: &'a Data,
    trained: &'a Trained,
    request: &'a MitigationRequest,
    dealt: &'a Dealt,
    yardstick: &'a Yardstick<'a>,
}

impl Cure<'_> {
    /// The cured classifier, and what was measured after each pass.
    fn done(&self, before: &Figures) -> Result<(Model, Vec<PassFigures>), PipelineError> {
        let options = self.work.options;
        let name = self.request.name();
        let slot = self.work.slot(
            &format!("mitigate/{name}"),
            StageName::Train,
            &self.key(before),
        )?;
        let what = format!("{}, {name}", self.trained.model.config().name);
        slot.fill::<PipelineError>(&what, options.progress, |folder| {
            let unfinished = folder.join(CHECKPOINTS);
            let (model, passes) = match self.request.method {
                Method::Unlearn => self.unlearned(&unfinished)?,
                Method::Retrain => self.retrained(&unfinished)?,
            };
            save_weights(&model, &folder.join(WEIGHTS))?;
            Ok(write_json(&folder.join(PASSES), &passes)?)
        })?;
        discard(&slot.join(CHECKPOINTS))?;
        slot.check(&[WEIGHTS, PASSES])?;
        let model = WeightsRequest::default().load(&slot.join(WEIGHTS), options.device)?;
        Ok((model, read_json(&slot.join(PASSES))?))
    }

    /// The key of all that decides how the cure ends and what is measured of it.
    fn key(&self, before: &Figures) -> String {
        let key = Key::of("mitigate 1")
            .text("method", self.request.method.name())
            .text("classifier", &self.trained.key)
            .text("images", &self.data.train_key)
            .with("safe", &self.dealt.safe)
            .with("suspects", &self.dealt.suspects)
            .text("accuracy of", &self.yardstick.accuracy_of)
            .text("success of", &self.yardstick.success_of)
            .with("before", before)
            .text("device", self.work.options.device_name);
        let key = match self.request.method {
            Method::Unlearn => key.with("settings", &self.request.unlearning),
            Method::Retrain => key.with("settings", &self.training()),
        };
        key.finish()
    }

    fn unlearned(&self, unfinished: &Path) -> Result<(Model, Vec<PassFigures>), PipelineError> {
        let set = self.data.poisoned.train();
        let parts = Parts {
            images: set.into(),
            labels: set.labels(),
            safe: &self.dealt.safe,
            suspects: &self.dealt.suspects,
        };
        let compute = cd_detect::Compute {
            progress: self.work.options.progress,
            ..cd_detect::Compute::new(self.work.options.device)
        };
        let mut measured = Measured::in_folder(unfinished)?;
        let watch =
            |number: usize, report: PassReport, model: &Model| -> Result<(), PipelineError> {
                let figures = self.yardstick.figures(model)?;
                Ok(measured.enter(number, PassFigures { report, figures })?)
            };
        let (start, settings) = (&self.trained.model, &self.request.unlearning);
        let model = unlearn(start, &parts, settings, &compute, Some(unfinished), watch)?;
        Ok((model, measured.into_passes()))
    }

    /// How training is repeated.
    fn training(&self) -> TrainConfig {
        TrainConfig {
            record_losses: 0,
            ..self.work.experiment.train.clone()
        }
    }

    fn retrained(&self, unfinished: &Path) -> Result<(Model, Vec<PassFigures>), PipelineError> {
        let set = self.data.poisoned.train().subset(&self.dealt.safe);
        let measured = RefCell::new(Measured::in_folder(unfinished)?);
        let watch = |epoch: usize, model: &Model| -> Result<(), StorageError> {
            let figures: Figures = self.yardstick.figures(model)?;
            measured.borrow_mut().enter(epoch, figures)
        };
        let trained = train_watched(
            self.trained.model.config(),
            &set,
            &self.training(),
            Some(Checkpoints::in_folder(unfinished)),
            self.work.options.device,
            self.work.options.progress,
            &watch,
        )?;
        let measured = measured.into_inner().into_passes();
        let epochs = trained.history.epochs.iter().zip(measured);
        let passes = epochs.map(|(epoch, figures)| PassFigures {
            report: PassReport {
                kind: PassKind::Retrain,
                learning_rate: epoch.learning_rate,
                safe_loss: epoch.train_loss,
                suspect_loss: None,
            },
            figures,
        });
        let mut passes: Vec<PassFigures> = passes.collect();
        // The best epoch may be another than the last.
        if let Some(last) = passes.last_mut() {
            last.figures = self.yardstick.figures(&trained.model)?;
        }
        Ok((trained.model, passes))
    }
}

/// A setting of the request that is out of its range.
fn wrong(key: &'static str, value: impl ToString, expected: &'static str) -> PipelineError {
    MitigationError::Setting {
        key,
        value: value.to_string(),
        expected,
    }
    .into()
}
