//! `attacks`: list them, show one, make poisoned data, write the page on them.

mod docs;
mod indices;
mod label;
mod make;
mod sheet;

use anyhow::{Context, Result};
use cd_data::{AttackConfig, DatasetConfig, FolderConfig, LoadContext, Split};
use cd_eval::run_dir::BAD_LIST;
use cd_eval::settings;
use cd_models::atomic;

use super::apart::{self, Results};
use super::{Session, data, in_vain};
use crate::Ending;
use crate::args::{AttacksCommand, DatasetArgs, PicturesArgs, ShowAttackArgs};
use crate::list;
use crate::output;

pub(crate) use label::label;
pub(crate) use make::{check_free, write_poisoned};
pub(crate) use sheet::Sheet;

pub(crate) fn attacks(command: &AttacksCommand, session: &Session) -> Result<Ending> {
    match command {
        AttacksCommand::List => list::attacks(None, session.json),
        AttacksCommand::Show(args) => show(args, session),
        AttacksCommand::Make(args) => make::make(args, session),
        AttacksCommand::Docs { out } => docs::write(out, session),
    }
}

fn show(args: &ShowAttackArgs, session: &Session) -> Result<Ending> {
    let Some(path) = &args.sheet else {
        return list::attacks(Some(&args.name), session.json);
    };
    apart::check_png("--sheet", path, None)?;
    let attack = named(&args.name, &args.overrides)?;
    let split = pictures(&args.pictures, Results::file("--sheet", path), session)?;
    let sheet = Sheet::of(&attack, &split, session)?;
    atomic::write(path, &sheet.png()?).with_context(|| path.display().to_string())?;
    let ending = list::attacks(Some(&args.name), session.json)?;
    session.say(&format!(
        "{}: clean, with the trigger, ten times the difference",
        path.display()
    ));
    Ok(ending)
}

/// The named attack with the given settings.
pub(crate) fn named(name: &str, settings: &[String]) -> Result<AttackConfig> {
    // First by name alone, whose error lists the nearest one.
    AttackConfig::from_name(name)?;
    settings::named(name, settings).with_context(|| format!("attack `{name}`"))
}

/// Loads the pictures that a trigger is put into for `results` that lie apart from them; what cannot be used is listed in a file
/// beside those.
fn pictures(args: &PicturesArgs, results: Results<'_>, session: &Session) -> Result<Split> {
    let Some(folder) = &args.images else {
        let why = "it is for a folder of --images, and data sets have sizes of their own";
        in_vain::check(&[("--size", args.size.is_some())], why)?;
        let dataset = DatasetArgs {
            dataset: args.dataset.clone(),
            path: args.path.clone(),
            overrides: args.dataset_set.clone(),
        };
        return data::load(&dataset, results, session);
    };
    results.check(folder)?;
    let mut folder = FolderConfig {
        size: args.size,
        ..FolderConfig::new(folder)
    };
    folder.unlabelled = folder.is_flat();
    let mut config = DatasetConfig::Folder(folder);
    session.settle(&mut config)?;
    Ok(config.load_with(&LoadContext {
        progress: &session.bars,
        index: None,
        bad_list: Some(&results.folder.join(BAD_LIST)),
    })?)
}

/// Prints a line unless JSON was asked for.
fn tell(session: &Session, line: &str) -> Result<()> {
    if session.json {
        return Ok(());
    }
    output::line(line)
}
