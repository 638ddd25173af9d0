//! Mitigation of a run: its classifier forgets the suspects, or is trained again without them.
//!
//! Measured before, after every pass and at the end: accuracy on clean images, and how many images a trigger turns. Where the truth is
//! known both are those of the test images; where it is not, the trigger is the one that was recovered from the suspects.

mod parts;
mod record;
mod yardstick;

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use cd_detect::{MitigationError, Parts, PassKind, PassReport, Unlearning, unlearn};
use cd_models::{Model, StorageError, TrainConfig, atomic, save_weights, train_watched};

use self::parts::Dealt;
use self::yardstick::Yardstick;
use super::opened::with_run;
use super::pipeline::{PipelineError, RunOptions};
use super::stage::Work;
use super::stage::classifier::Trained;
use super::stage::data::Data;
use super::store::{StoreError, write_json};
use crate::{cure, trigger};

pub use self::parts::Shares;
pub use self::record::{Figures, Measure, Method, Mitigation, PartCounts, PassFigures};
pub use super::suspects::SuspectSource;

const WEIGHTS: &str = "model.safetensors";
const RECORD: &str = "mitigation.json";
const PAGE: &str = "mitigation.html";

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

/// Cures the classifier of the run in `folder` and writes weights, `mitigation.json` and a page to `out`.
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
            dealt: &dealt,
            yardstick: &yardstick,
        };
        let (model, passes) = match request.method {
            Method::Unlearn => cure.unlearned(&request.unlearning)?,
            Method::Retrain => cure.retrained()?,
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
            after: passes.last().map_or(before, |pass| pass.figures),
            passes,
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
    std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
    save_weights(model, &out.join(WEIGHTS))?;
    if let Some(picture) = yardstick.picture()? {
        trigger::save(&picture, &out.join("trigger.png"))?;
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
    dealt: &'a Dealt,
    yardstick: &'a Yardstick<'a>,
}

impl Cure<'_> {
    fn unlearned(&self, settings: &Unlearning) -> Result<(Model, Vec<PassFigures>), PipelineError> {
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
        let mut passes = Vec::new();
        let watch = |report: PassReport, model: &Model| -> Result<(), PipelineError> {
            let figures = self.yardstick.figures(model)?;
            passes.push(PassFigures { report, figures });
            Ok(())
        };
        let model = unlearn(&self.trained.model, &parts, settings, &compute, watch)?;
        Ok((model, passes))
    }

    fn retrained(&self) -> Result<(Model, Vec<PassFigures>), PipelineError> {
        let set = self.data.poisoned.train().subset(&self.dealt.safe);
        let config = TrainConfig {
            record_losses: 0,
            ..self.work.experiment.train.clone()
        };
        let measured = RefCell::new(Vec::new());
        let watch = |_: usize, model: &Model| -> Result<(), StorageError> {
            measured.borrow_mut().push(self.yardstick.figures(model)?);
            Ok(())
        };
        let (device, progress) = (self.work.options.device, self.work.options.progress);
        let model = self.trained.model.config();
        let trained = train_watched(model, &set, &config, device, progress, &watch)?;
        let epochs = trained.history.epochs.iter().zip(measured.into_inner());
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
