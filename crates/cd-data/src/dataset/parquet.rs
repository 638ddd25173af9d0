//! Parquet shards as hubs of data sets publish them.
//!
//! A column of pictures is one of bytes, or of structures with `bytes` and `path` as the library `datasets` writes them; pictures whose
//! bytes are null lie under their path beside the shard. A column of labels is one of whole numbers or of names. The names of numbers
//! stand in the metadata of the file under the key `huggingface`. Of several columns the user chooses.
//!
//! Shards called `train-00000-of-00005.parquet` or `train/0000.parquet` are for training, those with `test` in their names for
//! testing, and those with `validation` where there are none or they have no labels.
//!
//! Pages of pictures are packed and a page has many, so that a shuffled pass would unpack each of them many times. Encoded pictures are
//! therefore copied once into a temporary file without a name, page by page, and read from there; it is as large as they are.

mod columns;
mod pages;
mod rows;

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::columns::{Columns, Wanted};
use self::rows::Table;
use super::classes::{Label, Labels};
use super::container::{self, Part, Parts, Reading};
use super::files::{FilesError, Limits};
use super::folder::Item;
use super::shards::{self, Shard, foreign};
use super::spool::{Source, Spool};
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Orientation, Place, Stamp, side_of};

/// What lists say about parquet shards.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "parquet",
    title: "Parquet shards",
    summary: "Your own pictures or a data set of a hub in .parquet shards, with a column of pictures and one of labels; resized to one size.",
    source: "a folder or a file on this computer, such as one of https://huggingface.co/datasets",
};
const SHARDS: shards::Wanted = shards::Wanted {
    dataset: INFO.title,
    expected: "shards that end in .parquet, such as `train-00000-of-00001.parquet`, there or in folders inside",
    endings: &[".parquet"],
};
/// Pictures whose sizes decide the side of all.
const SAMPLE: usize = 1000;
const NO_LABEL: &str = "rows without a label";

/// Where the shards lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParquetConfig {
    /// Folder of shards, or one shard. In a folder, shards with `test` or `validation` in their names are for testing.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it one that fits the first pictures, at most 224.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Column of the pictures, where several can hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// Column of the labels, where several can hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Whether nothing tells the classes: all pictures count and have no labels.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Without test pictures: the fraction of every class, above 0 and below 1, that is set aside for testing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Largest share of pictures, 0 to 1, that is left out because they cannot be decoded; with more, nothing is read.
    #[serde(skip_serializing_if = "super::folder::is_zero")]
    pub skip_bad: f64,
    /// Whether pictures are turned as their cameras noted.
    #[serde(skip_serializing_if = "Orientation::is_ignored")]
    pub orientation: Orientation,
    /// Seed of the choices that limits and fraction make.
    pub seed: u64,
}

impl Default for ParquetConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/parquet"),
            size: None,
            image_column: None,
            label_column: None,
            unlabelled: false,
            train_limit: None,
            test_limit: None,
            test_fraction: None,
            skip_bad: 0.0,
            orientation: Orientation::default(),
            seed: 0,
        }
    }
}

impl Dataset for ParquetConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let reading = self.reading();
        reading.check(INFO.name)?;
        let listing = self.listed()?;
        let parts = listing.parts.divided(&self.path, &reading)?;
        let mut spool = Spool::new().map_err(FilesError::io(&std::env::temp_dir()))?;
        let wanted = self.wanted();
        let mut copied = |part: Part<Row>| -> Result<Part<Item>, FilesError> {
            let items = copied(&listing.shards, &part.items, wanted, &mut spool)?;
            let labels = part.labels;
            Ok(Part { items, labels })
        };
        let parts = Parts {
            train: copied(parts.train)?,
            test: parts.test.map(&mut copied).transpose()?,
            class_names: parts.class_names,
        };
        spool
            .finish()
            .map_err(FilesError::io(&std::env::temp_dir()))?;
        let base = container::base(&self.path);
        Ok(container::read(
            &self.path,
            &base,
            parts,
            listing.not_read,
            &reading,
            context,
        )?)
    }

    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        let listing = self.listed()?;
        let rows = listing.parts.train.items;
        let count = rows.len();
        let mut spool = Spool::new().map_err(FilesError::io(&std::env::temp_dir()))?;
        let first = &rows[..count.min(SAMPLE)];
        let items = copied(&listing.shards, first, self.wanted(), &mut spool)?;
        spool
            .finish()
            .map_err(FilesError::io(&std::env::temp_dir()))?;
        let places: Vec<&Place> = items.iter().map(|item| &item.place).collect();
        let side = side_of(&places);
        Ok(Some(Pictured { count, side }))
    }

    fn size(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.size)
    }

    fn is_unlabelled(&self) -> bool {
        self.unlabelled
    }
}

/// A row of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    shard: usize,
    group: usize,
    row: usize,
}

/// What is found without looking at pictures.
struct Listing {
    shards: Vec<Shard>,
    parts: Parts<Row>,
    not_read: NotRead,
}

impl ParquetConfig {
    fn reading(&self) -> Reading {
        Reading {
            size: self.size,
            limits: Limits {
                train: self.train_limit,
                test: self.test_limit,
                seed: self.seed,
            },
            test_fraction: self.test_fraction,
            skip_bad: self.skip_bad,
            orientation: self.orientation,
            unlabelled: self.unlabelled,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            image: self.image_column.as_deref(),
            label: self.label_column.as_deref(),
            unlabelled: self.unlabelled,
        }
    }

    /// Finds the rows and their classes.
    fn listed(&self) -> Result<Listing, FilesError> {
        let mut found = SHARDS.find(&self.path)?;
        let tests = found.tests();
        let mut reader = LabelReader {
            wanted: self.wanted(),
            shards: Vec::new(),
            labels: Labels::default(),
            names: None,
            not_read: std::mem::take(&mut found.not_read),
        };
        let train = reader.part(std::mem::take(&mut found.train))?;
        let mut test = None;
        for shards in tests {
            if test.is_some() || self.unlabelled {
                found.leave_out(shards);
                continue;
            }
            // The official test split of a hub is often without labels.
            test = Some(reader.part(shards)?).filter(|part| !part.items.is_empty());
        }
        reader.not_read.append(std::mem::take(&mut found.not_read));
        let (parts, shards, not_read) = reader.finish(&self.path, train, test)?;
        Ok(Listing {
            shards,
            parts,
            not_read,
        })
    }
}

/// Reads the labels of one shard after the other.
struct LabelReader<'a> {
    wanted: Wanted<'a>,
    shards: Vec<Shard>,
    labels: Labels,
    /// Names of the classes, and the shard that has them.
    names: Option<(Vec<String>, String)>,
    not_read: NotRead,
}

impl LabelReader<'_> {
    fn part(&mut self, shards: Vec<Shard>) -> Result<Part<Row>, FilesError> {
        let mut part = Part {
            items: Vec::new(),
            labels: Vec::new(),
        };
        for shard in shards {
            let read = self.shard(&shard, &mut part);
            read.map_err(|reason| FilesError::content(&shard.path, reason))?;
            self.shards.push(shard);
        }
        Ok(part)
    }

    fn shard(&mut self, shard: &Shard, part: &mut Part<Row>) -> Result<(), String> {
        let table = opened(&shard.path)?;
        let columns = Columns::of(table.metadata().file_metadata(), self.wanted)?;
        self.note_names(columns.names, &shard.name)?;
        let number = self.shards.len();
        for group in table.groups() {
            let Some(leaf) = columns.label else {
                let rows = 0..table.rows(group) as usize;
                part.items.extend(rows.map(|row| Row {
                    shard: number,
                    group,
                    row,
                }));
                continue;
            };
            let mut row = 0;
            table.labels(group, leaf, |label| {
                // The hub's library writes -1 where a class is not known.
                let known =
                    label.filter(|label| self.names.is_none() || *label != Label::Number(-1));
                match known {
                    Some(label) => {
                        part.labels.push(self.labels.id(label)?);
                        part.items.push(Row {
                            shard: number,
                            group,
                            row,
                        });
                    }
                    None => self.not_read.add(NO_LABEL, name(shard, group, row)),
                }
                row += 1;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Fails when shards name their classes differently.
    fn note_names(&mut self, names: Option<Vec<String>>, shard: &str) -> Result<(), String> {
        match (&self.names, names) {
            (_, None) => {}
            (None, Some(names)) => self.names = Some((names, shard.into())),
            (Some((known, first)), Some(names)) if *known != names => {
                return Err(format!("its class names are not those of `{first}`"));
            }
            (Some(_), Some(_)) => {}
        }
        Ok(())
    }

    fn finish(
        self,
        path: &Path,
        train: Part<Row>,
        test: Option<Part<Row>>,
    ) -> Result<(Parts<Row>, Vec<Shard>, NotRead), FilesError> {
        let wrong = |reason| FilesError::content(path, reason);
        let mut parts = Parts {
            train,
            test,
            class_names: Vec::new(),
        };
        if !self.wanted.unlabelled {
            let classes = self
                .labels
                .classes(self.names.map(|(names, _)| names))
                .map_err(wrong)?;
            for part in std::iter::once(&mut parts.train).chain(&mut parts.test) {
                for label in &mut part.labels {
                    *label = classes.of(*label);
                }
            }
            if let Some(test) = &parts.test {
                classes
                    .check_test(&parts.train.labels, &test.labels)
                    .map_err(wrong)?;
            }
            parts.class_names = classes.names;
        }
        Ok((parts, self.shards, self.not_read))
    }
}

fn name(shard: &Shard, group: usize, row: usize) -> String {
    format!("{}/{group:03}-{row:05}", shard.name)
}

fn opened(path: &Path) -> Result<Table<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    Table::open(file).map_err(|reason| match foreign(path) {
        Some(what) => format!("it is no parquet file but {what}"),
        None => reason,
    })
}

/// Copies the pictures of `rows`, ascending, to `spool`.
fn copied(
    shards: &[Shard],
    rows: &[Row],
    wanted: Wanted<'_>,
    spool: &mut Spool,
) -> Result<Vec<Item>, FilesError> {
    let mut items = Vec::with_capacity(rows.len());
    for of_shard in rows.chunk_by(|a, b| a.shard == b.shard) {
        let shard = &shards[of_shard[0].shard];
        let wrong = |reason| FilesError::content(&shard.path, reason);
        let stamp = Stamp::of(&shard.path);
        let table = opened(&shard.path).map_err(wrong)?;
        let columns = Columns::of(table.metadata().file_metadata(), wanted).map_err(wrong)?;
        let source = spool
            .source(&shard.path, stamp)
            .map_err(FilesError::io(&std::env::temp_dir()))?;
        let mut copying = Copying {
            shard,
            table: &table,
            columns: &columns,
            source,
            spool,
        };
        for of_group in of_shard.chunk_by(|a, b| a.group == b.group) {
            copying.group(of_group, &mut items).map_err(wrong)?;
        }
    }
    Ok(items)
}

struct Copying<'a> {
    shard: &'a Shard,
    table: &'a Table<File>,
    columns: &'a Columns,
    source: Source,
    spool: &'a mut Spool,
}

impl Copying<'_> {
    /// Copies the pictures of rows of one group.
    fn group(&mut self, rows: &[Row], items: &mut Vec<Item>) -> Result<(), String> {
        let (first, group) = (items.len(), rows[0].group);
        let mut elsewhere = Vec::new();
        let (mut row, mut wanted) = (0, rows.iter().peekable());
        self.table.bytes(group, self.columns.image.bytes, |bytes| {
            if wanted.next_if(|wanted| wanted.row == row).is_some() {
                let name = name(self.shard, group, row);
                let short = format!("row {row} of row group {group}");
                let put = self.spool.put(&self.source, &short, bytes.unwrap_or_default());
                let place = put.map_err(|error| format!("cannot write the temporary file: {error}; the variable TMPDIR names another folder"))?;
                if bytes.is_none() {
                    elsewhere.push((row, items.len()));
                }
                items.push(Item { name, place });
            }
            row += 1;
            Ok(())
        })?;
        if items.len() - first != rows.len() {
            return Err("it has changed while it was read".into());
        }
        self.from_paths(group, &elsewhere, items)
    }

    /// Puts the files under their paths in the places of pictures without bytes, given as rows and positions of `items`.
    fn from_paths(
        &self,
        group: usize,
        rows: &[(usize, usize)],
        items: &mut [Item],
    ) -> Result<(), String> {
        let Some(&(first, _)) = rows.first() else {
            return Ok(());
        };
        let Some(leaf) = self.columns.image.path else {
            return Err(format!("row {first} of row group {group} has no picture"));
        };
        let folder = self.shard.path.parent().unwrap_or(Path::new("."));
        let (mut row, mut wanted) = (0, rows.iter().peekable());
        self.table.bytes(group, leaf, |path| {
            if let Some(&(_, item)) = wanted.next_if(|(wanted, _)| *wanted == row) {
                let path = path.map(String::from_utf8_lossy);
                let path = path.ok_or("it has neither a picture nor the path of one")?;
                items[item].place = Place::File(beside(folder, &path)?);
            }
            row += 1;
            Ok(())
        })
    }
}

/// The file at `path`, which must lie below the folder of the shard.
fn beside(folder: &Path, path: &str) -> Result<PathBuf, String> {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let file = folder.join(path);
    if inside && file.is_file() {
        return Ok(file);
    }
    Err(format!(
        "it has no picture but the path `{path}`, which is no file below `{}`",
        folder.display()
    ))
}

#[cfg(test)]
mod tests;
