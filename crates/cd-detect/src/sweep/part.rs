//! Part files: what a sweep keeps of [`PART_LEN`] consecutive images.
//!
//! Each is one safetensors file that appears whole, so an interrupted sweep continues at the next part, and several
//! processes may work on different parts of one folder.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use cd_core::atomic;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};

use super::column::{Column, Kind};
use crate::error::DetectError;

/// Images per part; fixed, so that files fit whatever the batch size.
pub(super) const PART_LEN: usize = 64;

/// Longest header that is believed; ours have less than a thousand bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// The part files of one sweep.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    folder: PathBuf,
    /// Fingerprint of everything that the values depend on.
    identity: String,
    columns: &'a [(&'static str, Kind)],
}

/// A part file that was looked at and found good.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    /// Where the values of each column begin, and their shape.
    places: Vec<(u64, Vec<usize>)>,
}

/// The image ranges of the parts of a set of `count` images.
pub(super) fn ranges(count: usize) -> Vec<Range<usize>> {
    (0..count)
        .step_by(PART_LEN)
        .map(|start| start..(start + PART_LEN).min(count))
        .collect()
}

/// The file in `folder` of the part that begins with image `start`.
pub(super) fn path(folder: &Path, start: usize) -> PathBuf {
    folder.join(format!("part-{start:08}.safetensors"))
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        folder: PathBuf,
        identity: String,
        columns: &'a [(&'static str, Kind)],
    ) -> Self {
        Self {
            folder,
            identity,
            columns,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at the part of `range`; `None` when it has not been computed yet.
    pub(super) fn find(&self, range: &Range<usize>) -> Result<Option<Part>, DetectError> {
        let path = path(&self.folder, range.start);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DetectError::Io { path, source }),
        };
        let (metadata, start) = header(&mut file).map_err(|error| failed(&path, error))?;
        let identity = metadata.metadata().as_ref().and_then(|m| m.get("identity"));
        if identity != Some(&self.identity) {
            return Err(DetectError::OtherRun {
                path: self.folder.clone(),
            });
        }
        let place = |(name, kind): &(&str, Kind)| {
            let info = metadata.info(name).and_then(|info| {
                let expected = (dtype(*kind), Some(&range.len()), rank(*kind));
                let got = (info.dtype, info.shape.first(), info.shape.len());
                (got == expected && holds_its_shape(info)).then_some(info)
            });
            info.map(|info| (start + info.data_offsets.0 as u64, info.shape.clone()))
                .ok_or_else(|| DetectError::DamagedPart {
                    path: path.clone(),
                    reason: format!("it holds no `{name}` of {} images", range.len()),
                })
        };
        let places: Result<_, _> = self.columns.iter().map(place).collect();
        places.map(|places| Some(Part { path, places }))
    }

    /// Writes the part of `range` atomically.
    pub(super) fn write(
        &self,
        range: &Range<usize>,
        columns: &[Column],
    ) -> Result<(), DetectError> {
        let path = path(&self.folder, range.start);
        let io = |source| DetectError::Io {
            path: path.clone(),
            source,
        };
        let encoded: Vec<_> = columns
            .iter()
            .map(|column| encoded(column, range.len()))
            .collect();
        let views: Result<Vec<_>, _> = encoded
            .iter()
            .zip(self.columns)
            .map(|((shape, bytes), (name, kind))| {
                TensorView::new(dtype(*kind), shape.clone(), bytes).map(|view| (*name, view))
            })
            .collect();
        let metadata = HashMap::from([("identity".to_owned(), self.identity.clone())]);
        let bytes = views
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(|error| io(io::Error::other(error)))?;
        atomic::write(&path, &bytes).map_err(io)
    }
}

impl Part {
    /// Where the values of column `number` begin, and their shape, `[N, ...]`.
    pub(super) fn place(&self, number: usize) -> (u64, &[usize]) {
        let (start, shape) = &self.places[number];
        (*start, shape)
    }

    /// Reads column `number`, which holds values of `kind`.
    pub(super) fn read(&self, number: usize, kind: Kind) -> Result<Column, DetectError> {
        let (start, shape) = self.place(number);
        let bytes = shape.iter().product::<usize>() * dtype(kind).bitsize() / 8;
        let bytes = read_at(&self.path, start, bytes).map_err(|error| failed(&self.path, error))?;
        Ok(match *shape {
            [_, width] => Column::Vectors {
                width,
                values: decoded(&bytes, f32::from_le_bytes),
            },
            [_, channels, height, width] => Column::Bytes {
                shape: [channels, height, width],
                values: bytes,
            },
            _ => Column::Numbers(decoded(&bytes, f64::from_le_bytes)),
        })
    }

    /// The error of a part whose values do not fit those of the parts before it.
    pub(super) fn misfit(&self) -> DetectError {
        DetectError::DamagedPart {
            path: self.path.clone(),
            reason: "its values have another shape than those of other parts".to_owned(),
        }
    }
}

/// `len` bytes of the file at `path` from `start`; the file is open no longer than that.
pub(super) fn read_at(path: &Path, start: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The header of a file, and where its values begin; the file has the length that the header asks for.
fn header(file: &mut File) -> io::Result<(Metadata, u64)> {
    let mut len = [0; 8];
    file.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    if len > LONGEST_HEADER {
        return Err(damaged("its header is too long"));
    }
    let mut text = vec![0; len as usize];
    file.read_exact(&mut text)?;
    let metadata: Metadata = serde_json::from_slice(&text)?;
    let start = 8 + len;
    if start.checked_add(metadata.data_len() as u64) != Some(file.metadata()?.len()) {
        return Err(damaged("its length is not that of its values"));
    }
    Ok((metadata, start))
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn failed(path: &Path, error: io::Error) -> DetectError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => DetectError::DamagedPart {
            path,
            reason: error.to_string(),
        },
        _ => DetectError::Io {
            path,
            source: error,
        },
    }
}

fn dtype(kind: Kind) -> Dtype {
    match kind {
        Kind::Numbers => Dtype::F64,
        Kind::Vectors => Dtype::F32,
        Kind::Bytes => Dtype::U8,
    }
}

/// Axes of the values of many images.
fn rank(kind: Kind) -> usize {
    match kind {
        Kind::Numbers => 1,
        Kind::Vectors => 2,
        Kind::Bytes => 4,
    }
}

/// Whether a tensor has as many bytes as its shape says, and some for each image.
fn holds_its_shape(info: &TensorInfo) -> bool {
    let size = info.dtype.bitsize() / 8;
    let bytes = info
        .shape
        .iter()
        .try_fold(size, |product, &side| product.checked_mul(side));
    let (start, end) = info.data_offsets;
    end.checked_sub(start) == bytes && bytes != Some(0)
}

/// Shape and bytes of the values of `count` images.
fn encoded(column: &Column, count: usize) -> (Vec<usize>, Vec<u8>) {
    match column {
        Column::Numbers(values) => {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (vec![count], bytes.collect())
        }
        Column::Vectors { width, values } => {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (vec![count, *width], bytes.collect())
        }
        Column::Bytes {
            shape: [channels, height, width],
            values,
        } => (vec![count, *channels, *height, *width], values.clone()),
    }
}

fn decoded<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (values, _) = bytes.as_chunks::<N>();
    values.iter().map(|bytes| value(*bytes)).collect()
}

#[cfg(test)]
mod tests;
