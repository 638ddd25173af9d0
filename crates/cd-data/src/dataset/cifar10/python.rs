//! The Python version of the data set: batches as pickled dictionaries of an array and a list of labels.

use super::records::RECORD_LEN;
use super::{CLASSES, Cifar10Error, SIDE};
use crate::pickle::{self, Array, Numbers, Pickle};

/// The file of class names.
pub(super) const META_FILE: &str = "batches.meta";
/// Most bytes that a picture takes: its pixels as text in UTF-8, label and file name.
pub(super) const MOST_RECORD_LEN: usize = 2 * RECORD_LEN + 200;
/// Bytes of a batch beside its pictures.
const OVERHEAD: u64 = 1 << 20;

/// Most bytes of a batch of the official number of records.
pub(super) fn most_bytes(records: usize) -> u64 {
    (records * MOST_RECORD_LEN) as u64 + OVERHEAD
}

/// Fails when a file is larger than it can be.
pub(super) fn check_limit(file: &str, got: u64, most: u64) -> Result<(), Cifar10Error> {
    if got <= most {
        return Ok(());
    }
    let file = file.into();
    Err(Cifar10Error::Large { file, most, got })
}

/// The class names in the file `batches.meta`; fewer than ten are those of the data set.
pub(super) fn class_names(file: &str, bytes: &[u8]) -> Result<Vec<String>, Cifar10Error> {
    let pickle = parsed(file, bytes)?;
    let names = pickle
        .entry("label_names")
        .and_then(|id| pickle.members(id));
    let names = names
        .into_iter()
        .flatten()
        .map(|&id| pickle.text(id).map(String::from));
    match names.collect::<Option<Vec<_>>>() {
        Some(names) if names.len() == CLASSES.len() => Ok(names),
        // Copies with a few pictures come with a few names, in the same order.
        Some(names)
            if CLASSES
                .iter()
                .zip(&names)
                .all(|(class, name)| class == name) =>
        {
            Ok(super::records::default_class_names())
        }
        _ => Err(Cifar10Error::ClassNames { file: file.into() }),
    }
}

/// The pictures of a batch as binary records.
pub(super) fn records(file: &str, bytes: &[u8]) -> Result<Vec<u8>, Cifar10Error> {
    let pickle = parsed(file, bytes)?;
    let wrong = |reason: String| Cifar10Error::Python {
        file: file.into(),
        reason,
    };
    let labels = labels(&pickle).map_err(wrong)?;
    let data = pickle.entry("data").and_then(|id| pickle.array(id));
    let data = data.ok_or_else(|| wrong("it has no array `data`".into()))?;
    let pixels = RECORD_LEN - 1;
    check_shape(&data, labels.len()).map_err(wrong)?;
    let Numbers::Here(bytes) = data.bytes else {
        return Err(wrong("its array `data` is not in memory".into()));
    };
    let mut records = Vec::with_capacity(labels.len() * RECORD_LEN);
    for (label, picture) in labels.iter().zip(bytes.chunks_exact(pixels)) {
        records.push(*label);
        records.extend_from_slice(picture);
    }
    Ok(records)
}

/// Fails unless `data` are `count` pictures, plane by plane.
fn check_shape(data: &Array<'_>, count: usize) -> Result<(), String> {
    let flat = [count, RECORD_LEN - 1];
    let planes = [count, 3, SIDE, SIDE];
    let fits = data.shape == flat || data.shape == planes;
    if fits
        && data.kind == "u1"
        && !data.is_fortran
        && data.bytes.len() == (flat[0] * flat[1]) as u64
    {
        return Ok(());
    }
    Err(format!(
        "`data` is an array of {:?} and type `{}`{}, expected [{count}, {}] and `u1`, one row for each of {count} labels",
        data.shape,
        data.kind,
        if data.is_fortran {
            " in Fortran order"
        } else {
            ""
        },
        flat[1]
    ))
}

fn labels(pickle: &Pickle<'_>) -> Result<Vec<u8>, String> {
    let entry = pickle.entry("labels").ok_or("it has no list `labels`")?;
    let members = pickle.members(entry).ok_or("`labels` is no list")?;
    let label = |(record, &id): (usize, &usize)| {
        let label = pickle.int(id).and_then(|label| u8::try_from(label).ok());
        label.ok_or_else(|| format!("the label of record {record} is no number from 0 to 9"))
    };
    let labels: Vec<u8> = members
        .iter()
        .enumerate()
        .map(label)
        .collect::<Result<_, _>>()?;
    if labels.is_empty() {
        return Err("it has no pictures".into());
    }
    Ok(labels)
}

fn parsed<'a>(file: &str, bytes: &'a [u8]) -> Result<Pickle<'a>, Cifar10Error> {
    pickle::parse(bytes).map_err(|source| Cifar10Error::Pickle {
        file: file.into(),
        source,
    })
}
