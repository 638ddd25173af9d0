//! `runs`: what lies below a folder of runs, and what of it can go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use cd_eval::run_dir::{Stages, referred, runs_below};
use cd_eval::store::{Garbage, Store, StoredStage, stores_below};
use serde_json::{Value, json};

use crate::Ending;
use crate::args::{RunsArgs, RunsCommand};
use crate::output;

pub(crate) fn runs(args: &RunsArgs, as_json: bool) -> Result<Ending> {
    let folder = &args.runs;
    match &args.command {
        None | Some(RunsCommand::List) => list(folder, as_json)?,
        Some(RunsCommand::Gc { dry_run }) => collect(folder, *dry_run, as_json)?,
    }
    Ok(Ending::Done)
}

/// Every stored stage below `folder`, with the runs that stand on it.
fn list(folder: &Path, as_json: bool) -> Result<()> {
    let runs = runs_below(folder)?;
    let mut rows = Vec::new();
    for root in stores_below(folder)? {
        for stage in Store::open(&root)?.stages()? {
            let users = runs.iter().filter(|(path, stages)| {
                let own = path.join(&stages.store).canonicalize().ok();
                let same = own.is_some() && own == root.canonicalize().ok();
                let mut refs = stages.stages.values();
                same && refs.any(|found| {
                    (found.stage, found.key.as_str()) == (stage.slot.stage(), stage.slot.key())
                })
            });
            let count = users.count();
            rows.push((stage, count));
        }
    }
    if as_json {
        return output::json(&json!({
            "runs": runs.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            "stages": rows.iter().map(|(stage, users)| as_value(stage, *users)).collect::<Vec<_>>(),
        }));
    }
    let mut table = output::table(&["stage", "key", "what", "size", "age", "runs"]);
    let mut bytes = 0;
    for (stage, users) in &rows {
        bytes += stage.bytes;
        let state = if stage.done { "" } else { " (unfinished)" };
        table.add_row([
            stage.slot.stage().name().to_owned(),
            stage.slot.key().to_owned(),
            format!("{}{state}", stage.what),
            size(stage.bytes),
            age(stage.age),
            users.to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    output::line(&format!(
        "{} runs, {} stages, {}",
        runs.len(),
        rows.len(),
        size(bytes)
    ))
}

fn as_value(stage: &StoredStage, users: usize) -> Value {
    json!({
        "stage": stage.slot.stage().name(),
        "key": stage.slot.key(),
        "folder": stage.slot.folder(),
        "what": stage.what,
        "done": stage.done,
        "bytes": stage.bytes,
        "age_seconds": stage.age.as_secs(),
        "runs": users,
    })
}

/// The runs below `folder`, all of which say where their stages are kept.
fn located(folder: &Path) -> Result<Vec<(PathBuf, Stages)>> {
    let runs = runs_below(folder)?;
    for (path, stages) in &runs {
        let store = path.join(&stages.store);
        if !store.is_dir() {
            bail!(
                "{}: this run stands on stages in {}, which is not there; move it back to where it was, or delete it",
                path.display(),
                store.display()
            );
        }
    }
    Ok(runs)
}

/// Removes the stages below `folder` that no run there stands on.
fn collect(folder: &Path, dry_run: bool, as_json: bool) -> Result<()> {
    let stores = stores_below(folder)?;
    if stores.iter().any(|root| root == folder) {
        bail!(
            "{}: this is a store of stages, and the runs that stand on it lie elsewhere; name the folder that holds both",
            folder.display()
        );
    }
    let mut all = Garbage::default();
    for root in stores {
        let here = root.canonicalize().ok();
        let kept = || -> Result<_> {
            let runs = located(folder)?;
            let users = runs.iter().filter(|(path, stages)| {
                here.is_some() && path.join(&stages.store).canonicalize().ok() == here
            });
            Ok(referred(users.map(|(_, stages)| stages)))
        };
        let garbage = Store::open(&root)?.collect(kept, dry_run)?;
        all.stages += garbage.stages;
        all.bytes += garbage.bytes;
        all.in_use += garbage.in_use;
    }
    if as_json {
        return output::json(&json!({
            "stages": all.stages, "bytes": all.bytes, "in_use": all.in_use, "dry_run": dry_run,
        }));
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    output::line(&format!(
        "{verb} {} stages, {}",
        all.stages,
        size(all.bytes)
    ))?;
    if all.in_use > 0 {
        output::line(&format!(
            "{} more belong to no run, but a process is at work on them",
            all.in_use
        ))?;
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => "now".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_short() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
        assert_eq!(age(Duration::from_secs(30)), "now");
        assert_eq!(age(Duration::from_hours(1)), "60 min");
        assert_eq!(age(Duration::from_hours(25)), "25 h");
        assert_eq!(age(Duration::from_hours(250)), "10 days");
    }
}
