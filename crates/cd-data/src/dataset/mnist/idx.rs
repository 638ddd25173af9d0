//! The `idx` format: a big-endian magic number, the length along each axis, then bytes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::PixelSource;
use flate2::read::MultiGzDecoder;
use md5::{Digest, Md5};

use crate::dataset::files::FilesError;
use crate::dataset::stored::{Form, RecordPictures, Stored};

/// Magic numbers of bytes along one and three axes.
const LABELS: u32 = 0x801;
const IMAGES: u32 = 0x803;
/// Most images of a file.
const MOST_IMAGES: u32 = 10_000_000;
/// Largest side in pixels.
const MOST_SIDE: u32 = 4096;

/// The labels of a file.
#[derive(Debug)]
pub(super) struct Labels {
    /// 0 to 9 each.
    pub(super) values: Vec<u8>,
    /// Checksum of the file, unpacked, in hexadecimal digits.
    pub(super) md5: String,
}

/// The labels of the file at `path`.
pub(super) fn labels(path: &Path) -> Result<Labels, FilesError> {
    labels_of(Idx::open(path)?)
}

fn labels_of(mut file: Idx) -> Result<Labels, FilesError> {
    file.check_magic(LABELS, "labels")?;
    let count = file.length("labels", MOST_IMAGES)?;
    let path = file.path.clone();
    let mut values = Vec::new();
    (&mut file.reader)
        .take(count as u64)
        .read_to_end(&mut values)
        .map_err(FilesError::io(&path))?;
    if values.len() < count {
        let got = values.len();
        let reason = format!("it is cut short: {got} labels of {count}");
        return Err(FilesError::content(&path, reason));
    }
    if let Some(at) = values.iter().position(|&label| label > 9) {
        let reason = format!("label {at} is {}, expected 0 to 9", values[at]);
        return Err(FilesError::content(&path, reason));
    }
    file.finish()?;
    let mut sum = Md5::new();
    sum.update(LABELS.to_be_bytes());
    sum.update((count as u32).to_be_bytes());
    sum.update(&values);
    Ok(Labels {
        values,
        md5: crate::fetch::hex(&sum.finalize()),
    })
}

/// The images of a file.
pub(super) struct Images {
    file: Idx,
    count: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Images {
    pub(super) fn open(path: &Path) -> Result<Self, FilesError> {
        Self::of(Idx::open(path)?)
    }

    fn of(mut file: Idx) -> Result<Self, FilesError> {
        file.check_magic(IMAGES, "images")?;
        Ok(Self {
            count: file.length("images", MOST_IMAGES)?,
            height: file.length("rows", MOST_SIDE)?,
            width: file.length("columns", MOST_SIDE)?,
            file,
        })
    }

    /// Fails unless there are as many images as labels.
    pub(super) fn check_count(&self, labels: usize) -> Result<(), FilesError> {
        if self.count == labels {
            return Ok(());
        }
        let reason = format!(
            "it has {} images, and there are {labels} labels",
            self.count
        );
        Err(FilesError::content(&self.file.path, reason))
    }

    /// The images in three equal channels, with `padding` black pixels around them. Those of a plain file stay there.
    pub(super) fn source(mut self, padding: usize) -> Result<Arc<dyn PixelSource>, FilesError> {
        let path = self.file.path.clone();
        let image = (self.height * self.width) as u64;
        let expected = self.count as u64 * image;
        let stored = if self.file.is_packed {
            let mut images = (&mut self.file.reader).take(expected);
            Stored::copied(&path, &mut images)
        } else {
            Stored::open(&path, Idx::header_len(3))
        };
        let stored = stored.map_err(FilesError::io(&path))?;
        let length = stored.length().map_err(FilesError::io(&path))?;
        if length < expected {
            let reason = format!(
                "it is cut short: {} images of {}",
                length / image,
                self.count
            );
            return Err(FilesError::content(&path, reason));
        }
        if length > expected {
            return Err(self.file.too_long());
        }
        if self.file.is_packed {
            self.file.finish()?;
        }
        let form = Form::Gray {
            height: self.height,
            width: self.width,
            padding,
        };
        let all = |_, _: &[u8]| Ok(());
        RecordPictures::read(stored, form, self.count, all).map_err(FilesError::io(&path))
    }
}

struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
    is_packed: bool,
}

impl Idx {
    fn open(path: &Path) -> Result<Self, FilesError> {
        let file = File::open(path).map_err(FilesError::io(path))?;
        let is_packed = path.extension().is_some_and(|ending| ending == "gz");
        Ok(Self::new(path, file, is_packed))
    }

    fn new(path: &Path, file: impl Read + 'static, is_packed: bool) -> Self {
        let file = BufReader::new(file);
        Self {
            path: path.into(),
            reader: if is_packed {
                Box::new(MultiGzDecoder::new(file))
            } else {
                Box::new(file)
            },
            is_packed,
        }
    }

    /// Bytes in front of the values, which have so many axes.
    fn header_len(axes: u64) -> u64 {
        4 + 4 * axes
    }

    fn check_magic(&mut self, magic: u32, what: &str) -> Result<(), FilesError> {
        let found = self.number()?;
        if found == magic {
            return Ok(());
        }
        let reason =
            format!("it begins with 0x{found:08x}, expected 0x{magic:08x} of a file of {what}");
        Err(FilesError::content(&self.path, reason))
    }

    fn number(&mut self) -> Result<u32, FilesError> {
        let mut bytes = [0; 4];
        self.reader
            .read_exact(&mut bytes)
            .map_err(FilesError::io(&self.path))?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn length(&mut self, what: &str, most: u32) -> Result<usize, FilesError> {
        match self.number()? {
            number if (1..=most).contains(&number) => Ok(number as usize),
            number => {
                let reason = format!("its number of {what} is {number}, expected 1 to {most}");
                Err(FilesError::content(&self.path, reason))
            }
        }
    }

    fn finish(&mut self) -> Result<(), FilesError> {
        let mut more = [0];
        match self.reader.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.too_long()),
            Err(source) => Err(FilesError::io(&self.path)(source)),
        }
    }

    fn too_long(&self) -> FilesError {
        FilesError::content(&self.path, "it is longer than its header says")
    }
}

#[cfg(test)]
mod tests;
