//! Where the pictures and labels of GTSRB lie: in folders, or in the archives as they are published.

use std::path::{Path, PathBuf};

use super::{CLASSES, INFO, tables};
use crate::dataset::archives;
use crate::dataset::files::FilesError;
use crate::dataset::folder::{Listing, list_pictures};
use crate::zipped;

/// Labels of the official test pictures.
pub(super) const LABELS: &str = "GT-final_test.csv";
/// The table beside the official test pictures, which has no labels.
const WITHOUT_LABELS: &str = "GT-final_test.test.csv";
/// Folders of training pictures by class.
const TRAIN: [&str; 3] = ["Final_Training/Images", "Training", "Train"];
/// Folders of test pictures.
const TEST: [&str; 2] = ["Final_Test/Images", "Test"];
/// Tables of the form with one table for each part.
const TABLES: [&str; 2] = ["Train.csv", "Test.csv"];

const EXPECTED: &str = "`Final_Training/Images/00000` and `Final_Test/Images` (official), `Training/00000` (torchvision), \
     `Train/00000` and `Test` (attack benchmarks), `Train.csv` and `Test.csv` with the columns Path and ClassId, or the zip archives of these";
const TEST_ARCHIVE: &str =
    "labels of test pictures that are not there (they are in GTSRB_Final_Test_Images.zip)";

/// The training pictures at `path` and, where there are any, the test pictures; only the regions of the signs with `roi`.
pub(super) fn list(path: &Path, roi: bool) -> Result<(Listing, Option<Listing>), FilesError> {
    let places = places(path)?;
    for place in &places {
        if TABLES
            .iter()
            .any(|table| zipped::is_file(&place.join(table)))
        {
            return by_tables(place, roi);
        }
        if first(place, &TRAIN).is_some() {
            break;
        }
    }
    let mut trains = found(&places, &TRAIN).into_iter();
    let test = found(&places, &TEST).into_iter().next();
    let labels = labels(&places, test.as_ref())?;
    let Some((root, folder)) = trains.next() else {
        return Err(without_train(path, test.as_ref(), labels.as_deref()));
    };
    let mut train = by_classes(&root, &folder, roi)?;
    for (_, other) in trains {
        let reason = format!("other training pictures; `{}` is taken", folder.display());
        train.not_read.add(reason, other.display().to_string());
    }
    let test = match (test, labels) {
        (Some((root, folder)), Some(labels)) => {
            let listing = tables::listed(&root, &folder, &labels, "Filename", roi)?;
            Some(listing)
        }
        (Some((_, folder)), None) => return Err(without_labels(&folder)),
        (None, Some(labels)) => {
            train
                .not_read
                .add(TEST_ARCHIVE, labels.display().to_string());
            None
        }
        (None, None) => None,
    };
    Ok((train, test))
}

/// Where layouts may begin: what lies in folders first, then what lies in archives.
fn places(path: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut places = Vec::new();
    let nested = |place: &Path| {
        [
            place.to_path_buf(),
            place.join("GTSRB"),
            place.join("gtsrb"),
        ]
    };
    let folders: Vec<PathBuf> = nested(path)
        .into_iter()
        .filter(|place| place.is_dir())
        .collect();
    let is_unpacked = folders.iter().any(|place| {
        let tables = TABLES.iter().any(|table| place.join(table).is_file());
        tables || first(place, &TRAIN).is_some() && first(place, &TEST).is_some()
    });
    places.extend(folders.iter().cloned());
    if !is_unpacked {
        for archive in archives::in_folders(path, &folders)? {
            places.extend(nested(&archive).into_iter().filter(|at| zipped::is_dir(at)));
        }
    }
    Ok(places)
}

fn first(root: &Path, folders: &[&str]) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| root.join(folder))
        .find(|folder| zipped::is_dir(folder))
}

/// The places that have one of `folders`, each with it.
fn found(places: &[PathBuf], folders: &[&str]) -> Vec<(PathBuf, PathBuf)> {
    places
        .iter()
        .filter_map(|place| Some((place.clone(), first(place, folders)?)))
        .collect()
}

/// The table of labels of the test pictures; one that has none is passed over as long as there is another.
fn labels(
    places: &[PathBuf],
    test: Option<&(PathBuf, PathBuf)>,
) -> Result<Option<PathBuf>, FilesError> {
    let near = test.into_iter().flat_map(|(root, folder)| {
        [
            Some(folder.as_path()),
            folder.parent(),
            Some(root),
            root.parent(),
        ]
    });
    let near = near.flatten().map(Path::to_path_buf);
    let tables = near
        .chain(places.iter().cloned())
        .map(|place| place.join(LABELS))
        .filter(|table| zipped::is_file(table));
    let mut unlabelled = None;
    for table in tables {
        if !tables::lacks_labels(&table)? {
            return Ok(Some(table));
        }
        unlabelled = Some(table);
    }
    match unlabelled {
        Some(table) => Err(FilesError::content(
            &table,
            "it has no column `ClassId`: it is the table that came with the test pictures, before their labels were published; \
             those are in GTSRB_Final_Test_GT.zip",
        )),
        None => Ok(None),
    }
}

fn without_train(
    path: &Path,
    test: Option<&(PathBuf, PathBuf)>,
    labels: Option<&Path>,
) -> FilesError {
    let found = test.map(|(_, folder)| folder.as_path()).into_iter();
    let found: Vec<String> = found
        .chain(labels)
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if found.is_empty() {
        return FilesError::NotFound {
            dataset: INFO.title,
            path: path.into(),
            expected: EXPECTED,
        };
    }
    FilesError::Missing {
        dataset: INFO.title,
        path: path.into(),
        missing: format!(
            "the training pictures (`Final_Training/Images`, `Training` or `Train`, or GTSRB_Final_Training_Images.zip or \
             GTSRB-Training_fixed.zip); found {}",
            found.join(" and ")
        ),
    }
}

fn without_labels(folder: &Path) -> FilesError {
    let beside = if zipped::is_file(&folder.join(WITHOUT_LABELS)) {
        format!(" (`{WITHOUT_LABELS}` has no labels)")
    } else {
        String::new()
    };
    FilesError::Missing {
        dataset: INFO.title,
        path: folder.into(),
        missing: format!(
            "`{LABELS}`{beside}, the labels of the test pictures, which are in GTSRB_Final_Test_GT.zip"
        ),
    }
}

fn by_classes(root: &Path, train: &Path, roi: bool) -> Result<Listing, FilesError> {
    let mut listing = list_pictures(root, train)?;
    if roi {
        tables::add_regions(train, &mut listing.pictures)?;
    }
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
    Ok(listing)
}

fn by_tables(root: &Path, roi: bool) -> Result<(Listing, Option<Listing>), FilesError> {
    let [train, test] = TABLES.map(|table| root.join(table));
    if !zipped::is_file(&train) {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: root.into(),
            missing: format!("`{}`; found `{}`", TABLES[0], TABLES[1]),
        });
    }
    let listed = |table: &Path| tables::listed(root, root, table, "Path", roi);
    let mut train = listed(&train)?;
    if !zipped::is_file(&test) {
        let reason = format!(
            "test pictures without `{}`, which has their labels",
            TABLES[1]
        );
        if zipped::is_dir(&root.join("Test")) {
            train.not_read.add(reason, "Test".into());
        }
        return Ok((train, None));
    }
    if tables::lacks_labels(&test)? {
        return Err(FilesError::content(&test, "it has no column `ClassId`"));
    }
    Ok((train, Some(listed(&test)?)))
}

pub(super) fn class(number: Option<usize>) -> Option<String> {
    CLASSES.get(number?).map(ToString::to_string)
}

pub(super) fn class_names() -> Vec<String> {
    CLASSES.map(String::from).to_vec()
}
