//! Results beside the pictures, never among them: a later scan would take them for pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Refuses results in `out` that would lie inside the folder of pictures `images`.
///
/// # Errors
///
/// When they would, and when a path cannot be made out.
pub(crate) fn check(out: &Path, images: &Path) -> Result<()> {
    if !images.is_dir() {
        return Ok(());
    }
    let images = whole(images)?;
    if whole(out)?.starts_with(&images) {
        bail!(
            "--out {}: lies in the folder of the pictures, {}, where a later scan would take the results for pictures; name a folder beside it",
            out.display(),
            images.display()
        );
    }
    Ok(())
}

/// The path without links, of which the last parts need not be there yet.
fn whole(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| path.display().to_string())?;
    let known = absolute
        .ancestors()
        .find_map(|part| Some((part, part.canonicalize().ok()?)));
    let Some((part, known)) = known else {
        return Ok(absolute);
    };
    let rest = absolute.strip_prefix(part).unwrap_or(Path::new(""));
    Ok(known.join(rest).components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_lie_beside_the_pictures() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join("images");
        std::fs::create_dir_all(images.join("a")).expect("made");
        for out in [
            "images",
            "images/a",
            "images/runs/scan",
            "images/../images/x",
        ] {
            let error = check(&folder.path().join(out), &images).expect_err(out);
            assert!(
                error.to_string().contains("name a folder beside it"),
                "{error}"
            );
        }
        for out in ["runs/scan", "images-2", "."] {
            check(&folder.path().join(out), &images).expect(out);
        }
        check(
            &folder.path().join("images.zip/runs"),
            &folder.path().join("images.zip"),
        )
        .expect("a file holds no results");
    }
}
