//! `labels.csv`: pictures in any arrangement, with their classes in a table.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use csv::StringRecord;

use super::error::{FolderError, LabelsError};
use super::list::Listed;

/// Name of the table.
pub(super) const LABELS_FILE: &str = "labels.csv";
/// Its header.
const COLUMNS: [&str; 2] = ["file", "label"];

/// Reads the table at `table`; returns its pictures and the class names by label.
///
/// Labels that are all whole numbers are sorted as numbers, others as text. Names of the pictures
/// are relative to `root`.
pub(super) fn read_labels(
    root: &Path,
    table: &Path,
) -> Result<(Vec<Listed>, Vec<String>), FolderError> {
    let problem = |problem| FolderError::Labels {
        path: table.into(),
        problem,
    };
    let file = File::open(table).map_err(|source| FolderError::Io {
        path: table.into(),
        source,
    })?;
    let folder = table.parent().unwrap_or(root);
    let pictures = read_rows(root, folder, file).map_err(problem)?;
    let class_names = class_names(&pictures);
    Ok((pictures, class_names))
}

fn read_rows(root: &Path, folder: &Path, file: File) -> Result<Vec<Listed>, LabelsError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let header = reader.headers()?;
    // Spreadsheet programs like to put a byte order mark in front.
    let first = header
        .get(0)
        .unwrap_or_default()
        .trim_start_matches('\u{feff}');
    if header.len() != COLUMNS.len() || first != COLUMNS[0] || &header[1] != COLUMNS[1] {
        return Err(LabelsError::Header {
            found: header.iter().collect::<Vec<_>>().join(","),
        });
    }
    let mut seen: HashMap<PathBuf, String> = HashMap::new();
    let mut pictures = Vec::new();
    let mut repeated = 0;
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let picture = read_row(root, folder, &row, line)?;
        match seen.get(&picture.path) {
            Some(former) if *former != picture.class => {
                return Err(LabelsError::Twice {
                    line,
                    file: row[0].into(),
                    former: former.clone(),
                    label: picture.class,
                });
            }
            // A list may repeat a picture to give it more weight.
            Some(_) => repeated += 1,
            None => drop(seen.insert(picture.path.clone(), picture.class.clone())),
        }
        pictures.push(picture);
    }
    if pictures.is_empty() {
        return Err(LabelsError::NoRows);
    }
    if repeated > 0 {
        tracing::warn!(repeated, "{LABELS_FILE} lists pictures more than once");
    }
    Ok(pictures)
}

fn read_row(
    root: &Path,
    folder: &Path,
    row: &StringRecord,
    line: u64,
) -> Result<Listed, LabelsError> {
    for (field, column) in row.iter().zip(COLUMNS) {
        if field.is_empty() {
            return Err(LabelsError::EmptyField { line, column });
        }
    }
    let (file, class) = (&row[0], &row[1]);
    let Some(relative) = plain_relative(file) else {
        return Err(LabelsError::Outside {
            line,
            file: file.into(),
        });
    };
    let path = folder.join(&relative);
    let below_root = path.strip_prefix(root).unwrap_or(&relative);
    let name = below_root
        .iter()
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join("/");
    Ok(Listed {
        name,
        path,
        class: class.into(),
    })
}

/// `file` without `.` parts, or `None` when it is absolute or has `..`.
fn plain_relative(file: &str) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in Path::new(file).components() {
        match part {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!plain.as_os_str().is_empty()).then_some(plain)
}

fn class_names(pictures: &[Listed]) -> Vec<String> {
    let unique: BTreeSet<&str> = pictures
        .iter()
        .map(|picture| picture.class.as_str())
        .collect();
    let mut names: Vec<String> = unique.into_iter().map(String::from).collect();
    // Text order would put class 10 before class 2.
    if names.iter().all(|name| name.parse::<u64>().is_ok()) {
        names.sort_by_cached_key(|name| name.parse::<u64>().unwrap_or(u64::MAX));
    }
    names
}
