//! `config show`: an experiment file as it is understood.

use anyhow::Result;
use cd_eval::Experiment;

use super::experiment::DEMO;
use crate::Ending;
use crate::args::ConfigCommand;
use crate::output;

pub(crate) fn show(command: &ConfigCommand) -> Result<Ending> {
    let ConfigCommand::Show {
        file,
        overrides,
        resolved,
    } = command;
    let experiment = match file {
        Some(file) => Experiment::read(file, overrides)?,
        None => Experiment::parse(DEMO, "the built-in demo", overrides)?,
    };
    let shown = if *resolved {
        experiment.seeded()
    } else {
        experiment
    };
    output::line(shown.to_toml().trim_end())?;
    Ok(Ending::Done)
}
