//! Test pictures that lie beside the training pictures: used as far as they fit, and never in the way.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use cd_core::names::nearest;

use super::error::FolderError;
use super::list::{Listing, list_pictures, list_unlabelled};
use crate::dataset::NotRead;

/// The first of `folders` with pictures of the training `classes`; what of them is not used goes to `not_read`.
pub(super) fn test_beside(
    root: &Path,
    folders: &[PathBuf],
    classes: &[String],
    not_read: &mut NotRead,
) -> Result<Option<Listing>, FolderError> {
    let mut chosen: Option<Listing> = None;
    for folder in folders {
        let name = folder.strip_prefix(root).unwrap_or(folder).display();
        if let Some(first) = &chosen {
            let first = first
                .root
                .strip_prefix(root)
                .unwrap_or(&first.root)
                .display();
            leave_out(
                root,
                folder,
                &format!("pictures in `{name}`: `{first}` is taken to test on"),
                not_read,
            )?;
            continue;
        }
        match list_pictures(root, folder) {
            Ok(listing) => chosen = of_known_classes(listing, classes, not_read),
            Err(FolderError::Flat { .. }) => {
                let reason = format!(
                    "test pictures that lie directly in `{name}`, where nothing tells their classes"
                );
                leave_out(root, folder, &reason, not_read)?;
            }
            // A folder without pictures leaves none out.
            Err(FolderError::Nothing { .. }) => {}
            Err(FolderError::EmptyClass { path, .. }) => {
                let class = path.file_name().unwrap_or_default().to_string_lossy();
                let reason =
                    format!("test pictures in `{name}`, whose class folder `{class}` is empty");
                leave_out(root, folder, &reason, not_read)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(chosen)
}

/// The pictures of `listing` that have one of `classes`, if there are any.
fn of_known_classes(
    mut listing: Listing,
    classes: &[String],
    not_read: &mut NotRead,
) -> Option<Listing> {
    let known: HashSet<&str> = classes.iter().map(String::as_str).collect();
    let (kept, other): (Vec<_>, Vec<_>) = std::mem::take(&mut listing.pictures)
        .into_iter()
        .partition(|picture| known.contains(picture.class.as_str()));
    for picture in other {
        let names = classes.iter().map(String::as_str);
        let guess = nearest(&picture.class, names).map(|near| format!("; did you mean `{near}`?"));
        let reason = format!(
            "test pictures of class `{}`, which no training picture has{}",
            picture.class,
            guess.unwrap_or_default()
        );
        not_read.add(reason, picture.name);
    }
    not_read.append(std::mem::take(&mut listing.not_read));
    listing.pictures = kept;
    (!listing.pictures.is_empty()).then_some(listing)
}

/// Notes all pictures below `folder`.
fn leave_out(
    root: &Path,
    folder: &Path,
    reason: &str,
    not_read: &mut NotRead,
) -> Result<(), FolderError> {
    match list_unlabelled(folder) {
        Ok(listing) => {
            let inside = folder.strip_prefix(root).unwrap_or(folder).display();
            for picture in listing.pictures {
                not_read.add(reason.to_owned(), format!("{inside}/{}", picture.name));
            }
            Ok(())
        }
        Err(FolderError::Nothing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
