//! The folder of batch files that the official archive unpacks to.

use std::fs;
use std::io;
use std::path::Path;

use super::Cifar10Error;
use super::records::{
    BATCH_FILES, Batches, META_FILE, META_LIMIT, check_size, default_class_names, parse_class_names,
};
use cd_models::{Progress, Task};

/// Whether any batch file lies in `folder`.
pub(super) fn looks_like_one(folder: &Path) -> bool {
    BATCH_FILES
        .iter()
        .any(|file| folder.join(file.file_name()).is_file())
}

/// Reads all batch files of `folder`.
pub(super) fn read(
    folder: &Path,
    records: usize,
    progress: &dyn Progress,
) -> Result<Batches, Cifar10Error> {
    let task = Task::start(progress, "reading CIFAR-10", Some(BATCH_FILES.len() as u64));
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
        let bytes = fs::read(&path).map_err(|source| unreadable(&name, source))?;
        // Once more: the file may have changed since its size was asked for.
        check_size(&name, bytes.len() as u64, records)?;
        batches.push((name, bytes));
        task.advance(1);
    }
    Ok(Batches {
        class_names,
        batches,
    })
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
