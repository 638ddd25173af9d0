//! Where the pictures and labels of GTSRB lie.

use std::path::{Path, PathBuf};

use super::{CLASSES, INFO};
use crate::dataset::NotRead;
use crate::dataset::files::FilesError;
use crate::dataset::folder::{Listed, Listing, list_pictures, list_unlabelled};
use crate::table::Table;

/// Labels of the official test pictures.
const LABELS: &str = "GT-final_test.csv";
/// The table beside the official test pictures, which has no labels.
const WITHOUT_LABELS: &str = "GT-final_test.test.csv";
/// Folders of training pictures by class.
const TRAIN: [&str; 3] = ["Final_Training/Images", "Training", "Train"];
/// Folders of test pictures.
const TEST: [&str; 2] = ["Final_Test/Images", "Test"];
/// Tables of the form with one table for each part.
const TABLES: [&str; 2] = ["Train.csv", "Test.csv"];

const EXPECTED: &str = "`Final_Training/Images/00000` and `Final_Test/Images` (official), `Training/00000` (torchvision), \
     `Train/00000` and `Test` (attack benchmarks), or `Train.csv` and `Test.csv` with the columns Path and ClassId";

/// The training pictures below `path` and, where there are any, the test pictures.
pub(super) fn list(path: &Path) -> Result<(Listing, Option<Listing>), FilesError> {
    let roots = [path.to_path_buf(), path.join("GTSRB"), path.join("gtsrb")];
    for root in &roots {
        if TABLES.iter().any(|table| root.join(table).is_file()) {
            return by_tables(root);
        }
        if let Some(train) = first(root, &TRAIN) {
            return by_folders(root, &train);
        }
    }
    Err(FilesError::NotFound {
        dataset: INFO.title,
        path: path.into(),
        expected: EXPECTED,
    })
}

fn first(root: &Path, folders: &[&str]) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| root.join(folder))
        .find(|folder| folder.is_dir())
}

fn by_folders(root: &Path, train: &Path) -> Result<(Listing, Option<Listing>), FilesError> {
    let mut listing = list_pictures(root, train)?;
    for picture in &mut listing.pictures {
        let number = picture.class.parse().ok();
        picture.class = class(number).ok_or_else(|| {
            FilesError::content(
                train,
                format!(
                    "class folder `{}` is no number from 00000 to 00042",
                    picture.class
                ),
            )
        })?;
    }
    listing.class_names = class_names();
    // Every class folder has a table, which repeats its number.
    listing.not_read.retain(|file| !file.contains("/GT-"));
    let test = first(root, &TEST)
        .map(|folder| test(root, &folder))
        .transpose()?;
    Ok((listing, test))
}

fn test(root: &Path, folder: &Path) -> Result<Listing, FilesError> {
    let places = [Some(folder), folder.parent(), Some(root), root.parent()];
    let tables = places.into_iter().flatten().map(|place| place.join(LABELS));
    let Some(table) = tables.into_iter().find(|table| table.is_file()) else {
        let beside = if folder.join(WITHOUT_LABELS).is_file() {
            format!(" (`{WITHOUT_LABELS}` has no labels)")
        } else {
            String::new()
        };
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: folder.into(),
            missing: format!(
                "`{LABELS}`{beside}, the labels of the test pictures, which are in GTSRB_Final_Test_GT.zip"
            ),
        });
    };
    listed(root, folder, &table, "Filename")
}

fn by_tables(root: &Path) -> Result<(Listing, Option<Listing>), FilesError> {
    let [train, test] = TABLES.map(|table| root.join(table));
    if !train.is_file() {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: root.into(),
            missing: format!("`{}`", TABLES[0]),
        });
    }
    let test = test.is_file().then(|| listed(root, root, &test, "Path"));
    Ok((listed(root, root, &train, "Path")?, test.transpose()?))
}

/// The pictures of a table, whose names are relative to `folder`.
fn listed(root: &Path, folder: &Path, table: &Path, column: &str) -> Result<Listing, FilesError> {
    let rows = Table::read(table, [column, "ClassId"])?;
    let mut pictures = Vec::with_capacity(rows.rows().len());
    for row in rows.rows() {
        let [file, label] = row.fields.each_ref().map(|field| field.trim());
        let class = class(label.parse().ok())
            .ok_or_else(|| rows.error(row, format!("`ClassId` is `{label}`, expected 0 to 42")))?;
        let plain = Path::new(file)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if file.is_empty() || !plain {
            return Err(rows
                .error(
                    row,
                    format!("`{column}` is `{file}`, expected a name below the folder"),
                )
                .into());
        }
        let path = folder.join(file);
        pictures.push(Listed {
            name: name(root, &path),
            path,
            class,
        });
    }
    pictures.sort_by(|left, right| left.path.cmp(&right.path));
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

/// Pictures in the folder of test pictures that the table does not list.
fn not_listed(root: &Path, folder: &Path, listed: &[Listed]) -> Result<NotRead, FilesError> {
    let mut not_read = NotRead::default();
    for found in list_unlabelled(folder)?.pictures {
        if listed
            .binary_search_by(|picture| picture.path.cmp(&found.path))
            .is_err()
        {
            not_read.add(
                format!("pictures that `{LABELS}` does not list"),
                name(root, &found.path),
            );
        }
    }
    Ok(not_read)
}

fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn class(number: Option<usize>) -> Option<String> {
    CLASSES.get(number?).map(ToString::to_string)
}

fn class_names() -> Vec<String> {
    CLASSES.map(String::from).to_vec()
}
