//! `labels.csv`: pictures in any arrangement, with their classes in a table.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use super::error::{FolderError, LabelsError};
use super::list::Listed;
use crate::table::{Row, Table};
use crate::zipped;

/// Name of the table.
pub(super) const LABELS_FILE: &str = "labels.csv";
/// The columns that count.
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
    let rows = Table::read(table, COLUMNS)?;
    let folder = table.parent().unwrap_or(root);
    let pictures = read_rows(root, folder, rows.rows()).map_err(problem)?;
    let class_names = class_names(&pictures);
    Ok((pictures, class_names))
}

fn read_rows(root: &Path, folder: &Path, rows: &[Row<2>]) -> Result<Vec<Listed>, LabelsError> {
    let mut seen: HashMap<PathBuf, String> = HashMap::new();
    let mut pictures = Vec::new();
    for row in rows {
        let picture = read_row(root, folder, row)?;
        match seen.get(&picture.path) {
            Some(former) if *former != picture.class => {
                return Err(LabelsError::Twice {
                    line: row.line,
                    file: row.fields[0].clone(),
                    former: former.clone(),
                    label: picture.class,
                });
            }
            // A list may repeat a picture to give it more weight.
            Some(_) => {}
            None => drop(seen.insert(picture.path.clone(), picture.class.clone())),
        }
        pictures.push(picture);
    }
    if pictures.is_empty() {
        return Err(LabelsError::NoRows);
    }
    Ok(pictures)
}

fn read_row(root: &Path, folder: &Path, row: &Row<2>) -> Result<Listed, LabelsError> {
    let line = row.line;
    for (field, column) in row.fields.iter().zip(COLUMNS) {
        if field.trim().is_empty() {
            return Err(LabelsError::EmptyField { line, column });
        }
    }
    let [file, class] = row.fields.each_ref().map(String::as_str);
    let (blank, class) = (file.trim() != file, class.trim());
    // Blanks around a name are seldom part of it.
    let file = if blank && zipped::is_file(&folder.join(file)) {
        file
    } else {
        file.trim()
    };
    let Some(relative) = plain_relative(folder, file) else {
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
    Ok(Listed::new(name, path, class))
}

/// `file` without `.` parts, or `None` when it is absolute or has `..`.
fn plain_relative(folder: &Path, file: &str) -> Option<PathBuf> {
    // Tables that were made on Windows separate folders in their own way.
    let turned = file.replace('\\', "/");
    if turned != file && !zipped::is_file(&folder.join(file)) {
        return plain(&turned);
    }
    plain(file)
}

fn plain(file: &str) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mutations;

    #[test]
    fn damaged_tables_never_panic() {
        let good = b"file,label\na.png,cat\n\"deep/b, c.png\",dog\na.png,cat\n".to_vec();
        let windows = b"sep=;\r\nlabel;file\r\n1;deep\\b.png\r\n2;a.png\r\n".to_vec();
        let root = Path::new("no such folder");
        let survivors = mutations(&[good, windows], |bytes| {
            let table = Table::parse(Path::new("x"), bytes.to_vec(), COLUMNS);
            let pictures = table.map(|table| read_rows(root, root, table.rows()));
            pictures.is_ok_and(|pictures| {
                pictures.is_ok_and(|pictures| !class_names(&pictures).is_empty())
            })
        });
        assert!(survivors > 0.01, "{survivors}");
    }
}
