//! The folder of batch files that the official archive unpacks to.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::Cifar10Error;
use super::archive::copied;
use super::python::{self, check_limit};
use super::records::{
    BATCH_FILES, Batches, META_FILE, META_LIMIT, check_size, default_class_names, parse_class_names,
};
use crate::dataset::stored::Stored;
use cd_models::{Progress, Task};

/// Whether any batch file lies in `folder`.
pub(super) fn looks_like_one(folder: &Path) -> bool {
    BATCH_FILES
        .iter()
        .any(|file| folder.join(file.file_name()).is_file() || folder.join(file.stem).is_file())
}

/// Reads all batch files of `folder`.
pub(super) fn read(
    folder: &Path,
    records: usize,
    progress: &dyn Progress,
) -> Result<Batches, Cifar10Error> {
    let task = Task::start(progress, "reading CIFAR-10", Some(BATCH_FILES.len() as u64));
    let is_python = BATCH_FILES
        .iter()
        .any(|file| folder.join(file.stem).is_file());
    let is_binary = BATCH_FILES
        .iter()
        .any(|file| folder.join(file.file_name()).is_file());
    if is_python && !is_binary {
        return read_python(folder, records, &task);
    }
    let class_names = read_class_names(&folder.join(META_FILE))?;
    let mut batches = Vec::with_capacity(BATCH_FILES.len());
    for file in BATCH_FILES {
        let path = folder.join(file.file_name());
        let name = path.display().to_string();
        let metadata = fs::metadata(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Cifar10Error::Missing {
                container: folder.display().to_string(),
                missing: file.file_name(),
            },
            _ => unreadable(&name, source),
        })?;
        check_size(&name, metadata.len(), records)?;
        let stored = Stored::open(&path, 0).map_err(|source| unreadable(&name, source))?;
        batches.push((name, stored));
        task.advance(1);
    }
    Ok(Batches {
        class_names,
        batches,
    })
}

/// Reads the batch files of the Python version.
fn read_python(folder: &Path, records: usize, task: &Task<'_>) -> Result<Batches, Cifar10Error> {
    let meta = folder.join(python::META_FILE);
    let class_names = if meta.is_file() {
        let name = meta.display().to_string();
        python::class_names(&name, &read_file(&meta, &name, folder, META_LIMIT)?)?
    } else {
        default_class_names()
    };
    let mut batches = Vec::with_capacity(BATCH_FILES.len());
    for file in BATCH_FILES {
        let path = folder.join(file.stem);
        let name = path.display().to_string();
        let bytes = read_file(&path, &name, folder, python::most_bytes(records))?;
        let records = python::records(&name, &bytes)?;
        let stored = copied(&name, &mut &records[..])?;
        batches.push((name, stored));
        task.advance(1);
    }
    Ok(Batches {
        class_names,
        batches,
    })
}

/// The bytes of a file of at most `limit` bytes.
fn read_file(path: &Path, name: &str, folder: &Path, limit: u64) -> Result<Vec<u8>, Cifar10Error> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Cifar10Error::Missing {
            container: folder.display().to_string(),
            missing: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        },
        _ => unreadable(name, source),
    })?;
    check_limit(name, bytes.len() as u64, limit)?;
    Ok(bytes)
}

fn read_class_names(path: &Path) -> Result<Vec<String>, Cifar10Error> {
    let name = path.display().to_string();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(default_class_names()),
        Err(source) => Err(unreadable(&name, source)),
        Ok(metadata) if metadata.len() > META_LIMIT => Err(Cifar10Error::ClassNames { file: name }),
        Ok(_) => {
            let bytes = fs::read(path).map_err(|source| unreadable(&name, source))?;
            parse_class_names(&name, &bytes)
        }
    }
}

fn unreadable(file: &str, source: io::Error) -> Cifar10Error {
    Cifar10Error::Io {
        file: file.into(),
        source,
    }
}
