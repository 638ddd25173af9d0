//! Pictures and labels of one part, from binary records or a pickle.

use std::collections::BTreeMap;
use std::path::Path;

use cd_core::ImageSet;

use super::{Cifar100Labels, INFO};
use crate::dataset::DataError;
use crate::dataset::files::FilesError;
use crate::dataset::members::Member;
use crate::dataset::planes::interleave;
use crate::pickle::{self, Pickle};

/// Side of a picture in pixels.
const SIDE: usize = 32;
/// Bytes of a picture.
const PIXELS: usize = SIDE * SIDE * 3;
/// Bytes of a binary record: coarse label, fine label, planes.
const RECORD_LEN: usize = 2 + PIXELS;
/// Pictures of the larger part.
const MOST_RECORDS: usize = 50_000;
/// Most bytes of a part: pixels as text in UTF-8, labels and names.
const MOST_BYTES: u64 = (MOST_RECORDS * (2 * RECORD_LEN + 200)) as u64;
/// Most bytes that an archive may hold.
pub(super) const BUDGET: u64 = 2 * MOST_BYTES;

/// Most bytes of the file called `name`, when it is one of the data set's.
pub(super) fn most_bytes(name: &str) -> Option<u64> {
    match name {
        "train.bin" | "test.bin" | "train" | "test" => Some(MOST_BYTES),
        "meta" | "fine_label_names.txt" | "coarse_label_names.txt" => Some(1 << 16),
        _ => None,
    }
}

/// The pictures of `part` of the data set at `place`.
pub(super) fn read(
    place: &Path,
    members: &BTreeMap<String, Member>,
    part: &str,
    labels: Cifar100Labels,
) -> Result<ImageSet, DataError> {
    let mut set = ImageSet::new(SIDE, SIDE, class_names(place, members, labels)?);
    if let Some(member) = members.get(&format!("{part}.bin")) {
        binary(part, member, labels, &mut set)?;
    } else if let Some(member) = members.get(part) {
        pickled(part, member, labels, &mut set)?;
    } else {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: place.into(),
            missing: format!("`{part}.bin` (binary) or `{part}` (Python)"),
        }
        .into());
    }
    Ok(set)
}

fn content(member: &Member, reason: impl Into<String>) -> FilesError {
    FilesError::content(Path::new(&member.shown), reason)
}

fn binary(
    part: &str,
    member: &Member,
    labels: Cifar100Labels,
    set: &mut ImageSet,
) -> Result<(), DataError> {
    let bytes = &member.bytes;
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD_LEN) {
        let reason = format!(
            "it has {} bytes, expected whole records of {RECORD_LEN}: it is cut short, or CIFAR-10",
            bytes.len()
        );
        return Err(content(member, reason).into());
    }
    let at = match labels {
        Cifar100Labels::Coarse => 0,
        Cifar100Labels::Fine => 1,
    };
    for (index, record) in bytes.chunks_exact(RECORD_LEN).enumerate() {
        push(set, part, member, index, record[at].into(), &record[2..])?;
    }
    Ok(())
}

fn pickled(
    part: &str,
    member: &Member,
    labels: Cifar100Labels,
    set: &mut ImageSet,
) -> Result<(), DataError> {
    let pickle = parsed(member)?;
    let key = match labels {
        Cifar100Labels::Coarse => "coarse_labels",
        Cifar100Labels::Fine => "fine_labels",
    };
    let labels = pickle.entry(key).and_then(|id| pickle.members(id));
    let labels = labels.ok_or_else(|| content(member, format!("it has no list `{key}`")))?;
    let data = pickle.entry("data").and_then(|id| pickle.array(id));
    let data = data.ok_or_else(|| content(member, "it has no array `data`"))?;
    let fits = data.shape == [labels.len(), PIXELS] && data.bytes.len() == labels.len() * PIXELS;
    if labels.is_empty() || !fits || data.kind != "u1" || data.is_fortran {
        let reason = format!(
            "`data` is an array of {:?} and type `{}`, expected [{}, {PIXELS}] and `u1`, one row for each label",
            data.shape,
            data.kind,
            labels.len()
        );
        return Err(content(member, reason).into());
    }
    for (index, (&label, planes)) in labels
        .iter()
        .zip(data.bytes.chunks_exact(PIXELS))
        .enumerate()
    {
        let label = pickle.int(label).unwrap_or(-1);
        push(set, part, member, index, label, planes)?;
    }
    Ok(())
}

fn push(
    set: &mut ImageSet,
    part: &str,
    member: &Member,
    index: usize,
    label: i64,
    planes: &[u8],
) -> Result<(), DataError> {
    let classes = set.class_count();
    let known = u32::try_from(label)
        .ok()
        .filter(|&label| (label as usize) < classes);
    let label = known.ok_or_else(|| {
        content(
            member,
            format!(
                "record {index} has label {label}, expected 0 to {}",
                classes - 1
            ),
        )
    })?;
    let mut pixels = [0; PIXELS];
    interleave(planes, &mut pixels);
    Ok(set.push(format!("{part}:{index:05}"), &pixels, label)?)
}

/// The names of the classes; numbers where no file has them.
fn class_names(
    place: &Path,
    members: &BTreeMap<String, Member>,
    labels: Cifar100Labels,
) -> Result<Vec<String>, FilesError> {
    let (kind, count) = match labels {
        Cifar100Labels::Coarse => ("coarse", 20),
        Cifar100Labels::Fine => ("fine", 100),
    };
    let text = members.get(&format!("{kind}_label_names.txt"));
    let names: Vec<String> = if let Some(member) = text {
        let text = str::from_utf8(&member.bytes).map_err(|_| content(member, "it is no text"))?;
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(String::from)
            .collect()
    } else if let Some(member) = members.get("meta") {
        let pickle = parsed(member)?;
        let names = pickle
            .entry(&format!("{kind}_label_names"))
            .and_then(|id| pickle.members(id));
        names
            .into_iter()
            .flatten()
            .filter_map(|&id| pickle.text(id))
            .map(String::from)
            .collect()
    } else {
        (0..count)
            .map(|class| format!("{kind} {class:02}"))
            .collect()
    };
    if names.len() == count {
        return Ok(names);
    }
    let reason = format!(
        "there are names of {} {kind} classes, expected {count}",
        names.len()
    );
    Err(FilesError::content(place, reason))
}

fn parsed(member: &Member) -> Result<Pickle<'_>, FilesError> {
    pickle::parse(&member.bytes).map_err(|error| content(member, error.to_string()))
}
