//! Poisoned pictures and the truth about them, as files.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_core::random::{named, stream};
use cd_data::export::{self, Staged};
use cd_data::{CraftRecord, Manifest, PoisonConfig, Poisoned, Role, Truth, export_as};
use cd_eval::plot;
use cd_eval::scores::{TruthRow, write_truth};
use cd_models::{ImageSet, atomic};
use rand::seq::SliceRandom;
use serde::Serialize;
use tempfile::TempDir;

use crate::cmd::Session;

/// What the folder of stamped pictures is called until they are written under their names.
const STAMPED: &str = ".stamped";

/// Removes what an interrupted call has left in `out`, and fails unless nothing stands where the pictures are to go.
pub(crate) fn check_free(out: &Path) -> Result<()> {
    let images = out.join("images");
    for (folder, name) in [
        (out, STAMPED),
        (out, "images"),
        (&images, "train"),
        (&images, "test"),
    ] {
        let outcome = export::remove_leftovers(folder, name);
        outcome.with_context(|| folder.display().to_string())?;
    }
    let is_free = match fs::read_dir(&images) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if !is_free {
        bail!(
            "`{}` exists already; remove it or choose another --out",
            images.display()
        );
    }
    Ok(())
}

/// The folder, made where it is not there.
fn parent(out: &Path) -> Result<&Path> {
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    Ok(out)
}

/// A folder in `out` for stamped pictures until they are written under their names.
pub(super) fn scratch(out: &Path) -> Result<TempDir> {
    let scratch = export::scratch(parent(out)?, STAMPED);
    scratch.context("cannot make a temporary folder in --out")
}

/// Writes what making the trigger came to, and plots its curves.
pub(super) fn record(out: &Path, record: &CraftRecord) -> Result<()> {
    parent(out)?;
    let curves: Vec<(&str, &[f64])> = record
        .curves
        .iter()
        .map(|curve| (curve.name.as_str(), curve.values.as_slice()))
        .collect();
    let plot = plot::training("Making the trigger", "value", &curves, None);
    let json = serde_json::to_string_pretty(record)? + "\n";
    for (name, text) in [("craft.json", json), ("craft.svg", plot)] {
        let path = out.join(name);
        atomic::write(&path, text.as_bytes()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The names of the pictures with the extension of PNG, where they are paths that lead nowhere else and differ; else numbers.
pub(super) fn own_paths(set: &ImageSet) -> Vec<PathBuf> {
    let own = set
        .names()
        .iter()
        .map(|name| Path::new(name).with_extension("png"));
    let own: Vec<PathBuf> = own.collect();
    let inside = |path: &PathBuf| {
        path.components()
            .all(|part| matches!(part, Component::Normal(_)))
    };
    let distinct: HashSet<String> = own
        .iter()
        .map(|path| path.to_string_lossy().to_lowercase())
        .collect();
    if own.iter().all(inside) && distinct.len() == own.len() {
        return own;
    }
    (0..set.len())
        .map(|index| format!("{index:05}.png").into())
        .collect()
}

/// What was done where there was no plan.
#[derive(Serialize)]
struct Stamped<'a> {
    format: &'static str,
    version: u32,
    role: &'static str,
    config: &'a PoisonConfig,
    images: usize,
    indices: &'a [usize],
    files: Vec<&'a Path>,
}

/// Writes all pictures of a set and which of them carry the trigger.
pub(super) fn stamped(
    out: &Path,
    set: &ImageSet,
    paths: &[PathBuf],
    listed: &[usize],
    role: Role,
    config: &PoisonConfig,
    session: &Session,
) -> Result<()> {
    export_as(set, &out.join("images"), paths, &session.bars)?;
    let mut indices = listed.to_vec();
    indices.sort_unstable();
    let record = Stamped {
        format: "cd-stamped",
        version: 1,
        role: role_name(role),
        config,
        images: set.len(),
        files: indices
            .iter()
            .map(|&index| paths[index].as_path())
            .collect(),
        indices: &indices,
    };
    let json = serde_json::to_string_pretty(&record)? + "\n";
    let path = out.join("stamped.json");
    atomic::write(&path, json.as_bytes()).with_context(|| path.display().to_string())
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Train => "train",
        Role::Cover => "cover",
        Role::Test => "test",
    }
}

/// One line of `files.csv`.
struct FileRow {
    file: String,
    name: String,
    index: usize,
    original: u32,
    label: u32,
    role: &'static str,
}

/// Writes poisoned data into `images` of `out`, under names and in an order that say nothing, and the truth about it beside them.
pub(crate) fn poisoned(
    out: &Path,
    data: &Poisoned,
    truth: &Truth,
    config: &PoisonConfig,
    session: &Session,
) -> Result<()> {
    let images = out.join("images");
    let train = (data.train(), truth.train(), "train");
    let test = data
        .test()
        .zip(truth.test())
        .map(|(set, manifest)| (set, manifest, "test"));
    if test.is_none() {
        remove_former(&out.join("manifest-test.json"))?;
    }
    let (mut rows, mut staged) = (Vec::new(), Vec::new());
    for (set, manifest, split) in std::iter::once(train).chain(test) {
        let (of_split, files) = split_files(set, manifest, &images, split, config.seed, session)?;
        rows.extend(of_split);
        staged.push(files);
        manifest.write(&out.join(format!("manifest-{split}.json")))?;
    }
    let truths: Vec<TruthRow> = rows
        .iter()
        .map(|row| TruthRow {
            file: row.file.clone(),
            poisoned: row.role == "train" || row.role == "test",
        })
        .collect();
    write_truth(&out.join("truth.csv"), &truths)?;
    write_files(&out.join("files.csv"), &rows)?;
    for files in staged {
        files.place()?;
    }
    Ok(())
}

/// Removes a file of an earlier call, if there is one.
fn remove_former(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Writes the pictures of one split beside their place, shuffled: in their own order the number of a relabelled one would tell
/// its true class, and that of an added one that it was added.
fn split_files(
    set: &ImageSet,
    manifest: &Manifest,
    images: &Path,
    split: &str,
    seed: u64,
    session: &Session,
) -> Result<(Vec<FileRow>, Staged)> {
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut stream(seed, named("order of the files")));
    let staged = export::stage(&set.subset(&order), &images.join(split), &session.bars)?;
    let mut entries = vec![None; set.len()];
    for entry in manifest.entries() {
        entries[entry.index] = Some(entry);
    }
    let row = |(file, index): (&PathBuf, usize)| {
        let path = Path::new(split).join(file);
        let label = set.labels()[index];
        let entry = entries[index];
        Ok(FileRow {
            file: path
                .to_str()
                .context("exported names are plain text")?
                .to_owned(),
            name: set.name(index).to_owned(),
            index,
            original: entry.map_or(label, |entry| entry.original_label),
            label,
            role: match entry {
                None => "clean",
                Some(entry) if entry.cover => "cover",
                Some(_) if split == "test" => "test",
                Some(_) => "train",
            },
        })
    };
    let rows: Result<_> = staged.paths().iter().zip(order).map(row).collect();
    Ok((rows?, staged))
}

fn write_files(path: &Path, rows: &[FileRow]) -> Result<()> {
    let mut text = String::from("file,index,original_label,label,role,name\n");
    for row in rows {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let (file, name) = (quoted(&row.file), quoted(&row.name));
        let FileRow {
            index,
            original,
            label,
            role,
            ..
        } = row;
        writeln!(text, "{file},{index},{original},{label},{role},{name}")?;
    }
    atomic::write(path, text.as_bytes()).with_context(|| path.display().to_string())
}
