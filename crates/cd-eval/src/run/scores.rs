//! `scores.csv`, `keep.txt` and `drop.txt`: what a user takes away from a detection.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use cd_data::table::{Row, Table, TableError};
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
    /// It is not readable as a table.
    #[error(transparent)]
    Table(#[from] TableError),
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
/// A name is a line as it is. One with a line break or another control character, or with a quotation mark in front, is a
/// JSON string instead, so that every line is one name and none can be taken for another.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write_all(folder: &Path, rows: &[ScoreRow]) -> Result<(), ScoresError> {
    let scores = folder.join("scores.csv");
    let bytes = to_csv(&scores, rows)?;
    write(scores, &bytes)?;
    let rows = rows.iter();
    write_lists(folder, rows.map(|row| (&*row.file, row.flagged)))
}

/// Writes the names of images that are flagged to `drop.txt`, and those of the others to `keep.txt`, in the form of [`write_all`].
///
/// # Errors
///
/// When a file cannot be written.
pub(crate) fn write_lists<'a>(
    folder: &Path,
    images: impl Iterator<Item = (&'a str, bool)>,
) -> Result<(), ScoresError> {
    let (mut dropped, mut kept) = (String::new(), String::new());
    for (name, is_flagged) in images {
        let list = if is_flagged { &mut dropped } else { &mut kept };
        writeln!(list, "{}", line(name)).expect("writing to a string cannot fail");
    }
    write(folder.join("drop.txt"), dropped.as_bytes())?;
    write(folder.join("keep.txt"), kept.as_bytes())
}

/// How many of the names stand in the lists as JSON strings.
pub(crate) fn escaped(names: &[String]) -> usize {
    let is_escaped = |name: &&String| matches!(line(name), Cow::Owned(_));
    names.iter().filter(is_escaped).count()
}

/// A name as one line of a list.
fn line(name: &str) -> Cow<'_, str> {
    // What programs take for the end of a line beside control characters.
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    if !name.contains(breaks) && !name.starts_with('"') {
        return Cow::Borrowed(name);
    }
    let mut quoted = String::from("\"");
    for letter in name.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if breaks(letter) => {
                write!(quoted, "\\u{:04x}", u32::from(letter))
                    .expect("writing to a string cannot fail");
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// The columns of `scores.csv`.
const SCORES: [&str; 7] = ["index", "file", "label", "raw", "score", "rank", "flagged"];

/// Reads a `scores.csv`, also one that a spreadsheet has saved.
///
/// # Errors
///
/// Names file, line and cause.
pub fn read(path: &Path) -> Result<Vec<ScoreRow>, ScoresError> {
    let table = Table::read(path, SCORES)?;
    if table.rows().is_empty() {
        return Err(ScoresError::Format {
            path: path.to_owned(),
            reason: "holds no scores".to_owned(),
        });
    }
    table
        .rows()
        .iter()
        .map(|row| score_row(&table, row))
        .collect()
}

fn score_row(table: &Table<7>, row: &Row<7>) -> Result<ScoreRow, ScoresError> {
    let whole = |column: usize| -> Result<usize, ScoresError> {
        let text = row.fields[column].trim();
        let reason = || format!("`{}` is `{text}`, expected a whole number", SCORES[column]);
        Ok(text.parse().map_err(|_| table.error(row, reason()))?)
    };
    Ok(ScoreRow {
        index: whole(0)?,
        file: row.fields[1].clone(),
        label: row.fields[2].clone(),
        raw: table.number(row, 3, SCORES[3])?,
        score: table.number(row, 4, SCORES[4])?,
        rank: whole(5)?,
        flagged: table.truth(row, 6, SCORES[6])?,
    })
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

/// Reads a `truth.csv`: ours, or one of a script or a spreadsheet with the columns `file` and `poisoned`.
///
/// # Errors
///
/// Names file, line and cause.
pub fn read_truth(path: &Path) -> Result<Vec<TruthRow>, ScoresError> {
    let table = Table::read(path, ["file", "poisoned"])?;
    let row = |row: &Row<2>| {
        Ok(TruthRow {
            file: row.fields[0].clone(),
            poisoned: table.truth(row, 1, "poisoned")?,
        })
    };
    table.rows().iter().map(row).collect()
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
    fn every_line_of_a_list_is_one_name() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let names = [
            "a/x\ny.png",
            "y.png",
            "\"q\".png",
            "tab\there",
            "nel\u{85}sep\u{2028}",
            "\u{fc}, b.png",
        ];
        let rows: Vec<ScoreRow> = names
            .iter()
            .map(|name| ScoreRow {
                file: (*name).to_owned(),
                ..row(0, false)
            })
            .collect();
        write_all(folder.path(), &rows).expect("written");
        let list = std::fs::read_to_string(folder.path().join("keep.txt")).expect("read");
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), names.len());
        for (line, name) in lines.iter().zip(names) {
            let back = match line.strip_prefix('"') {
                Some(_) => serde_json::from_str(line).expect("a JSON string"),
                None => (*line).to_owned(),
            };
            assert_eq!(back, name);
        }
        assert_eq!(
            [lines[0], lines[1], lines[5]],
            [r#""a/x\ny.png""#, "y.png", names[5]]
        );
        let back = read(&folder.path().join("scores.csv")).expect("read");
        assert_eq!(back, rows);
    }

    #[test]
    fn nothing_is_no_scores() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("scores.csv");
        std::fs::write(&path, "index,file,label,raw,sc").expect("written");
        let error = read(&path).expect_err("cut short").to_string();
        assert!(
            error.contains("the first line is `index,file,label,raw,sc`"),
            "{error}"
        );
        std::fs::write(&path, SCORES.join(",")).expect("written");
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
