//! The images that are suspected: flagged by a detector of a run, or named in a list.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use cd_models::ImageSet;

use super::pipeline::PipelineError;
use super::scores;
use super::stage::Work;
use super::stage::data::Data;
use crate::experiment::SearchedImages;

/// The detector whose flags are taken where none is named and several ran: the one with a verdict on classes.
const FIRST: &str = "cascade";

/// Where it stands which images are suspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspectSource {
    /// The flags of a detector of the run, by its label; without one, what the verdict takes for poisoned, or else the flags of `cascade` or
    /// of the first detector that has run.
    Detector(Option<String>),
    /// A list of names, one a line, as `drop.txt` is.
    List(PathBuf),
}

/// Suspected training images.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Suspected {
    /// Their positions, ascending.
    pub(super) flagged: Vec<usize>,
    /// Positions of all images that were scored, the most suspicious first; empty for a list.
    pub(super) ranking: Vec<usize>,
    /// Where this stands, in words.
    pub(super) source: String,
}

impl SuspectSource {
    /// Looks the images up.
    pub(super) fn suspected(
        &self,
        work: &Work<'_>,
        data: &Data,
    ) -> Result<Suspected, PipelineError> {
        match self {
            Self::Detector(None) => {
                let flagged = of_detector(None, work, data)?;
                Ok(match of_verdict(work, data)? {
                    Some(named) => Suspected {
                        flagged: named.flagged,
                        source: "taken for poisoned by the verdict".to_owned(),
                        ..flagged
                    },
                    None => flagged,
                })
            }
            Self::Detector(label) => of_detector(label.as_deref(), work, data),
            Self::List(path) => of_list(path, data.poisoned.train()),
        }
    }
}

fn of_detector(
    label: Option<&str>,
    work: &Work<'_>,
    data: &Data,
) -> Result<Suspected, PipelineError> {
    if data.searched_images == SearchedImages::Test {
        return Err(PipelineError::Missing(
            "the detectors of this run searched its test images, and training images are to be judged: name a list of them with `--drop`".into(),
        ));
    }
    let path = |label: &str| work.run.join("detect").join(label).join("scores.csv");
    let labels = work.experiment.detector_labels();
    let ran: Vec<&str> = labels
        .iter()
        .map(String::as_str)
        .filter(|label| path(label).is_file())
        .collect();
    let first = ran.iter().find(|label| label.starts_with(FIRST));
    let chosen = match label {
        Some(label) => ran.iter().find(|ran| **ran == label),
        None => first.or(ran.first()),
    };
    let Some(label) = chosen else {
        return Err(PipelineError::Missing(format!(
            "{}: no scores of {} in this run; it has those of: {}",
            work.run.path().display(),
            label.map_or("any detector".to_owned(), |label| format!("`{label}`")),
            if ran.is_empty() {
                "none".to_owned()
            } else {
                ran.join(", ")
            }
        )));
    };
    let rows = scores::read(&path(label))?;
    if rows.len() != data.positions.len() {
        return Err(PipelineError::Missing(format!(
            "{}: {} rows for {} images",
            path(label).display(),
            rows.len(),
            data.positions.len()
        )));
    }
    let mut ranked: Vec<(usize, usize)> = rows
        .iter()
        .zip(&data.positions)
        .map(|(row, &position)| (row.rank, position))
        .collect();
    ranked.sort_unstable();
    let flagged = rows.iter().zip(&data.positions);
    let flagged = flagged.filter(|(row, _)| row.flagged);
    Ok(Suspected {
        flagged: flagged.map(|(_, &position)| position).collect(),
        ranking: ranked.into_iter().map(|(_, position)| position).collect(),
        source: format!("flagged by {label}"),
    })
}

/// What the verdict of the run takes for poisoned; `None` without a verdict, and where it takes nothing.
fn of_verdict(work: &Work<'_>, data: &Data) -> Result<Option<Suspected>, PipelineError> {
    let path = work.run.join("drop.txt");
    if !path.is_file() {
        return Ok(None);
    }
    let named = of_list(&path, data.poisoned.train())?;
    Ok(Some(named).filter(|named| !named.flagged.is_empty()))
}

fn of_list(path: &Path, set: &ImageSet) -> Result<Suspected, PipelineError> {
    let text = fs::read_to_string(path)
        .map_err(|error| PipelineError::Missing(format!("{}: {error}", path.display())))?;
    let known: HashMap<&str, usize> = set.names().iter().map(String::as_str).zip(0..).collect();
    let mut flagged = Vec::new();
    let mut unknown = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let name = name(line);
        match known.get(name.as_str()) {
            Some(position) => flagged.push(*position),
            None => unknown.push(name),
        }
    }
    if let Some(first) = unknown.first() {
        return Err(PipelineError::Missing(format!(
            "{}: `{first}` and {} others are no training images of this run, whose names are like `{}`",
            path.display(),
            unknown.len() - 1,
            set.names().first().map_or("", String::as_str)
        )));
    }
    flagged.sort_unstable();
    flagged.dedup();
    Ok(Suspected {
        flagged,
        ranking: Vec::new(),
        source: format!("named in {}", path.display()),
    })
}

/// The name in a line of a list: as it is, or a JSON string.
fn name(line: &str) -> String {
    let quoted = line
        .starts_with('"')
        .then(|| serde_json::from_str(line).ok());
    quoted.flatten().unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ImageSet {
        let mut set = ImageSet::new(1, 1, vec!["only".into()]);
        for name in ["a.png", "b\nc.png", "d.png"] {
            set.push(name.into(), &[0; 3], 0).expect("fits");
        }
        set
    }

    #[test]
    fn a_list_is_names_as_they_are_or_json_strings() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("drop.txt");
        fs::write(&path, "d.png\n\n\"b\\nc.png\"\nd.png\n").expect("written");
        let found = of_list(&path, &set()).expect("known names");
        assert_eq!(found.flagged, [1, 2]);
        fs::write(&path, "a.png\ne.png\n").expect("written");
        let error = of_list(&path, &set()).expect_err("unknown").to_string();
        assert!(
            error.contains("`e.png` and 0 others") && error.contains("`a.png`"),
            "{error}"
        );
        let error = of_list(folder.path(), &set())
            .expect_err("a folder")
            .to_string();
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }
}
