//! Pictures and labels of one part, from binary records or a pickle.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::Path;

use cd_core::{ImageSet, PixelSource};

use super::{Cifar100Labels, INFO, names};
use crate::dataset::DataError;
use crate::dataset::files::FilesError;
use crate::dataset::members::Member;
use crate::dataset::stored::{Form, RecordPictures, Stored};
use crate::pickle::{self, Latin1, Numbers, Outline, OutlineError, Pickle};

/// Side of a picture in pixels.
const SIDE: usize = 32;
/// Bytes of a picture.
const PIXELS: usize = SIDE * SIDE * 3;
/// A binary record: coarse label, fine label, planes.
const RECORD: Form = Form::Planes {
    labels: 2,
    pixels: PIXELS,
};
/// Pictures of the larger part.
const MOST_RECORDS: usize = 50_000;
/// Longest string of a pickle that is read into memory.
const LONGEST: u64 = 1 << 16;
/// Most bytes of a part: pixels as text in UTF-8, labels and names.
const MOST_BYTES: u64 = (MOST_RECORDS * (2 * (2 + PIXELS) + 200)) as u64;
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
    members: &mut BTreeMap<String, Member>,
    part: &str,
    labels: Cifar100Labels,
) -> Result<ImageSet, DataError> {
    let class_names = names::of_classes(place, members, labels)?;
    let part = if let Some(member) = members.remove(&format!("{part}.bin")) {
        (part, binary(member, labels, class_names.len())?)
    } else if let Some(member) = members.remove(part) {
        (part, pickled(member, labels, class_names.len())?)
    } else {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: place.into(),
            missing: format!("`{part}.bin` (binary) or `{part}` (Python)"),
        }
        .into());
    };
    let (name, (pictures, labels)) = part;
    let mut set = ImageSet::new(SIDE, SIDE, class_names);
    for (index, label) in labels.into_iter().enumerate() {
        set.push_from(format!("{name}:{index:05}"), &pictures, index, label)?;
    }
    Ok(set)
}

/// Pictures with a label each.
type Part = (std::sync::Arc<dyn PixelSource>, Vec<u32>);

/// What is wrong with a file.
pub(super) fn content(shown: &str, reason: impl Into<String>) -> FilesError {
    FilesError::content(Path::new(shown), reason)
}

fn binary(member: Member, labels: Cifar100Labels, classes: usize) -> Result<Part, FilesError> {
    let Member { shown, stored } = member;
    let length = stored.length().map_err(FilesError::io(Path::new(&shown)))? as usize;
    let record = RECORD.record_len();
    if length == 0 || !length.is_multiple_of(record) {
        let reason = format!(
            "it has {length} bytes, expected whole records of {record}: it is cut short, or CIFAR-10"
        );
        return Err(content(&shown, reason));
    }
    let at = match labels {
        Cifar100Labels::Coarse => 0,
        Cifar100Labels::Fine => 1,
    };
    let mut found = Vec::new();
    let pictures = RecordPictures::read(stored, RECORD, length / record, |index, record| {
        let label = known(&shown, index, record[at].into(), classes)?;
        found.push(label);
        Ok(())
    });
    Ok((pictures.map_err(|failed: Failed| failed.of(&shown))?, found))
}

/// Why pictures cannot be read.
enum Failed {
    Files(FilesError),
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FilesError> for Failed {
    fn from(error: FilesError) -> Self {
        Self::Files(error)
    }
}

impl Failed {
    fn of(self, shown: &str) -> FilesError {
        match self {
            Self::Files(error) => error,
            Self::Io(error) => FilesError::io(Path::new(shown))(error),
        }
    }
}

fn pickled(member: Member, labels: Cifar100Labels, classes: usize) -> Result<Part, FilesError> {
    let Member { shown, stored } = member;
    let failed = FilesError::io(Path::new(&shown));
    let (labels, data) = parts_of_pickle(stored.reader(), &shown, LONGEST, labels)?;
    let mut found = Vec::new();
    for (index, label) in labels.into_iter().enumerate() {
        found.push(known(&shown, index, label, classes)?);
    }
    let form = Form::Planes {
        labels: 0,
        pixels: PIXELS,
    };
    let all = |_, _: &[u8]| Ok::<(), io::Error>(());
    let pictures = alone(&shown, stored, data)
        .and_then(|stored| RecordPictures::read(stored, form, found.len(), all));
    Ok((pictures.map_err(failed)?, found))
}

/// The numbers of an array of the pickle `stored`.
fn alone(shown: &str, stored: Stored, data: Numbers<'_>) -> io::Result<Stored> {
    let shown = Path::new(shown);
    match data {
        Numbers::Here(bytes) => Stored::copied(shown, &mut &bytes[..]),
        Numbers::There(place) if place.characters.is_none() => Ok(stored.after(place.start)),
        Numbers::There(place) => {
            let text = stored.after(place.start);
            let text = BufReader::new(text.reader().take(place.length));
            Stored::copied(shown, &mut Latin1::new(text))
        }
    }
}

/// The labels of a pickled part and its pictures, which stay in the file when they take more than `longest` bytes.
pub(super) fn parts_of_pickle(
    from: impl Read,
    shown: &str,
    longest: u64,
    labels: Cifar100Labels,
) -> Result<(Vec<i64>, Numbers<'static>), FilesError> {
    let outline = Outline::read(BufReader::new(from), longest).map_err(|error| match error {
        OutlineError::Io(error) => FilesError::io(Path::new(shown))(error),
        OutlineError::Pickle(error) => content(shown, error.to_string()),
    })?;
    let pickle = outline.parse();
    let pickle = pickle.map_err(|error| content(shown, error.to_string()))?;
    let key = match labels {
        Cifar100Labels::Coarse => "coarse_labels",
        Cifar100Labels::Fine => "fine_labels",
    };
    let labels = pickle.entry(key).and_then(|id| pickle.members(id));
    let labels = labels.ok_or_else(|| content(shown, format!("it has no list `{key}`")))?;
    let data = pickle.entry("data").and_then(|id| pickle.array(id));
    let data = data.ok_or_else(|| content(shown, "it has no array `data`"))?;
    let fits =
        data.shape == [labels.len(), PIXELS] && data.bytes.len() == (labels.len() * PIXELS) as u64;
    if labels.is_empty() || !fits || data.kind != "u1" || data.is_fortran {
        let reason = format!(
            "`data` is an array of {:?} and type `{}`, expected [{}, {PIXELS}] and `u1`, one row for each label",
            data.shape,
            data.kind,
            labels.len()
        );
        return Err(content(shown, reason));
    }
    let labels = labels.iter().map(|&label| pickle.int(label).unwrap_or(-1));
    Ok((labels.collect(), data.bytes.into_owned()))
}

/// A label that is below the number of classes.
fn known(shown: &str, index: usize, label: i64, classes: usize) -> Result<u32, FilesError> {
    let known = u32::try_from(label)
        .ok()
        .filter(|&label| (label as usize) < classes);
    known.ok_or_else(|| {
        let most = classes - 1;
        content(
            shown,
            format!("record {index} has label {label}, expected 0 to {most}"),
        )
    })
}

/// The pickle in `bytes`.
pub(super) fn parsed<'a>(bytes: &'a [u8], shown: &str) -> Result<Pickle<'a>, FilesError> {
    pickle::parse(bytes).map_err(|error| content(shown, error.to_string()))
}
