//! `data`: fetch and export data sets.

use std::path::Path;

use anyhow::{Context, Result};
use cd_data::{DatasetConfig, LoadContext, Split, export, fetch, published};
use cd_eval::run_dir::BAD_LIST;
use cd_eval::settings;

use super::Session;
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
            let split = load(dataset, out, session)?;
            export(&split.train, &out.join("train"), &session.bars)?;
            if let Some(test) = &split.test {
                export(test, &out.join("test"), &session.bars)?;
            }
            output::line(&out.display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

/// Loads a data set that was named on the command line; pictures that cannot be used are listed in a file in `out`.
pub(crate) fn load(args: &DatasetArgs, out: &Path, session: &Session) -> Result<Split> {
    Ok(config(args, session)?.load_with(&LoadContext {
        progress: &session.bars,
        index: None,
        bad_list: Some(&out.join(BAD_LIST)),
    })?)
}

/// The settings of a data set that was named on the command line.
pub(crate) fn config(args: &DatasetArgs, session: &Session) -> Result<DatasetConfig> {
    list::known_dataset(&args.dataset)?;
    let path = args
        .path
        .iter()
        .map(|path| format!("path = {:?}", path.display().to_string()));
    let settings: Vec<String> = path.into_iter().chain(args.overrides.clone()).collect();
    let mut config: DatasetConfig = settings::named(&args.dataset, &settings)
        .with_context(|| format!("data set `{}`", args.dataset))?;
    session.settle(&mut config)?;
    Ok(config)
}
