//! `scores.csv`, `keep.txt` and `drop.txt`: what a user takes away from a detection.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_detect::{Decision, Detection};
use cd_models::{ImageSet, atomic};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One line of `scores.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRow {
    /// Position of the image in its set, from 0.
    pub index: usize,
    /// The image.
    pub file: String,
    /// Name of the class that it is labelled as.
    pub label: String,
    /// The detector's own number.
    pub raw: f64,
    /// Scaled to `[0, 1]`, higher = more suspicious.
    pub score: f64,
    /// 1 = most suspicious.
    pub rank: usize,
    /// Whether the rule flagged it.
    pub flagged: bool,
}

/// Why a table of scores could not be read or written.
#[derive(Debug, Error)]
pub enum ScoresError {
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not as expected.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Line and cause.
        reason: String,
    },
}

/// One row per image, in the order of the set: its `raw` number, and what `judged` and `decision` made of
/// it.
pub fn rows(set: &ImageSet, raw: &[f64], judged: &Detection, decision: &Decision) -> Vec<ScoreRow> {
    let scores = judged.scores();
    let mut ranks = vec![0; set.len()];
    for (place, index) in judged.ranking().into_iter().enumerate() {
        ranks[index] = place + 1;
    }
    (0..set.len())
        .map(|index| ScoreRow {
            index,
            file: set.name(index).to_owned(),
            label: set.class_names()[set.labels()[index] as usize].clone(),
            raw: raw[index],
            score: scores[index],
            rank: ranks[index],
            flagged: decision.flagged[index],
        })
        .collect()
}

/// Writes `scores.csv`, and the names of the flagged and the other images to `drop.txt` and
/// `keep.txt`, each atomically.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write_all(folder: &Path, rows: &[ScoreRow]) -> Result<(), ScoresError> {
    let scores = folder.join("scores.csv");
    let bytes = to_csv(&scores, rows)?;
    write(scores, &bytes)?;
    for (name, wanted) in [("drop.txt", true), ("keep.txt", false)] {
        let mut list = String::new();
        for row in rows.iter().filter(|row| row.flagged == wanted) {
            writeln!(list, "{}", row.file).expect("writing to a string cannot fail");
        }
        write(folder.join(name), list.as_bytes())?;
    }
    Ok(())
}

/// Reads a `scores.csv`.
///
/// # Errors
///
/// Names file, line and cause.
pub fn read(path: &Path) -> Result<Vec<ScoreRow>, ScoresError> {
    let rows: Vec<ScoreRow> = from_csv(path)?;
    if rows.is_empty() {
        return Err(ScoresError::Format {
            path: path.to_owned(),
            reason: "holds no scores".to_owned(),
        });
    }
    match rows
        .iter()
        .find(|row| !(row.raw.is_finite() && row.score.is_finite()))
    {
        Some(row) => Err(ScoresError::Format {
            path: path.to_owned(),
            reason: format!("the score of `{}` is not a finite number", row.file),
        }),
        None => Ok(rows),
    }
}

/// One line of `truth.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthRow {
    /// The image, as in `scores.csv`.
    pub file: String,
    /// Whether it carries a trigger.
    pub poisoned: bool,
}

/// Writes a `truth.csv`, atomically.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_truth(path: &Path, rows: &[TruthRow]) -> Result<(), ScoresError> {
    write(path.to_owned(), &to_csv(path, rows)?)
}

/// Reads a `truth.csv`.
///
/// # Errors
///
/// Names file, line and cause.
pub fn read_truth(path: &Path) -> Result<Vec<TruthRow>, ScoresError> {
    from_csv(path)
}

fn to_csv(path: &Path, rows: &[impl Serialize]) -> Result<Vec<u8>, ScoresError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| format_error(path, &error))?;
    }
    writer.into_inner().map_err(|error| ScoresError::Io {
        path: path.to_owned(),
        source: io::Error::other(error.to_string()),
    })
}

fn from_csv<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, ScoresError> {
    // Opening a folder succeeds, and it reads as if it were empty.
    let io = |source| ScoresError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::read(path).map_err(io)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let rows: Result<Vec<T>, csv::Error> = reader.deserialize().collect();
    rows.map_err(|error| format_error(path, &error))
}

fn format_error(path: &Path, error: &csv::Error) -> ScoresError {
    ScoresError::Format {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), ScoresError> {
    atomic::write(&path, bytes).map_err(|source| ScoresError::Io { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: usize, flagged: bool) -> ScoreRow {
        ScoreRow {
            index,
            file: format!("a, \"odd\" name {index}.png"),
            label: "sign".into(),
            raw: 12.345_678_901_234_5,
            score: 0.1 + 0.2,
            rank: index + 1,
            flagged,
        }
    }

    #[test]
    fn rows_survive_the_file_exactly() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let rows = [row(0, true), row(1, false)];
        write_all(folder.path(), &rows).expect("written");
        let back = read(&folder.path().join("scores.csv")).expect("read");
        assert_eq!(back, rows);
        let dropped = std::fs::read_to_string(folder.path().join("drop.txt")).expect("read");
        assert_eq!(dropped, "a, \"odd\" name 0.png\n");
    }

    #[test]
    fn nothing_is_no_scores() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("scores.csv");
        std::fs::write(&path, "index,file,label,raw,sc").expect("written");
        let error = read(&path).expect_err("no rows").to_string();
        assert!(error.contains("holds no scores"), "{error}");
        let error = read(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("directory"), "{error}");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("scores.csv");
        std::fs::write(
            &path,
            "index,file,label,raw,score,rank,flagged\n0,a,b,x,1,1,true\n",
        )
        .expect("written");
        let error = read(&path).expect_err("x is no number").to_string();
        assert!(
            error.contains("scores.csv") && error.contains("line"),
            "{error}"
        );
    }
}
