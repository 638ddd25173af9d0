//! The arrays of a data set: `.npy` files of a folder, members of `.npz` files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use cd_core::npy::{Header, NpyError, Rows};
use walkdir::WalkDir;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::INFO;
use crate::dataset::NotRead;
use crate::dataset::files::FilesError;
use crate::dataset::folder::HIDDEN;
use crate::dataset::shards::foreign;

const OTHER_FILES: &str = "no arrays by their endings";
/// Most members of an archive.
const MOST_MEMBERS: usize = 10_000;

/// An array whose header has been read.
#[derive(Debug)]
pub(super) struct Array {
    /// Path below the data set without ending, and the member of an archive; `/` between parts.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) header: Header,
    stored: Stored,
}

/// Where the numbers lie.
#[derive(Debug, Clone, Copy)]
enum Stored {
    /// From this byte of the file, the header first.
    Plain { start: u64, len: u64 },
    /// In this member of an archive, deflated.
    Packed { member: usize },
}

/// The arrays at `path`: a file, or all files of a folder.
pub(super) fn find(path: &Path) -> Result<(Vec<Array>, NotRead), FilesError> {
    let (mut arrays, mut not_read) = (Vec::new(), NotRead::default());
    if path.is_file() {
        read(path, "", &mut arrays)?;
    } else if path.is_dir() {
        for entry in WalkDir::new(path).sort_by_file_name().follow_links(true) {
            let entry = entry.map_err(|error| FilesError::io(path)(error.into()))?;
            let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            let name = parts.join("/");
            if !entry.file_type().is_file() {
                continue;
            }
            if parts.iter().any(|part| part.starts_with('.')) {
                not_read.add(HIDDEN, name);
            } else if let Some(stem) = stem(&name) {
                read(entry.path(), stem, &mut arrays)?;
            } else {
                not_read.add(OTHER_FILES, name);
            }
        }
    }
    if arrays.is_empty() {
        return Err(FilesError::NotFound {
            dataset: INFO.title,
            path: path.into(),
            expected: "an .npz file, or a folder with .npy files such as `x_train.npy` and `y_train.npy`",
        });
    }
    Ok((arrays, not_read))
}

/// A name without the ending of an array or archive.
fn stem(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(4)?;
    let ending = name.get(at..)?.to_ascii_lowercase();
    matches!(ending.as_str(), ".npy" | ".npz").then(|| &name[..at])
}

/// Adds the array or arrays of a file; what it is, its first bytes tell.
fn read(path: &Path, name: &str, arrays: &mut Vec<Array>) -> Result<(), FilesError> {
    let failed = FilesError::io(path);
    let mut file = File::open(path).map_err(&failed)?;
    let length = file.metadata().map_err(&failed)?.len();
    let mut magic = [0; 2];
    let is_zip = file.read(&mut magic).map_err(&failed)? == 2 && magic == *b"PK";
    file.seek(SeekFrom::Start(0)).map_err(&failed)?;
    if !is_zip {
        let header =
            Header::read(&mut BufReader::new(&file)).map_err(|error| match foreign(path) {
                Some(what) if matches!(error, NpyError::Magic) => {
                    FilesError::content(path, format!("it is no npy file but {what}"))
                }
                _ => FilesError::content(path, error.to_string()),
            })?;
        let (got, expected) = (length - header.len, header.bytes());
        if got != expected {
            let shape = header.shape;
            let wrong = NpyError::Length {
                shape,
                got,
                expected,
            };
            return Err(FilesError::content(path, wrong.to_string()));
        }
        let own = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        arrays.push(Array {
            name: if name.is_empty() { own } else { name.into() },
            path: path.into(),
            header,
            stored: Stored::Plain {
                start: 0,
                len: length,
            },
        });
        return Ok(());
    }
    let members =
        members(BufReader::new(file)).map_err(|reason| FilesError::content(path, reason))?;
    for (member, header, stored) in members {
        let member = stem(&member).unwrap_or(&member).to_owned();
        let name = if name.is_empty() {
            member
        } else {
            format!("{name}/{member}")
        };
        arrays.push(Array {
            name,
            path: path.into(),
            header,
            stored,
        });
    }
    Ok(())
}

/// The arrays of an archive with the names of their members.
fn members(input: impl Read + Seek) -> Result<Vec<(String, Header, Stored)>, String> {
    let damaged = |error: ZipError| format!("its zip directory is damaged or cut short: {error}");
    let mut archive = ZipArchive::new(input).map_err(damaged)?;
    if archive.len() > MOST_MEMBERS {
        return Err(format!(
            "it has {} members, expected at most {MOST_MEMBERS}",
            archive.len()
        ));
    }
    let mut arrays = Vec::new();
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).map_err(damaged)?;
        let name = String::from_utf8_lossy(member.name_raw()).into_owned();
        if !name.to_ascii_lowercase().ends_with(".npy") {
            continue;
        }
        let stored = match (member.compression(), member.data_start()) {
            (CompressionMethod::Stored, Some(start)) => Stored::Plain {
                start,
                len: member.size(),
            },
            (CompressionMethod::Deflated, _) => Stored::Packed { member: number },
            (other, _) => {
                return Err(format!(
                    "`{name}` is packed as {other}, expected stored or deflated"
                ));
            }
        };
        let header = Header::read(&mut member).map_err(|error| format!("`{name}`: {error}"))?;
        let expected = header.len.saturating_add(header.bytes());
        if member.size() != expected {
            return Err(format!(
                "`{name}` has {} bytes, expected {expected} for shape {:?}",
                member.size(),
                header.shape
            ));
        }
        arrays.push((name, header, stored));
    }
    Ok(arrays)
}

impl Array {
    /// An error about this array.
    pub(super) fn wrong(&self, reason: impl std::fmt::Display) -> FilesError {
        FilesError::content(&self.path, format!("`{}`: {reason}", self.name))
    }

    /// Its rows to read in any order; none when they are packed.
    pub(super) fn rows(&self) -> Result<Option<Rows>, FilesError> {
        let Stored::Plain { start, len } = self.stored else {
            return Ok(None);
        };
        let file = File::open(&self.path).map_err(FilesError::io(&self.path))?;
        let rows = Rows::within(file, start, len);
        rows.map(Some).map_err(|error| self.wrong(error))
    }

    /// Calls `each` with the number and bytes of every row, in order.
    pub(super) fn each_row(
        &self,
        mut each: impl FnMut(usize, &[u8]) -> Result<(), FilesError>,
    ) -> Result<(), FilesError> {
        if let Some(rows) = self.rows()? {
            return (0..rows.count()).try_for_each(|row| {
                let bytes = rows.bytes(row).map_err(|error| self.wrong(error))?;
                each(row, &bytes)
            });
        }
        let Stored::Packed { member } = self.stored else {
            return Ok(());
        };
        let file = File::open(&self.path).map_err(FilesError::io(&self.path))?;
        let mut archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| self.wrong(error))?;
        let mut input = archive
            .by_index(member)
            .map_err(|error| self.wrong(error))?;
        Header::read(&mut input).map_err(|error| self.wrong(error))?;
        rows_of(&self.header, input, |reason| self.wrong(reason), &mut each)
    }

    /// Whether its rows can only be read in order.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.stored, Stored::Packed { .. })
    }

    /// What lies under an index of the first axis.
    pub(super) fn row_shape(&self) -> &[usize] {
        self.header.shape.get(1..).unwrap_or_default()
    }

    /// Number of rows.
    pub(super) fn count(&self) -> usize {
        self.header.shape.first().copied().unwrap_or(0)
    }
}

/// Calls `each` with every row behind `header`, and reads on to the end, where the checksum is compared.
fn rows_of<E>(
    header: &Header,
    mut input: impl Read,
    wrong: impl Fn(String) -> E,
    each: &mut impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if header.is_fortran && header.shape.len() > 1 {
        return Err(wrong(NpyError::Fortran.to_string()));
    }
    let count = header.shape.first().copied().unwrap_or(0);
    let len = header.shape.iter().skip(1).product::<usize>() * header.kind.size();
    // Grows with what is there, not with what the header claims.
    let mut bytes = Vec::new();
    for row in 0..count {
        bytes.clear();
        let read = (&mut input).take(len as u64).read_to_end(&mut bytes);
        read.map_err(|error| wrong(format!("row {row} of {count}: {error}")))?;
        if bytes.len() < len {
            return Err(wrong(format!("it is cut short in row {row} of {count}")));
        }
        each(row, &bytes)?;
    }
    match std::io::copy(&mut input, &mut std::io::sink()) {
        Ok(0) => Ok(()),
        Ok(_) => Err(wrong("more follows than its header says".into())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    /// Reads every array of an archive in memory; how many rows there were.
    pub(in super::super) fn read_archive(bytes: &[u8]) -> Result<usize, String> {
        let mut rows = 0;
        for (_, header, stored) in members(Cursor::new(bytes))? {
            let Stored::Packed { member } = stored else {
                let Stored::Plain { start, len } = stored else {
                    continue;
                };
                let end = start
                    .checked_add(len)
                    .filter(|&end| end <= bytes.len() as u64);
                end.ok_or("it is cut short")?;
                rows += header.shape.first().copied().unwrap_or(0);
                continue;
            };
            let mut archive =
                ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
            let mut input = archive
                .by_index(member)
                .map_err(|error| error.to_string())?;
            let header = Header::read(&mut input).map_err(|error| error.to_string())?;
            rows_of(&header, input, |reason| reason, &mut |_, _| {
                rows += 1;
                Ok(())
            })?;
        }
        Ok(rows)
    }
}
