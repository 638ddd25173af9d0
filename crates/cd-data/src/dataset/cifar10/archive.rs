//! The official `.tar.gz`, read without unpacking it to disk.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::Cifar10Error;
use super::python::{self, check_limit};
use super::records::{
    BATCH_FILES, BatchFile, Batches, META_FILE, META_LIMIT, check_size, default_class_names,
    parse_class_names,
};
use crate::dataset::stored::Stored;
use cd_models::{Progress, Task};

/// Bytes that the archive may hold beside its batches: headers, padding, a page of documentation.
const OVERHEAD: u64 = 1 << 20;

/// Reads all batch files of the archive at `path`.
pub(super) fn read(
    path: &Path,
    records: usize,
    progress: &dyn Progress,
) -> Result<Batches, Cifar10Error> {
    let mut reader = MemberReader {
        archive: path.display().to_string(),
        records,
        class_names: None,
        batches: BATCH_FILES.map(|_| None),
    };
    let task = Task::start(progress, "reading CIFAR-10", Some(BATCH_FILES.len() as u64));
    let file = File::open(path).map_err(|source| reader.unreadable(source))?;
    // However well a hostile archive is packed, this is all that is ever unpacked.
    let budget = (BATCH_FILES.len() * records * python::MOST_RECORD_LEN) as u64 + OVERHEAD;
    let unpacked = GzDecoder::new(BufReader::new(file)).take(budget);
    let mut archive = Archive::new(unpacked);
    let entries = archive
        .entries()
        .map_err(|source| reader.unreadable(source))?;
    for entry in entries {
        let entry = entry.map_err(|source| reader.unreadable(source))?;
        if reader.member(entry)? {
            task.advance(1);
        }
    }
    // The checksum stands behind the last byte, and is compared when that has been read.
    io::copy(&mut archive.into_inner(), &mut io::sink())
        .map_err(|source| reader.unreadable(source))?;
    reader.finish()
}

struct MemberReader {
    archive: String,
    records: usize,
    class_names: Option<Vec<String>>,
    batches: [Option<(String, Stored)>; BATCH_FILES.len()],
}

impl MemberReader {
    /// Takes one member; true when it was a batch.
    fn member(&mut self, mut entry: Entry<'_, impl Read>) -> Result<bool, Cifar10Error> {
        let path = entry
            .path()
            .map_err(|source| self.unreadable(source))?
            .into_owned();
        self.check_safe(&path, entry.header().entry_type())?;
        let file_name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let name = format!("{}:{}", self.archive, path.display());
        if file_name == META_FILE {
            if entry.size() > META_LIMIT {
                return Err(Cifar10Error::ClassNames { file: name });
            }
            let bytes = read_all(entry, &name)?;
            self.class_names = Some(parse_class_names(&name, &bytes)?);
            return Ok(false);
        }
        if file_name == python::META_FILE {
            check_limit(&name, entry.size(), META_LIMIT)?;
            self.class_names = Some(python::class_names(&name, &read_all(entry, &name)?)?);
            return Ok(false);
        }
        let binary = |file: &BatchFile| file.file_name() == file_name;
        let Some(slot) = BATCH_FILES
            .iter()
            .position(|file| binary(file) || file.stem == file_name)
        else {
            return Ok(false);
        };
        if self.batches[slot].is_some() {
            return Err(self.refuse(&path, "is there twice"));
        }
        let stored = if binary(&BATCH_FILES[slot]) {
            check_size(&name, entry.size(), self.records)?;
            let stored = copied(&name, &mut entry)?;
            let length = stored.length().map_err(|source| io_error(&name, source))?;
            check_size(&name, length, self.records)?;
            stored
        } else {
            check_limit(&name, entry.size(), python::most_bytes(self.records))?;
            let records = python::records(&name, &read_all(entry, &name)?)?;
            copied(&name, &mut &records[..])?
        };
        self.batches[slot] = Some((name, stored));
        Ok(true)
    }

    fn check_safe(&self, path: &Path, kind: EntryType) -> Result<(), Cifar10Error> {
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.is_absolute() || path.components().any(|part| part == Component::RootDir) {
            return Err(self.refuse(path, "has an absolute path"));
        }
        if !path.components().all(plain) {
            return Err(self.refuse(path, "climbs out of its folder with `..`"));
        }
        match kind {
            EntryType::Regular | EntryType::Directory | EntryType::XGlobalHeader => Ok(()),
            EntryType::Symlink | EntryType::Link => Err(self.refuse(path, "is a link")),
            _ => Err(self.refuse(path, "is neither a file nor a folder")),
        }
    }

    fn finish(self) -> Result<Batches, Cifar10Error> {
        let archive = self.archive;
        let batches = BATCH_FILES
            .iter()
            .zip(self.batches)
            .map(|(file, batch)| {
                batch.ok_or_else(|| Cifar10Error::Missing {
                    container: archive.clone(),
                    missing: file.file_name(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Batches {
            class_names: self.class_names.unwrap_or_else(default_class_names),
            batches,
        })
    }

    fn refuse(&self, member: &Path, reason: &'static str) -> Cifar10Error {
        Cifar10Error::UnsafeMember {
            archive: self.archive.clone(),
            member: member.display().to_string(),
            reason,
        }
    }

    fn unreadable(&self, source: io::Error) -> Cifar10Error {
        Cifar10Error::Io {
            file: self.archive.clone(),
            source,
        }
    }
}

/// A copy of a batch in a temporary file.
pub(super) fn copied(name: &str, batch: &mut dyn Read) -> Result<Stored, Cifar10Error> {
    Stored::copied(Path::new(name), batch).map_err(|source| io_error(name, source))
}

fn io_error(name: &str, source: io::Error) -> Cifar10Error {
    Cifar10Error::Io {
        file: name.into(),
        source,
    }
}

/// Reads a member whose size has been checked.
fn read_all(mut entry: Entry<'_, impl Read>, name: &str) -> Result<Vec<u8>, Cifar10Error> {
    let mut bytes = Vec::with_capacity(entry.size() as usize);
    entry
        .read_to_end(&mut bytes)
        .map_err(|source| io_error(name, source))?;
    Ok(bytes)
}
