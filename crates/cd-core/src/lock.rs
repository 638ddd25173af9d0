//! One process at a time: a lock on a file, freed by the system whatever ends the process.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A lock could not be taken.
#[derive(Debug, Error)]
#[error("cannot lock `{}`: {source}", path.display())]
pub struct LockError {
    path: PathBuf,
    source: io::Error,
}

/// Held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    /// Closing the file frees the lock.
    _file: File,
}

impl Lock {
    /// Waits until no other holder is left; `on_wait` is called once if there is one.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, or its file system knows no locks.
    pub fn wait(path: &Path, on_wait: impl FnOnce()) -> Result<Self, LockError> {
        if let Some(lock) = Self::attempt(path)? {
            return Ok(lock);
        }
        on_wait();
        let file = open(path)?;
        file.lock().map_err(|source| failed(path, source))?;
        Ok(Self { _file: file })
    }

    /// The lock, or `None` while another process or thread holds it.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn attempt(path: &Path) -> Result<Option<Self>, LockError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed(path, source)),
        }
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    file.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> LockError {
    LockError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_for_the_first() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let path = scratch.path().join("new/LOCK");
        let held = Lock::attempt(&path).expect("lockable").expect("free");
        assert!(Lock::attempt(&path).expect("lockable").is_none());
        std::thread::scope(|scope| {
            let (told, waits) = std::sync::mpsc::channel();
            let path = &path;
            let second = scope
                .spawn(move || Lock::wait(path, || told.send(()).expect("listened to")).map(drop));
            waits.recv().expect("it waits");
            drop(held);
            second.join().expect("no panic").expect("locked");
        });
    }

    #[test]
    fn a_folder_cannot_be_locked() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let error = Lock::attempt(scratch.path()).expect_err("a folder");
        assert!(error.to_string().contains("cannot lock"), "{error}");
    }
}
