//! Files of triggers as they are published: pictures, NumPy arrays, safetensors and PyTorch files.
//!
//! The format is told from the content. In files of several arrays the name follows a `#`, as in `trigger.npz#x`.

mod bilinear;
mod named;
mod raster;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cd_core::npy::{Header, Kind, MAGIC};
use image::RgbImage;

use super::AttackError;
use crate::picture::{Orientation, decode_rgb};

pub(super) use raster::{Cached, Raster};

/// Most bytes of numbers that a file may hold.
const MOST_BYTES: u64 = 256 << 20;

/// What a file of a trigger holds.
#[derive(Debug)]
pub(super) enum Artefact {
    Picture(RgbImage),
    Numbers(Numbers),
}

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Numbers {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
    pub(super) precision: Precision,
}

/// What the numbers were in the file, which decides how published code computes with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Whole,
    Single,
    Double,
}

/// The file itself and the name of an array in it; a file whose name has a `#` comes first.
pub(super) fn split(path: &Path) -> (PathBuf, Option<&str>) {
    let text = path.to_str().unwrap_or_default();
    match text.rsplit_once('#') {
        Some((file, name)) if !path.exists() => (file.into(), Some(name)),
        _ => (path.to_owned(), None),
    }
}

/// Reads a file of a trigger.
pub(super) fn read(attack: &'static str, path: &Path) -> Result<Artefact, AttackError> {
    let (file, name) = split(path);
    let content = content(attack, &file)?;
    let problem = |problem: String| unusable(attack, &file, problem);
    let numbers = match content {
        Content::Picture => {
            let picture = decode_rgb(&file, Orientation::Ignore);
            let picture = picture.map_err(|source| AttackError::Picture {
                attack,
                path: file.clone(),
                source,
            })?;
            return Ok(Artefact::Picture(picture));
        }
        Content::Npy => {
            let input = File::open(&file).map_err(|source| unreadable(attack, &file, source))?;
            npy(&mut io::BufReader::new(input))
        }
        Content::Zip => named::from_zip(&file, name),
        Content::Safetensors => named::from_safetensors(&file, name),
        Content::PyTorch => named::from_pytorch(&file, name),
    };
    let numbers = numbers.map_err(problem)?;
    if let Some(value) = numbers.values.iter().find(|value| !value.is_finite()) {
        return Err(problem(format!("it holds the value {value}")));
    }
    Ok(Artefact::Numbers(numbers))
}

/// Reads a file of numbers.
pub(super) fn numbers(attack: &'static str, path: &Path) -> Result<Numbers, AttackError> {
    match read(attack, path)? {
        Artefact::Numbers(numbers) => Ok(numbers),
        Artefact::Picture(_) => {
            let expected = "it is a picture, expected an array (npy, npz, safetensors, PyTorch)";
            Err(unusable(attack, path, expected.into()))
        }
    }
}

pub(super) fn unusable(attack: &'static str, path: &Path, problem: String) -> AttackError {
    AttackError::Artefact {
        attack,
        path: path.to_owned(),
        problem,
    }
}

pub(super) fn unreadable(attack: &'static str, path: &Path, source: io::Error) -> AttackError {
    AttackError::File {
        attack,
        path: path.to_owned(),
        source,
    }
}

enum Content {
    Picture,
    Npy,
    Zip,
    Safetensors,
    PyTorch,
}

fn content(attack: &'static str, path: &Path) -> Result<Content, AttackError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|source| unreadable(attack, path, source))?;
    let read = file.take(MAGIC.len() as u64).read_to_end(&mut start);
    read.map_err(|source| unreadable(attack, path, source))?;
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    Ok(match extension.to_str() {
        _ if start == MAGIC => Content::Npy,
        Some("safetensors") => Content::Safetensors,
        Some("pt" | "pth" | "tar") => Content::PyTorch,
        _ if start.starts_with(b"PK\x03\x04") => Content::Zip,
        _ => Content::Picture,
    })
}

/// An array with its header.
fn npy(input: &mut dyn Read) -> Result<Numbers, String> {
    let header = Header::read(input).map_err(|error| error.to_string())?;
    let expected = header.bytes();
    if expected > MOST_BYTES {
        return Err(format!(
            "its shape {:?} has {expected} bytes, at most {MOST_BYTES} are read",
            header.shape
        ));
    }
    let mut bytes = Vec::new();
    let read = input.take(expected + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    let got = bytes.len() as u64;
    if got != expected {
        let what = if got < expected {
            "is cut short"
        } else {
            "goes on after its numbers"
        };
        return Err(format!(
            "it {what}: its shape {:?} needs {expected} bytes",
            header.shape
        ));
    }
    let values: Vec<f64> = header.numbers(&bytes).collect();
    let precision = match header.kind {
        Kind::F64 => Precision::Double,
        Kind::F16 | Kind::F32 => Precision::Single,
        _ => Precision::Whole,
    };
    let values = if header.is_fortran {
        row_major(&header.shape, &values)
    } else {
        values
    };
    Ok(Numbers {
        shape: header.shape,
        values,
        precision,
    })
}

/// Values whose first axis is the fastest, with the last one the fastest.
fn row_major(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &length in shape {
        strides.push(stride);
        stride *= length;
    }
    let at = |mut place: usize| {
        let mut offset = 0;
        for (&length, &stride) in shape.iter().zip(&strides).rev() {
            offset += place % length * stride;
            place /= length;
        }
        values[offset]
    };
    (0..values.len()).map(at).collect()
}
