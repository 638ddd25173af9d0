//! Validation pictures in one folder, with a list of their classes beside them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::INFO;
use super::classes::{Classes, is_wnid};
use crate::dataset::files::{self, FilesError};
use crate::dataset::folder::{Listed, Listing, list_unlabelled};
use crate::table::Table;
use crate::zipped;

/// Table of picture and classes with boxes, of which the first class counts.
const TABLE: &str = "LOC_val_solution.csv";
const COLUMNS: [&str; 2] = ["ImageId", "PredictionString"];
/// Classes of the pictures in the order of their numbers, one in a line.
const LINES: &str = "imagenet_2012_validation_synset_labels.txt";
/// The lists that are understood, for messages.
pub(super) const KNOWN: &str =
    "`LOC_val_solution.csv` or `imagenet_2012_validation_synset_labels.txt`";
/// Largest accepted list in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The classes of validation pictures by the names of their files without endings.
#[derive(Debug)]
pub(super) struct Map {
    path: PathBuf,
    classes: HashMap<String, String>,
}

impl Map {
    /// The first list in one of `folders`.
    pub(super) fn find(folders: &[&Path]) -> Result<Option<Self>, FilesError> {
        let paths = |name: &'static str| folders.iter().map(move |folder| folder.join(name));
        let there = |path: &PathBuf| zipped::is_file(path);
        if let Some(path) = paths(TABLE).find(there) {
            let classes = of_table(&Table::read(&path, COLUMNS)?)?;
            return Ok(Some(Self { path, classes }));
        }
        let Some(path) = paths(LINES).find(there) else {
            return Ok(None);
        };
        let classes = of_lines(&path, &files::text(&path, MOST_BYTES)?)?;
        Ok(Some(Self { path, classes }))
    }

    /// The pictures in `folder` that have one of `classes`, under names relative to `root`.
    pub(super) fn listing(
        &self,
        root: &Path,
        folder: &Path,
        classes: &Classes,
    ) -> Result<Listing, FilesError> {
        let mut listing = list_unlabelled(folder)?;
        let inside = folder.strip_prefix(root).unwrap_or(folder).display();
        let mut pictures = Vec::new();
        for picture in std::mem::take(&mut listing.pictures) {
            let stem = picture.path.file_stem().unwrap_or_default();
            let class = self.classes.get(stem.to_string_lossy().as_ref());
            let class = class.ok_or_else(|| {
                let reason = format!("it has no class for the picture `{}`", picture.name);
                FilesError::content(&self.path, reason)
            })?;
            if classes.has(class) {
                let name = format!("{inside}/{}", picture.name);
                pictures.push(Listed::new(name, picture.path, class));
            }
        }
        if pictures.is_empty() {
            return Err(FilesError::Missing {
                dataset: INFO.title,
                path: folder.into(),
                missing: "pictures of the chosen classes".into(),
            });
        }
        Ok(Listing {
            base: root.into(),
            pictures,
            ..listing
        })
    }
}

fn of_table(rows: &Table<2>) -> Result<HashMap<String, String>, FilesError> {
    let class = |row: &crate::table::Row<2>| {
        let [name, boxes] = row.fields.each_ref().map(|field| field.trim());
        if let Some(class) = boxes.split(' ').next().filter(|class| is_wnid(class)) {
            return Ok((name.to_owned(), class.to_owned()));
        }
        let reason =
            format!("`PredictionString` is `{boxes}`, expected a class such as n01440764 first");
        Err(rows.error(row, reason).into())
    };
    rows.rows().iter().map(class).collect()
}

fn of_lines(path: &Path, text: &str) -> Result<HashMap<String, String>, FilesError> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let class = |(number, class): (usize, &str)| {
        if is_wnid(class) {
            return Ok((format!("ILSVRC2012_val_{number:08}"), class.to_owned()));
        }
        let reason = format!("line {number} is `{class}`, expected a class such as n01440764");
        Err(FilesError::content(path, reason))
    };
    lines.map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mutations;

    #[test]
    fn damaged_lists_never_panic() {
        let bases = [
            b"n02102040\nn01440764\n".to_vec(),
            b"ImageId,PredictionString\nILSVRC2012_val_00000001,n02102040 1 1 5 5\n".to_vec(),
        ];
        let path = Path::new("x");
        let survivors = mutations(&bases, |bytes| {
            let table = Table::parse(path, bytes.to_vec(), COLUMNS);
            let text = str::from_utf8(bytes);
            table.is_ok_and(|table| of_table(&table).is_ok())
                | text.is_ok_and(|text| of_lines(path, text).is_ok())
        });
        assert!(survivors > 0.01, "{survivors}");
    }
}
