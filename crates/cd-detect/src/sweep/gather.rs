//! The values of all images, put together from parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::{Matrix, PixelSource, StorageError};

use super::column::{Column, Kind};
use super::part::{PART_LEN, Part, path, read_at};
use crate::error::DetectError;
use crate::masks::Masks;

/// Values of all images, by column.
#[derive(Debug)]
pub struct Swept(Vec<(&'static str, Values)>);

#[derive(Debug)]
enum Values {
    /// Numbers or vectors.
    Column(Option<Column>),
    Masks(Option<Masks>),
}

impl Swept {
    /// Nothing yet.
    pub(super) fn new(columns: &[(&'static str, Kind)]) -> Self {
        let empty = |(name, kind): &(&'static str, Kind)| match kind {
            Kind::Numbers | Kind::Vectors => (*name, Values::Column(None)),
            Kind::Bytes => (*name, Values::Masks(None)),
        };
        Self(columns.iter().map(empty).collect())
    }

    /// Appends what was computed of a part.
    pub(super) fn append(&mut self, part: Vec<Column>) -> Result<(), DetectError> {
        for ((name, values), column) in self.0.iter_mut().zip(part) {
            match (values, column) {
                (Values::Masks(masks), Column::Bytes { shape, values }) => {
                    let masks = masks.get_or_insert_with(|| Masks::new(shape));
                    masks.extend(&values)?;
                }
                (Values::Column(Some(whole)), column) => {
                    assert!(whole.append(column), "`{name}` has one width");
                }
                (values, column) => *values = Values::Column(Some(column)),
            }
        }
        Ok(())
    }

    /// Puts together what lies in `parts`, which are those of `count` images in `folder`. Bytes stay there.
    pub(super) fn stored(
        columns: &[(&'static str, Kind)],
        parts: &[Part],
        folder: &Path,
        count: usize,
    ) -> Result<Self, DetectError> {
        let values = columns.iter().enumerate().map(|(number, (name, kind))| {
            let values = match kind {
                Kind::Bytes => Values::Masks(stored_masks(number, parts, folder, count)?),
                Kind::Numbers | Kind::Vectors => Values::Column(read_all(number, *kind, parts)?),
            };
            Ok((*name, values))
        });
        values.collect::<Result<_, DetectError>>().map(Self)
    }

    /// Takes out the numbers of column `name`.
    ///
    /// # Panics
    ///
    /// When the sweep has no such column, or it was taken out before.
    pub fn numbers(&mut self, name: &str) -> Vec<f64> {
        match self.take(name) {
            Values::Column(Some(Column::Numbers(values))) => values,
            _ => panic!("`{name}` is no column of numbers"),
        }
    }

    /// Takes out the vectors of column `name`, one row per image.
    ///
    /// # Panics
    ///
    /// As [`numbers`](Self::numbers).
    pub fn vectors(&mut self, name: &str) -> Matrix {
        match self.take(name) {
            Values::Column(Some(Column::Vectors { width, values })) => Matrix::new(width, values),
            _ => panic!("`{name}` is no column of vectors"),
        }
    }

    /// Takes out the bytes of column `name`.
    ///
    /// # Panics
    ///
    /// As [`numbers`](Self::numbers).
    pub fn masks(&mut self, name: &str) -> Masks {
        match self.take(name) {
            Values::Masks(Some(masks)) => masks,
            _ => panic!("`{name}` is no column of bytes"),
        }
    }

    fn take(&mut self, name: &str) -> Values {
        let values = self.0.iter_mut().find(|(own, _)| *own == name);
        let taken = Values::Column(None);
        values.map_or(Values::Column(None), |(_, values)| {
            std::mem::replace(values, taken)
        })
    }
}

fn read_all(number: usize, kind: Kind, parts: &[Part]) -> Result<Option<Column>, DetectError> {
    let mut whole: Option<Column> = None;
    for part in parts {
        let column = part.read(number, kind)?;
        match &mut whole {
            None => whole = Some(column),
            Some(whole) => {
                if !whole.append(column) {
                    return Err(part.misfit());
                }
            }
        }
    }
    Ok(whole)
}

fn stored_masks(
    number: usize,
    parts: &[Part],
    folder: &Path,
    count: usize,
) -> Result<Option<Masks>, DetectError> {
    let shape_of = |part: &Part| match part.place(number).1 {
        [_, channels, height, width] => [*channels, *height, *width],
        _ => [0; 3],
    };
    let Some(shape) = parts.first().map(shape_of) else {
        return Ok(None);
    };
    if let Some(odd) = parts.iter().find(|part| shape_of(part) != shape) {
        return Err(odd.misfit());
    }
    let source: Arc<dyn PixelSource> = Arc::new(PartFiles {
        folder: folder.to_owned(),
        starts: parts.iter().map(|part| part.place(number).0).collect(),
        len: shape.iter().product(),
    });
    Ok(Some(Masks::of(shape, &source, count)))
}

/// Bytes in part files, which are opened for every read: thousands of them would not fit the limit of open files.
#[derive(Debug)]
struct PartFiles {
    folder: PathBuf,
    /// Where the bytes begin in each file.
    starts: Vec<u64>,
    /// Bytes of an image.
    len: usize,
}

impl PixelSource for PartFiles {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let (part, place) = (index / PART_LEN, index % PART_LEN);
        let path = path(&self.folder, part * PART_LEN);
        let start = self.starts[part] + (place * self.len) as u64;
        match read_at(&path, start, self.len) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(StorageError::Source {
                path,
                reason: error.to_string(),
            }),
        }
    }
}
