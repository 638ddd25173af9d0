//! `recover` and `mitigate`: what comes after a verdict.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cd_detect::{Recovery, Unlearning};
use cd_eval::experiment::DetectStage;
use cd_eval::mitigation::{self, Measure, Method, Mitigation, MitigationRequest, Shares};
use cd_eval::pipeline::{self, Stage};
use cd_eval::recovery::{self, SuspectSource};
use cd_eval::run_dir::OWN_STORE;
use cd_models::{Augmentation, Step};

use super::classifier::Classifier;
use super::{Session, folder, in_vain};
use crate::Ending;
use crate::args::{Cure, ImagesArgs, MitigateArgs, RecoverArgs, SuspectArgs, Turn};
use crate::output;

fn source(args: &SuspectArgs) -> SuspectSource {
    match &args.drop {
        Some(list) => SuspectSource::List(list.clone()),
        None => SuspectSource::Detector(args.detector.clone()),
    }
}

pub(crate) fn recover(args: &RecoverArgs, session: &Session) -> Result<Ending> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.run.join("recovered"));
    let settings = Recovery {
        images: args.pictures,
        seed: args.seed,
        ..Recovery::default()
    };
    let source = source(&args.suspects);
    let options = session.options(Stage::Train, None);
    let class = args.class.as_deref();
    let found = recovery::recover(&args.run, &source, class, &settings, &out, &options)?;
    if session.json {
        output::json(&found)?;
        return Ok(Ending::Done);
    }
    for one in &found {
        output::line(&one.sentence())?;
        if let Some(picture) = one.proof.as_ref().and_then(|proof| proof.picture.as_ref()) {
            output::line(&out.join(picture).display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

pub(crate) fn mitigate(args: &MitigateArgs, session: &Session) -> Result<Ending> {
    let method = match args.method {
        Cure::Unlearn => Method::Unlearn,
        Cure::Retrain => Method::Retrain,
    };
    if method == Method::Retrain {
        check_retraining(args)?;
    }
    let why = "a list has no order, so that all other pictures are kept";
    let is_listed = args.suspects.drop.is_some();
    let named = [("--safe-share", is_listed && args.safe_share.is_some())];
    in_vain::check(&named, why)?;
    let usual = Shares::default();
    let request = MitigationRequest {
        method,
        suspects: source(&args.suspects),
        control: args.control,
        shares: Shares {
            unlearn: args.unlearn_share,
            safe: args.safe_share.unwrap_or(usual.safe),
        },
        unlearning: unlearning(args),
    };
    let (run, out) = folders(args, &request.name(), session)?;
    let options = session.options(Stage::Train, None);
    let done = mitigation::mitigate(&run, &request, &out, &options)?;
    if session.json {
        output::json(&done)?;
    } else {
        print(&done, &out)?;
    }
    Ok(Ending::Done)
}

/// Training again repeats the training that was, so that nothing can be said of it.
fn check_retraining(args: &MitigateArgs) -> Result<()> {
    let options = [
        ("--safe-share", args.safe_share.is_some()),
        ("--epochs", args.epochs.is_some()),
        ("--unlearn-epochs", args.unlearn_epochs.is_some()),
        ("--unlearn-rate", args.unlearn_rate.is_some()),
        ("--no-flip", args.no_flip),
    ];
    let why = "`--method retrain` repeats the training of the run, without the suspects";
    in_vain::check(&options, why)
}

fn unlearning(args: &MitigateArgs) -> Unlearning {
    let usual = Unlearning::default();
    let usual = Unlearning {
        epochs: args.epochs.unwrap_or(usual.epochs),
        unlearn_epochs: args.unlearn_epochs.unwrap_or(usual.unlearn_epochs),
        unlearn_rate: args.unlearn_rate.unwrap_or(usual.unlearn_rate),
        seed: args.seed,
        ..usual
    };
    let augmentation = match &usual.augmentation {
        Augmentation::Steps(steps) if args.no_flip => {
            let steps = steps.iter().copied();
            Augmentation::Steps(steps.filter(|step| *step != Step::Flip {}).collect())
        }
        other => other.clone(),
    };
    Unlearning {
        augmentation,
        ..usual
    }
}

/// The folder of the run, which is made for pictures with weights, and that of the results, which are called `name`.
fn folders(args: &MitigateArgs, name: &str, session: &Session) -> Result<(PathBuf, PathBuf)> {
    let Some(images) = &args.images else {
        let run = args
            .run
            .clone()
            .context("the command line asks for one of them")?;
        let out = args.out.clone();
        let out = out.unwrap_or_else(|| run.join("mitigate").join(name));
        return Ok((run, out));
    };
    let images = ImagesArgs {
        images: images.clone(),
        size: args.size,
        skip_bad: None,
        orientation: Turn::Ignore,
    };
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs/mitigate"));
    let run = out.join("run");
    let classifier = Classifier::given(args.weights.as_deref(), args.weights_key.as_deref());
    let detect = DetectStage::default();
    let experiment = folder::experiment("mitigate", &images, &classifier, &detect, session)?;
    let options = session.options(Stage::Train, None);
    pipeline::run(&experiment, &run, &run.join(OWN_STORE), &options)?;
    Ok((run, out))
}

fn print(done: &Mitigation, out: &Path) -> Result<()> {
    if done.control {
        output::line("control: random pictures take the place of the suspects")?;
    }
    let names = ["suspects", "kept", "neither"];
    for (name, part) in names.iter().zip(&done.parts) {
        let poisoned = part
            .poisoned
            .map(|count| format!(", {count} of them poisoned"));
        output::line(&format!(
            "{name}: {}{}",
            part.images,
            poisoned.unwrap_or_default()
        ))?;
    }
    output::line(&format!("accuracy: {}", done.accuracy_of))?;
    output::line(&format!("turned: {}", done.success_of))?;
    let mut table = output::table(&["pass", "accuracy", "turned"]);
    let percent = |measure: Option<Measure>| {
        measure.map_or("-".to_owned(), |one| format!("{:.1} %", one.share * 100.0))
    };
    let mut row = |name: String, figures: &mitigation::Figures| {
        table.add_row([name, percent(figures.accuracy), percent(figures.success)]);
    };
    row("before".to_owned(), &done.before);
    for (number, pass) in done.passes.iter().enumerate() {
        row((number + 1).to_string(), &pass.figures);
    }
    row("after".to_owned(), &done.after);
    output::line(&table.to_string())?;
    for warning in &done.warnings {
        output::line(&format!("warning: {warning}"))?;
    }
    let files = ["model.safetensors", "mitigation.json", "mitigation.html"];
    let files = files.map(|file| out.join(file).display().to_string());
    output::line(&files.join(", "))
}
