//! The `idx` format: a big-endian magic number, the length along each axis, then bytes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::dataset::files::FilesError;

/// Magic numbers of bytes along one and three axes.
const LABELS: u32 = 0x801;
const IMAGES: u32 = 0x803;
/// Most images of a file.
const MOST_IMAGES: u32 = 10_000_000;
/// Largest side in pixels.
const MOST_SIDE: u32 = 4096;

/// The labels of a file, 0 to 9 each.
pub(super) fn labels(path: &Path) -> Result<Vec<u8>, FilesError> {
    let mut file = Idx::open(path, LABELS, "labels")?;
    let count = file.length("labels", MOST_IMAGES)?;
    let mut labels = Vec::new();
    (&mut file.reader)
        .take(count as u64)
        .read_to_end(&mut labels)
        .map_err(FilesError::io(path))?;
    if labels.len() < count {
        let got = labels.len();
        return Err(FilesError::content(
            path,
            format!("it is cut short: {got} labels of {count}"),
        ));
    }
    match labels.iter().position(|&label| label > 9) {
        Some(at) => {
            let label = labels[at];
            Err(FilesError::content(
                path,
                format!("label {at} is {label}, expected 0 to 9"),
            ))
        }
        None => file.finish().map(|()| labels),
    }
}

/// The images of a file, one after the other.
pub(super) struct Images {
    file: Idx,
    count: usize,
    done: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Images {
    pub(super) fn open(path: &Path) -> Result<Self, FilesError> {
        let mut file = Idx::open(path, IMAGES, "images")?;
        Ok(Self {
            count: file.length("images", MOST_IMAGES)?,
            height: file.length("rows", MOST_SIDE)?,
            width: file.length("columns", MOST_SIDE)?,
            done: 0,
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

    /// The next image, `[height, width]` gray values.
    pub(super) fn next(&mut self, gray: &mut [u8]) -> Result<(), FilesError> {
        if self.file.reader.read_exact(gray).is_err() {
            let reason = format!("it is cut short: {} images of {}", self.done, self.count);
            return Err(FilesError::content(&self.file.path, reason));
        }
        self.done += 1;
        Ok(())
    }

    /// To be called after the last image: what follows would belong to nothing.
    pub(super) fn finish(self) -> Result<(), FilesError> {
        self.file.finish()
    }
}

struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
}

impl Idx {
    fn open(path: &Path, magic: u32, what: &str) -> Result<Self, FilesError> {
        let file = BufReader::new(File::open(path).map_err(FilesError::io(path))?);
        let reader: Box<dyn Read> = match path.extension() {
            Some(ending) if ending == "gz" => Box::new(MultiGzDecoder::new(file)),
            _ => Box::new(file),
        };
        let mut idx = Self {
            path: path.into(),
            reader,
        };
        let found = idx.number()?;
        if found != magic {
            let reason =
                format!("it begins with 0x{found:08x}, expected 0x{magic:08x} of a file of {what}");
            return Err(FilesError::content(path, reason));
        }
        Ok(idx)
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

    fn finish(mut self) -> Result<(), FilesError> {
        let mut more = [0];
        match self.reader.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(FilesError::content(
                &self.path,
                "it is longer than its header says",
            )),
            Err(source) => Err(FilesError::io(&self.path)(source)),
        }
    }
}
