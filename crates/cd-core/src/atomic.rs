//! Files and folders that appear whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What the names of unfinished files and folders begin with.
const PREFIX: &str = ".writing-";

/// Writes `bytes` to `path` through a temporary file in the same folder.
///
/// After a crash at any moment the path holds either its former content or the new one. A link is followed.
///
/// # Errors
///
/// I/O errors, and when `path` is a folder or a device; the former content stays.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], with what `fill` writes.
///
/// # Errors
///
/// Those of `fill` and of [`write()`].
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let followed = fs::canonicalize(path);
    let path = followed.as_deref().unwrap_or(path);
    if path.exists() && !path.is_file() {
        return Err(io::Error::other("is no plain file; choose another name"));
    }
    let folder = parent(path);
    fs::create_dir_all(&folder)?;
    let file = scratch(0o666).tempfile_in(&folder)?;
    let mut buffered = BufWriter::new(file);
    fill(&mut buffered)?;
    let file = buffered.into_inner()?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes `to` another name of the file `from`, in place of what was there.
///
/// # Errors
///
/// I/O errors, among them that file systems differ or know no links; the former content stays.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    let folder = scratch(0o777).tempdir_in(parent(to))?;
    let name = folder.path().join("link");
    fs::hard_link(from, &name)?;
    // Where both are the same file already this does nothing, and the folder takes the second name away.
    fs::rename(&name, to)
}

/// Removes what processes that were killed in the middle of writing left in `folder` and the folders inside. Another one that
/// is writing there now fails.
///
/// # Errors
///
/// When a folder cannot be read or something cannot be removed; what is gone already is no error.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, is_folder) = (entry.path(), entry.file_type()?.is_dir());
        let is_leftover = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let outcome = match (is_folder, is_leftover) {
            (true, true) => fs::remove_dir_all(path),
            (false, true) => fs::remove_file(path),
            (true, false) => remove_leftovers(&path),
            (false, false) => Ok(()),
        };
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Fills a new folder with `fill`, then moves it to `path`, replacing what was there.
///
/// # Errors
///
/// Those of `fill` and I/O errors; the former folder stays unless the very last step fails.
pub fn replace_folder<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let folder = parent(path);
    fs::create_dir_all(&folder).map_err(|error| named(&folder, &error))?;
    let scratch = scratch(0o777)
        .tempdir_in(&folder)
        .map_err(|error| named(&folder, &error))?;
    fill(scratch.path())?;
    if path.exists() {
        fs::remove_dir_all(path).map_err(|error| named(path, &error))?;
    }
    let scratch = scratch.keep();
    fs::rename(&scratch, path).map_err(|error| named(path, &error))?;
    Ok(())
}

/// Temporary files and folders with the permissions that ordinary ones get: `mode` less the umask.
fn scratch(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_folders_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write(&target, b"old").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        write(&link, b"new").expect("written");
        assert_eq!(fs::read(&target).expect("read"), b"new");
        assert!(link.is_symlink());
        assert!(write(folder.path(), b"x").is_err());
        assert!(write(Path::new("/dev/full"), b"x").is_err());
        assert!(Path::new("/dev/full").exists());
    }

    #[test]
    fn failed_fill_leaves_the_former_folder() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let path = scratch.path().join("out");
        replace_folder::<io::Error>(&path, |folder| fs::write(folder.join("a"), "1"))
            .expect("fill");
        let failed = replace_folder::<io::Error>(&path, |folder| {
            fs::write(folder.join("a"), "2")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(path.join("a")).expect("kept"), b"1");
        let left = fs::read_dir(scratch.path()).expect("list").count();
        assert_eq!(left, 1, "no scratch folder stays behind");
    }

    #[test]
    fn links_replace_and_leave_nothing_else() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let here = |name: &str| scratch.path().join(name);
        fs::write(here("a"), "1").expect("written");
        fs::write(here("b"), "2").expect("written");
        for _ in 0..2 {
            link(&here("a"), &here("b")).expect("linked");
            assert_eq!(fs::read(here("b")).expect("read"), b"1");
        }
        assert!(link(&here("none"), &here("b")).is_err());
        assert_eq!(fs::read(here("b")).expect("kept"), b"1");
        assert_eq!(fs::read_dir(scratch.path()).expect("list").count(), 2);
    }

    #[test]
    fn leftovers_go_and_everything_else_stays() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let here = |name: &str| scratch.path().join(name);
        fs::write(here(".writing-a"), "half").expect("written");
        fs::create_dir_all(here(".writing-b/c")).expect("made");
        fs::create_dir(here("inside")).expect("made");
        fs::write(here("inside/.writing-d"), "half").expect("written");
        fs::write(here("inside/whole"), "1").expect("written");
        remove_leftovers(scratch.path()).expect("removed");
        assert!(here("inside/whole").exists());
        for folder in [scratch.path(), &here("inside")] {
            assert_eq!(fs::read_dir(folder).expect("list").count(), 1);
        }
        assert!(remove_leftovers(&here("none")).is_err());
    }

    #[test]
    fn write_replaces_and_makes_folders() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let path = scratch.path().join("sub/file");
        write(&path, b"1").expect("write");
        write(&path, b"2").expect("rewrite");
        assert_eq!(fs::read(&path).expect("read"), b"2");
        assert!(write(&path.join("below-a-file"), b"3").is_err());
    }
}
