//! Results beside the pictures, never among them: a later scan would take them for pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use cd_data::DatasetConfig;

/// Where results go, and the option that says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Results<'a> {
    option: &'static str,
    path: &'a Path,
    /// The folder for files that go beside the results.
    pub(crate) folder: &'a Path,
}

impl<'a> Results<'a> {
    /// The folder `--out`.
    pub(crate) fn folder(out: &'a Path) -> Self {
        Self {
            option: "--out",
            path: out,
            folder: out,
        }
    }

    /// The file that `option` names.
    pub(crate) fn file(option: &'static str, path: &'a Path) -> Self {
        Self {
            option,
            path,
            folder: path.parent().unwrap_or(Path::new(".")),
        }
    }

    /// Refuses results among the pictures of the folder that is the data set.
    ///
    /// # Errors
    ///
    /// As [`Results::check`].
    pub(crate) fn check_set(&self, set: &DatasetConfig) -> Result<()> {
        let DatasetConfig::Folder(set) = set else {
            return Ok(());
        };
        for images in std::iter::once(&set.path).chain(&set.test) {
            self.check(images)?;
        }
        Ok(())
    }

    /// Refuses results that would lie inside the folder of pictures `images`.
    ///
    /// # Errors
    ///
    /// When they would, and when a path cannot be made out.
    pub(crate) fn check(&self, images: &Path) -> Result<()> {
        inside(self.option, self.path, images)
    }
}

/// Refuses results in `out` that would lie inside the folder of pictures `images`.
///
/// # Errors
///
/// As [`Results::check`].
pub(crate) fn check(out: &Path, images: &Path) -> Result<()> {
    Results::folder(out).check(images)
}

/// Refuses a picture that is to be written in another form than PNG, or onto the picture `read`.
///
/// # Errors
///
/// When it is, and when a path cannot be made out.
pub(crate) fn check_png(option: &str, path: &Path, read: Option<&Path>) -> Result<()> {
    let ending = path.extension().unwrap_or_default();
    if !ending.eq_ignore_ascii_case("png") {
        bail!(
            "{option} {}: what is written is a PNG; give the name the ending .png",
            path.display()
        );
    }
    if let Some(read) = read
        && whole(path)? == whole(read)?
    {
        bail!(
            "{option} {}: is the picture that is read; name another file",
            path.display()
        );
    }
    Ok(())
}

fn inside(option: &str, out: &Path, images: &Path) -> Result<()> {
    if !images.is_dir() {
        return Ok(());
    }
    let images = whole(images)?;
    if whole(out)?.starts_with(&images) {
        bail!(
            "{option} {}: lies in the folder of the pictures, {}, where a later scan would take the results for pictures; name a place beside it",
            out.display(),
            images.display()
        );
    }
    Ok(())
}

/// The path without links, of which the last parts need not be there yet.
pub(super) fn whole(path: &Path) -> Result<PathBuf> {
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
                error.to_string().contains("name a place beside it"),
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

    #[test]
    fn a_picture_never_replaces_the_one_that_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = |name: &str| folder.path().join(name);
        std::fs::write(here("a.png"), "x").expect("written");
        let refused = |out: &str| {
            let error = check_png("--out", &here(out), Some(&here("a.png")));
            error.expect_err(out).to_string()
        };
        assert!(refused("./a.png").contains("the picture that is read"));
        assert!(refused("b.jpg").contains("the ending .png"));
        assert!(refused("b").contains("the ending .png"));
        for out in ["b.png", "B.PNG"] {
            check_png("--out", &here(out), Some(&here("a.png"))).expect(out);
        }
    }
}
