//! `data`: fetch and export data sets.

use std::path::Path;

use anyhow::{Context, Result};
use cd_data::export::{self, ExportError};
use cd_data::{DatasetConfig, LoadContext, Split, fetch, published};
use cd_eval::run_dir::BAD_LIST;
use cd_eval::settings;

use super::Session;
use super::apart::Results;
use crate::Ending;
use crate::args::{DataCommand, DatasetArgs};
use crate::list;
use crate::output;

pub(crate) fn data(command: &DataCommand, session: &Session) -> Result<Ending> {
    match command {
        DataCommand::Fetch { name, to, from } => {
            let set = published(name)?;
            let to = to.as_deref().unwrap_or(Path::new(set.folder));
            for file in fetch::fetch(set, to, from.as_deref(), &session.bars)? {
                if !file.is_official() {
                    session.say(&format!(
                        "`{}` is not the official copy: its MD5 is {}, that of the published file {}",
                        file.path.display(),
                        file.md5,
                        file.official
                    ));
                }
                output::line(&file.path.display().to_string())?;
            }
        }
        DataCommand::Export { dataset, out } => {
            let split = load(dataset, Results::folder(out), session)?;
            write(&split, out, session)?;
            output::line(&out.display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

/// Writes both parts, which appear together at the end.
fn write(split: &Split, out: &Path, session: &Session) -> Result<(), ExportError> {
    let stage = |set, name| export::stage(set, &out.join(name), &session.bars);
    let train = stage(&split.train, "train")?;
    let test = split.test.as_ref().map(|test| stage(test, "test"));
    let test = test.transpose()?;
    for staged in std::iter::once(train).chain(test) {
        staged.place()?;
    }
    Ok(())
}

/// Loads a data set that was named on the command line for `results` that lie apart from it; pictures that cannot be used are
/// listed in a file beside those.
pub(crate) fn load(args: &DatasetArgs, results: Results<'_>, session: &Session) -> Result<Split> {
    let config = config(args, session)?;
    results.check_set(&config)?;
    Ok(config.load_with(&LoadContext {
        progress: &session.bars,
        index: None,
        bad_list: Some(&results.folder.join(BAD_LIST)),
    })?)
}

/// The settings of a data set that was named on the command line.
pub(crate) fn config(args: &DatasetArgs, session: &Session) -> Result<DatasetConfig> {
    list::known_dataset(&args.dataset)?;
    let path = args
        .path
        .iter()
        .map(|path| toml::Value::String(path.display().to_string()))
        .map(|path| format!("path = {path}"));
    let settings: Vec<String> = path.into_iter().chain(args.overrides.clone()).collect();
    let mut config: DatasetConfig = settings::named(&args.dataset, &settings)
        .with_context(|| format!("data set `{}`", args.dataset))?;
    session.settle(&mut config)?;
    Ok(config)
}
