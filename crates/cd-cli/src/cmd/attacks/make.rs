//! `attacks make`: a poisoned copy of a folder or data set as pictures, with the truth beside it.

mod cost;
mod write;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_core::content_key;
use cd_data::poison::{self, CraftTools, craft_split, stamp};
use cd_data::{LabelMode, PoisonConfig, Role, Selection, Split, Trigger};
use cd_eval::store::{StageName, Store, StoreError};

use super::super::apart::Results;
use super::super::{Session, in_vain};
use super::{indices, label, named, pictures, tell};
use crate::Ending;
use crate::args::MakeArgs;

pub(crate) use write::{check_free, poisoned as write_poisoned};

/// Images that a network sees at once.
const BATCH_SIZE: usize = 64;
/// Share of the training pictures that is poisoned when nobody says one.
const USUAL_RATE: f64 = 0.1;
/// Folder of what lets an interrupted craft continue.
const WORK: &str = "work";

pub(super) fn make(args: &MakeArgs, session: &Session) -> Result<Ending> {
    check_shares(args)?;
    let mut config = config(args)?;
    config.check()?;
    let split = pictures(&args.pictures, Results::folder(&args.out), session)?;
    let label = |said: &String| label(said, split.train.class_names());
    if let Some(target) = &args.target {
        config.target = label(target)?;
    }
    if !args.sources.is_empty() {
        config.select.sources = Some(args.sources.iter().map(label).collect::<Result<_>>()?);
    }
    let role = match args.role {
        Some(purpose) => Some(Role::from(purpose)),
        None if split.train.class_count() == 0 => {
            session.say("the folder has no classes: every picture gets the trigger in its form for training (see --role)");
            Some(Role::Train)
        }
        None => None,
    };
    if role.is_some() {
        check_unplanned(args)?;
    }
    let to_stamp = match role {
        Some(_) => listed(&config, &split).len(),
        None => announce(&split, &config, session)?,
    };
    let cost = cost::Cost::of(&split, &config, to_stamp, role.is_some());
    session.say(&cost.to_string());
    if args.dry_run {
        return Ok(Ending::Done);
    }
    check_free(&args.out)?;
    let trigger = trigger(args, &split, &config, session)?;
    if let Some(record) = trigger.record() {
        session.say(&format!("the trigger reached: {}", record.line()));
        write::record(&args.out, record)?;
    }
    match role {
        Some(role) => stamped(args, &split, &config, role, trigger.as_ref(), session)?,
        None => poisoned(args, &split, &config, trigger.as_ref(), session)?,
    }
    tell(session, &args.out.join("images").display().to_string())?;
    Ok(Ending::Done)
}

/// The pictures that are poisoned are named or counted, in one way.
fn check_shares(args: &MakeArgs) -> Result<()> {
    let rate = ("--rate", args.rate.is_some());
    let class_rate = ("--class-rate", args.class_rate.is_some());
    if !args.indices.is_empty() {
        in_vain::check(&[rate, class_rate], "--indices names the pictures")?;
    }
    if args.class_rate.is_some() {
        in_vain::check(&[rate], "--class-rate says how many pictures are poisoned")?;
    }
    Ok(())
}

/// Where every picture gets the trigger, none is chosen or relabelled.
fn check_unplanned(args: &MakeArgs) -> Result<()> {
    let options = [
        ("--rate", args.rate.is_some()),
        ("--class-rate", args.class_rate.is_some()),
        ("--labels", args.labels.is_some()),
        ("--source", !args.sources.is_empty()),
        ("--exclude-target", args.exclude_target),
        ("--cover-indices", !args.cover_indices.is_empty()),
        ("--append", args.append),
        ("--fewer", args.fewer),
    ];
    let why = "with --role or without classes all pictures, or those of --indices, get the trigger and keep their labels";
    in_vain::check(&options, why)
}

/// Everything but the classes, which only the pictures tell.
fn config(args: &MakeArgs) -> Result<PoisonConfig> {
    Ok(PoisonConfig {
        attack: named(&args.name, &args.overrides)?,
        rate: args.rate.unwrap_or(USUAL_RATE),
        target: 0,
        labels: args.labels.unwrap_or_default(),
        seed: args.seed,
        select: Selection {
            class_rate: args.class_rate,
            exclude_target: args.exclude_target,
            sources: None,
            indices: indices::read(&args.indices)?,
            cover_indices: indices::read(&args.cover_indices)?,
            append: args.append,
            fewer: args.fewer,
        },
    })
}

/// The pictures that get the trigger where there is no plan.
fn listed(config: &PoisonConfig, split: &Split) -> Vec<usize> {
    let listed = config.select.indices.clone();
    listed.unwrap_or_else(|| (0..split.train.len()).collect())
}

/// Says how many pictures are poisoned, as a share of the set and of the class; returns how many are stamped.
fn announce(split: &Split, config: &PoisonConfig, session: &Session) -> Result<usize> {
    let counts = poison::counts(split, config)?;
    let target = config.target as usize;
    let class = split
        .train
        .class_names()
        .get(target)
        .map_or("", String::as_str);
    let mut line = format!(
        "{} of {} training pictures are poisoned: {:.2} % of the set",
        counts.poisoned,
        counts.images,
        100.0 * counts.share_of_set()
    );
    if config.attack.info().label_mode == LabelMode::Clean {
        let share = 100.0 * counts.share_of_class();
        write!(line, ", {share:.2} % of class {target} ({class})")?;
    } else if counts.of_target > 0 {
        write!(
            line,
            "; {} of them had the target label before",
            counts.of_target
        )?;
    }
    if counts.covers > 0 {
        write!(
            line,
            "; {} more carry the trigger with their own label",
            counts.covers
        )?;
    }
    session.say(&line);
    Ok(counts.poisoned + counts.covers)
}

/// The trigger: prepared, or found where an earlier call or run has stored it.
fn trigger(
    args: &MakeArgs,
    split: &Split,
    config: &PoisonConfig,
    session: &Session,
) -> Result<Box<dyn Trigger>> {
    let attack = config.attack.attack();
    if !attack.needs().stored {
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        return Ok(craft_split(split, config, &tools(scratch.path(), session))?);
    }
    if split.train.class_count() == 0 {
        bail!(
            "attack `{}` trains a classifier first, for which the pictures need classes; use one folder per class",
            config.attack.name()
        );
    }
    let images = content_key(&split.train)?;
    let tests = split.test.as_ref().map(content_key).transpose()?;
    let key = config.craft_key(&images, tests.as_deref(), &session.device_name)?;
    let slot = Store::open(&args.store)?.slot(StageName::Craft, &key);
    let what = format!("trigger of {}", config.attack.info().title);
    slot.fill::<anyhow::Error>(&what, &session.bars, |folder| {
        let scratch = folder.join(WORK);
        std::fs::create_dir_all(&scratch).map_err(|source| StoreError::Io {
            path: scratch.clone(),
            source,
        })?;
        craft_split(split, config, &tools(&scratch, session))?.save(folder)?;
        Ok(std::fs::remove_dir_all(&scratch)?)
    })?;
    Ok(attack.load(&slot.folder())?)
}

fn tools<'a>(folder: &'a Path, session: &'a Session) -> CraftTools<'a> {
    CraftTools {
        device: &session.device,
        batch_size: BATCH_SIZE,
        folder,
        progress: &session.bars,
    }
}

/// Writes all pictures under their own names, the listed ones with the trigger.
fn stamped(
    args: &MakeArgs,
    split: &Split,
    config: &PoisonConfig,
    role: Role,
    trigger: &dyn Trigger,
    session: &Session,
) -> Result<()> {
    let listed = listed(config, split);
    let set = stamp(&split.train, &listed, role, config, trigger, &session.bars)?;
    let paths: Vec<PathBuf> = write::own_paths(&set);
    write::stamped(&args.out, &set, &paths, &listed, role, config, session)
}

/// Writes poisoned data under names that say nothing, and the truth.
fn poisoned(
    args: &MakeArgs,
    split: &Split,
    config: &PoisonConfig,
    trigger: &dyn Trigger,
    session: &Session,
) -> Result<()> {
    let scratch = write::scratch(&args.out)?;
    poison::write(split, config, trigger, scratch.path(), &session.bars)?;
    let (data, truth) = poison::read(split, config, scratch.path())?;
    write::poisoned(&args.out, &data, &truth, config, session)
}
