//! The official binary records: one label byte, then 32 x 32 red, green and blue bytes.

use cd_models::{CHANNELS, ImageSet};

use super::{CLASSES, Cifar10Error, SIDE};
use crate::dataset::stored::{Form, RecordPictures, Stored};

/// Bytes of one colour plane.
const PLANE: usize = SIDE * SIDE;
/// Bytes of one record.
pub(super) const RECORD_LEN: usize = 1 + PLANE * CHANNELS;
/// Records of one official batch file.
pub(super) const RECORDS_PER_BATCH: usize = 10_000;
/// Largest accepted size of the file of class names in bytes.
pub(super) const META_LIMIT: u64 = 4096;
/// The file of class names.
pub(super) const META_FILE: &str = "batches.meta.txt";

/// One batch file of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchFile {
    /// File name without `.bin`; pictures are named after it.
    pub(super) stem: &'static str,
    /// Whether the pictures are test pictures.
    pub(super) is_test: bool,
}

/// All batch files in reading order.
pub(super) const BATCH_FILES: [BatchFile; 6] = [
    BatchFile {
        stem: "data_batch_1",
        is_test: false,
    },
    BatchFile {
        stem: "data_batch_2",
        is_test: false,
    },
    BatchFile {
        stem: "data_batch_3",
        is_test: false,
    },
    BatchFile {
        stem: "data_batch_4",
        is_test: false,
    },
    BatchFile {
        stem: "data_batch_5",
        is_test: false,
    },
    BatchFile {
        stem: "test_batch",
        is_test: true,
    },
];

impl BatchFile {
    /// Name of the file.
    pub(super) fn file_name(self) -> String {
        format!("{}.bin", self.stem)
    }
}

/// The content of the batch files, in the order of [`BATCH_FILES`], each with its name for errors.
#[derive(Debug)]
pub(super) struct Batches {
    pub(super) class_names: Vec<String>,
    pub(super) batches: Vec<(String, Stored)>,
}

impl Batches {
    /// The pictures as (train, test); they stay where they lie.
    pub(super) fn into_sets(self) -> Result<(ImageSet, ImageSet), Cifar10Error> {
        let mut train = ImageSet::new(SIDE, SIDE, self.class_names.clone());
        let mut test = ImageSet::new(SIDE, SIDE, self.class_names);
        for (file, (name, stored)) in BATCH_FILES.iter().zip(self.batches) {
            let set = if file.is_test { &mut test } else { &mut train };
            decode(file.stem, &name, stored, set)?;
        }
        Ok((train, test))
    }
}

/// Fails unless `got` is the size of a batch of `records` records.
pub(super) fn check_size(file: &str, got: u64, records: usize) -> Result<(), Cifar10Error> {
    let expected = (records * RECORD_LEN) as u64;
    if got == expected {
        return Ok(());
    }
    Err(Cifar10Error::Size {
        file: file.into(),
        expected,
        got,
    })
}

/// The class names when there is no file of them.
pub(super) fn default_class_names() -> Vec<String> {
    CLASSES.map(String::from).to_vec()
}

/// Reads the file of class names.
pub(super) fn parse_class_names(file: &str, bytes: &[u8]) -> Result<Vec<String>, Cifar10Error> {
    let error = || Cifar10Error::ClassNames { file: file.into() };
    let text = std::str::from_utf8(bytes).map_err(|_| error())?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect();
    if names.len() == CLASSES.len() {
        Ok(names)
    } else {
        Err(error())
    }
}

fn decode(stem: &str, file: &str, stored: Stored, set: &mut ImageSet) -> Result<(), Cifar10Error> {
    let unreadable = |source| Cifar10Error::Io {
        file: file.into(),
        source,
    };
    let count = stored.length().map_err(unreadable)? as usize / RECORD_LEN;
    let form = Form::Planes {
        labels: 1,
        pixels: PLANE * CHANNELS,
    };
    let mut labels = Vec::new();
    let pictures = RecordPictures::read(stored, form, count, |record, bytes| {
        let label = bytes[0];
        if usize::from(label) >= CLASSES.len() {
            return Err(Failed::Batch(Cifar10Error::Label {
                file: file.into(),
                record,
                label,
            }));
        }
        labels.push(u32::from(label));
        Ok(())
    });
    let pictures = pictures.map_err(|failed| match failed {
        Failed::Batch(error) => error,
        Failed::Io(source) => unreadable(source),
    })?;
    for (index, label) in labels.into_iter().enumerate() {
        set.push_from(format!("{stem}:{index:05}"), &pictures, index, label)?;
    }
    Ok(())
}

/// Why the pictures of a batch cannot be read.
enum Failed {
    Batch(Cifar10Error),
    Io(std::io::Error),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
