//! Files and folders that appear whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
    builder.prefix(".writing-");
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
    fn write_replaces_and_makes_folders() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let path = scratch.path().join("sub/file");
        write(&path, b"1").expect("write");
        write(&path, b"2").expect("rewrite");
        assert_eq!(fs::read(&path).expect("read"), b"2");
        assert!(write(&path.join("below-a-file"), b"3").is_err());
    }
}
