//! What a pipeline gets of a search: files of findings, then an exit code.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_detect::Standing;
use cd_eval::findings::{Baseline, Findings, Format, Ruling};

use super::Session;
use super::apart::{self, Results};
use crate::Ending;
use crate::args::PipelineArgs;

/// What was asked for, checked before any work.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    fail_on: Option<Standing>,
    outputs: Vec<(PathBuf, Format)>,
    /// Read before the search, so that a wrong one costs no time.
    baseline: Option<Baseline>,
    /// The pictures.
    root: PathBuf,
}

impl Gate {
    /// For results in `out` about the pictures in `root`.
    ///
    /// # Errors
    ///
    /// When a file has no form or would lie among the pictures or replace a result, two are one, or the baseline is none.
    pub(crate) fn open(args: &PipelineArgs, out: &Path, root: &Path) -> Result<Self> {
        let outputs = outputs(args, out)?;
        for (at, (path, _)) in outputs.iter().enumerate() {
            if outputs[..at].iter().any(|(other, _)| other == path) {
                bail!("--output {} is named twice", path.display());
            }
            Results::file("--output", path).check(root)?;
            check_name(path, out)?;
        }
        if let Some(earlier) = &args.baseline
            && is_own(earlier, out)
        {
            bail!(
                "--baseline {}: is of this scan itself, beside which nothing is new; name an earlier one, or give this one another --out",
                earlier.display()
            );
        }
        let baseline = args.baseline.as_deref().map(Baseline::read).transpose();
        Ok(Self {
            fail_on: args.fail_on.map(Into::into),
            outputs,
            baseline: baseline.context("--baseline")?,
            root: root.to_owned(),
        })
    }

    /// Writes the files of a complete search, then says how the command ends.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, and when a ruling was asked for and none is possible.
    pub(crate) fn close(&self, out: &Path, session: &Session) -> Result<Ending> {
        if self.fail_on.is_none() && self.outputs.is_empty() && self.baseline.is_none() {
            return Ok(Ending::Done);
        }
        let mut findings = Findings::read(out, &self.root)?;
        if let Some(baseline) = &self.baseline {
            findings.compare(baseline);
        }
        for (path, format) in &self.outputs {
            findings.write(path, *format)?;
            session.say(&format!(
                "findings as {}: {}",
                format.name(),
                path.display()
            ));
        }
        if let Some(since) = &findings.since {
            session.say(&format!(
                "new since the baseline: flagged pictures {}, classes {}",
                since.flagged,
                since.classes.len()
            ));
        }
        match self.fail_on {
            Some(fail_on) => ending(findings.rule(fail_on)),
            None => Ok(Ending::Done),
        }
    }

    /// How a search ends of which other shards are missing: nothing was judged yet.
    pub(crate) fn left_open(&self) -> Result<Ending> {
        if self.fail_on.is_some() {
            bail!(
                "--fail-on: the other parts of this search are missing, so nothing is judged yet; the part that ends last judges"
            );
        }
        Ok(Ending::Done)
    }
}

/// Whether the baseline at `path` is the folder of the results, or lies in it.
fn is_own(path: &Path, out: &Path) -> bool {
    match (path.canonicalize(), out.canonicalize()) {
        (Ok(path), Ok(out)) => path.starts_with(out),
        _ => false,
    }
}

/// What a run writes into its folder, of the forms that findings have.
const OWN_FILES: [&str; 10] = [
    "agreement.json",
    "bad-pictures.csv",
    "classes.json",
    "contents.csv",
    "look.json",
    "meta.json",
    "not-read.csv",
    "patterns.json",
    "stages.json",
    "verdict.json",
];
/// Its folders with such files.
const OWN_FOLDERS: [&str; 6] = ["decide", "detect", "evaluate", "poison", "store", "train"];

/// Refuses a file of findings that would replace one of the results in `out`.
fn check_name(path: &Path, out: &Path) -> Result<()> {
    let whole = apart::whole(path)?;
    let Ok(inside) = whole.strip_prefix(apart::whole(out)?) else {
        return Ok(());
    };
    let first = inside
        .iter()
        .next()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let is_result = match inside.iter().count() {
        1 => OWN_FILES.contains(&first),
        _ => OWN_FOLDERS.contains(&first),
    };
    if is_result {
        bail!(
            "--output {}: is a result of the scan itself, or among them; name another file",
            path.display()
        );
    }
    Ok(())
}

/// The files to write and their forms.
fn outputs(args: &PipelineArgs, out: &Path) -> Result<Vec<(PathBuf, Format)>> {
    match (args.format, args.output.as_slice()) {
        (None, []) => Ok(Vec::new()),
        (Some(format), []) => {
            let path = out.join(format!("findings.{}", format.name()));
            Ok(vec![(path, format)])
        }
        (Some(format), [path]) => Ok(vec![(path.clone(), format)]),
        (Some(_), _) => {
            bail!("--format goes with one --output; leave it out, and the endings of the files tell their forms")
        }
        (None, paths) => paths
            .iter()
            .map(|path| {
                let format = Format::of_path(path).with_context(|| {
                    format!(
                        "--output {}: the ending is none of .json, .csv, .parquet and .sarif; name the form with --format",
                        path.display()
                    )
                })?;
                Ok((path.clone(), format))
            })
            .collect(),
    }
}

/// The ending that a ruling stands for.
fn ending(ruling: Ruling) -> Result<Ending> {
    match ruling {
        Ruling::Passed => Ok(Ending::Done),
        Ruling::Findings(what) => {
            eprintln!("findings: {what}");
            Ok(Ending::Findings)
        }
        Ruling::Unjudged(why) => bail!("--fail-on: these pictures could not be judged: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(format: Option<Format>, output: &[&str]) -> PipelineArgs {
        PipelineArgs {
            fail_on: None,
            output: output.iter().map(PathBuf::from).collect(),
            format,
            baseline: None,
        }
    }

    #[test]
    fn forms_come_from_the_option_or_the_ending() {
        let of = |format, output: &[&str]| outputs(&args(format, output), Path::new("out"));
        assert!(of(None, &[]).expect("none").is_empty());
        let named = of(Some(Format::Sarif), &[]).expect("a default");
        assert_eq!(
            named,
            [(PathBuf::from("out/findings.sarif"), Format::Sarif)]
        );
        let two = of(None, &["a.json", "b.sarif"]).expect("by ending");
        assert_eq!([two[0].1, two[1].1], [Format::Json, Format::Sarif]);
        let odd = of(Some(Format::Csv), &["table.txt"]).expect("named");
        assert_eq!(odd[0].1, Format::Csv);
        assert!(of(Some(Format::Csv), &["a", "b"]).is_err());
        assert!(of(None, &["table.txt"]).is_err());
        let twice = Gate::open(
            &args(None, &["a.csv", "a.csv"]),
            Path::new("o"),
            Path::new("p"),
        );
        assert!(twice.is_err());
    }

    #[test]
    fn findings_replace_neither_pictures_nor_results() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = |name: &str| folder.path().join(name);
        std::fs::create_dir(here("p")).expect("made");
        let open = |file: &str| {
            let output = here(file);
            let args = args(None, &[output.to_str().expect("plain")]);
            Gate::open(&args, &here("o"), &here("p"))
        };
        for (file, part) in [
            ("p/x.json", "the folder of the pictures"),
            ("o/verdict.json", "a result of the scan itself"),
            ("o/detect/cascade/scores.csv", "among them"),
        ] {
            let error = open(file).expect_err(file).to_string();
            assert!(error.contains(part), "{error}");
        }
        for file in [
            "o/findings.json",
            "o/scan.sarif",
            "x.json",
            "o-2/verdict.json",
        ] {
            open(file).expect(file);
        }
    }

    #[test]
    fn rulings_become_exit_codes() {
        assert_eq!(ending(Ruling::Passed).ok(), Some(Ending::Done));
        assert_eq!(
            ending(Ruling::Findings("x".into())).ok(),
            Some(Ending::Findings)
        );
        let error = ending(Ruling::Unjudged("blind".into())).expect_err("no ruling");
        assert!(error.to_string().contains("blind"));
        let open = Gate {
            fail_on: Some(Standing::Suspicious),
            ..Gate::default()
        };
        assert!(open.left_open().is_err() && Gate::default().left_open().is_ok());
    }
}
