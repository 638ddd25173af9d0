//! The tables of GTSRB: labels of pictures, and where in them the signs are.

use std::collections::HashMap;
use std::path::{Component, Path};

use super::layout::{LABELS, class, class_names};
use crate::dataset::NotRead;
use crate::dataset::files::FilesError;
use crate::dataset::folder::{Listed, Listing, list_unlabelled};
use crate::picture::Region;
use crate::table::{Row, Table, TableError};

/// Corners of the sign: left, upper, right and lower edge.
const CORNERS: [&str; 4] = ["Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"];

/// Whether the table at `path` has no labels, although it is one.
pub(super) fn lacks_labels(path: &Path) -> Result<bool, FilesError> {
    match Table::read(path, ["ClassId"]) {
        Ok(_) => Ok(false),
        Err(TableError::Columns { .. }) => Ok(Table::read(path, ["Width"]).is_ok()),
        Err(error) => Err(error.into()),
    }
}

/// The pictures of a table, whose names are relative to `folder`, under names relative to `root`.
pub(super) fn listed(
    root: &Path,
    folder: &Path,
    table: &Path,
    column: &str,
    roi: bool,
) -> Result<Listing, FilesError> {
    let rows = Table::read(table, [column, "ClassId"])?;
    let mut pictures = named(root, folder, &rows, column)?;
    if roi {
        let regions = regions(&Table::read(table, region_columns(column))?)?;
        for (picture, row) in pictures.iter_mut().zip(rows.rows()) {
            picture.region = regions.get(row.fields[0].trim()).copied();
        }
    }
    pictures.sort_by(|left, right| left.path.cmp(&right.path));
    let twice = pictures
        .windows(2)
        .find(|pair| pair[0].path == pair[1].path);
    if let Some(pair) = twice {
        let reason = format!("it names `{}` twice", pair[0].name);
        return Err(FilesError::content(table, reason));
    }
    let not_read = if folder == root {
        NotRead::default()
    } else {
        not_listed(root, folder, &pictures)?
    };
    Ok(Listing {
        root: folder.into(),
        base: root.into(),
        pictures,
        class_names: class_names(),
        not_read,
    })
}

/// The pictures of the rows, in their order.
fn named(
    root: &Path,
    folder: &Path,
    rows: &Table<2>,
    column: &str,
) -> Result<Vec<Listed>, FilesError> {
    let picture = |row: &Row<2>| -> Result<Listed, FilesError> {
        let [file, label] = row.fields.each_ref().map(|field| field.trim());
        let class = class(label.parse().ok())
            .ok_or_else(|| rows.error(row, format!("`ClassId` is `{label}`, expected 0 to 42")))?;
        let mut parts = Path::new(file).components();
        if file.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            let reason = format!("`{column}` is `{file}`, expected a name below the folder");
            return Err(rows.error(row, reason).into());
        }
        let path = folder.join(file);
        Ok(Listed::new(name(root, &path), path, class))
    };
    rows.rows().iter().map(picture).collect()
}

/// Puts in where the signs are, which the tables `GT-000CC.csv` of the class folders in `train` say.
pub(super) fn add_regions(train: &Path, pictures: &mut [Listed]) -> Result<(), FilesError> {
    let mut known: HashMap<String, HashMap<String, Region>> = HashMap::new();
    for picture in pictures {
        let class = &picture.class;
        let table = train.join(class).join(format!("GT-{class}.csv"));
        if !known.contains_key(class) {
            let rows = Table::read(&table, region_columns("Filename"))?;
            known.insert(class.clone(), regions(&rows)?);
        }
        let file = picture.path.file_name().unwrap_or_default();
        let region = known[class].get(file.to_string_lossy().as_ref());
        picture.region = Some(*region.ok_or_else(|| {
            let reason = format!("it does not say where the sign in `{}` is", picture.name);
            FilesError::content(&table, reason)
        })?);
    }
    Ok(())
}

/// The columns of pictures and corners.
fn region_columns(column: &str) -> [&str; 5] {
    let [left, top, right, bottom] = CORNERS;
    [column, left, top, right, bottom]
}

/// The regions of a table by the names of their pictures.
fn regions(rows: &Table<5>) -> Result<HashMap<String, Region>, FilesError> {
    let region = |row: &Row<5>| -> Result<(String, Region), FilesError> {
        let corner = |at: usize| {
            let text = row.fields[at].trim();
            let wrong = || {
                format!(
                    "`{}` is `{text}`, expected a number of pixels",
                    CORNERS[at - 1]
                )
            };
            text.parse().map_err(|_| rows.error(row, wrong()))
        };
        let region = Region {
            left: corner(1)?,
            top: corner(2)?,
            right: corner(3)?,
            bottom: corner(4)?,
        };
        Ok((row.fields[0].trim().to_owned(), region))
    };
    rows.rows().iter().map(region).collect()
}

/// Pictures in the folder of test pictures that the table does not list.
fn not_listed(root: &Path, folder: &Path, listed: &[Listed]) -> Result<NotRead, FilesError> {
    let mut not_read = NotRead::default();
    for found in list_unlabelled(folder)?.pictures {
        if listed
            .binary_search_by(|picture| picture.path.cmp(&found.path))
            .is_err()
        {
            let reason = format!("pictures that `{LABELS}` does not list");
            not_read.add(reason, name(root, &found.path));
        }
    }
    Ok(not_read)
}

fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mutations;

    #[test]
    fn damaged_tables_never_panic() {
        let good = b"Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00001.ppm;5;6;1;1;4;4;41\r\n00000.ppm;5;6;1;1;4;4;3\r\n".to_vec();
        let place = Path::new("x");
        let survivors = mutations(&[good], |bytes| {
            let labels = Table::parse(place, bytes.to_vec(), ["Filename", "ClassId"]);
            let corners = Table::parse(place, bytes.to_vec(), region_columns("Filename"));
            labels.is_ok_and(|rows| named(place, place, &rows, "Filename").is_ok())
                | corners.is_ok_and(|rows| regions(&rows).is_ok())
        });
        assert!(survivors > 0.01, "{survivors}");
    }
}
