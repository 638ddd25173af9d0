//! The rows of all shards and their classes, found without looking at pictures.

use std::fs::File;
use std::path::Path;

use super::columns::{Columns, Wanted};
use super::rows::Table;
use crate::dataset::NotRead;
use crate::dataset::classes::{Label, Labels};
use crate::dataset::container::{Part, Parts};
use crate::dataset::files::FilesError;
use crate::dataset::shards::{Shard, foreign};

const NO_LABEL: &str = "rows without a label";

/// A row of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) shard: usize,
    pub(super) group: usize,
    pub(super) at: usize,
}

/// Reads the labels of one shard after the other.
pub(super) struct LabelReader<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) shards: Vec<Shard>,
    pub(super) labels: Labels,
    /// Names of the classes, and the shard that has them.
    pub(super) names: Option<(Vec<String>, String)>,
    pub(super) not_read: NotRead,
}

impl LabelReader<'_> {
    pub(super) fn part(&mut self, shards: Vec<Shard>) -> Result<Part<Row>, FilesError> {
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

    /// Reads the labels of a shard.
    fn shard(&mut self, shard: &Shard, part: &mut Part<Row>) -> Result<(), String> {
        let table = opened(&shard.path)?;
        let columns = Columns::of(table.metadata().file_metadata(), self.wanted)?;
        self.note_names(columns.names, &shard.name)?;
        let number = self.shards.len();
        for group in table.groups() {
            let Some(leaf) = columns.label else {
                let rows = 0..table.rows(group) as usize;
                part.items.extend(rows.map(|at| Row {
                    shard: number,
                    group,
                    at,
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
                            at: row,
                        });
                    }
                    None => self.not_read.add(NO_LABEL, name(&shard.name, group, row)),
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
            (None, Some(names)) => self.names = Some((names, shard.into())),
            (Some((known, first)), Some(names)) if *known != names => {
                return Err(format!("its class names are not those of `{first}`"));
            }
            _ => {}
        }
        Ok(())
    }

    /// The rows with their classes, the shards that they count, and what was not read.
    pub(super) fn finish(
        self,
        train: Part<Row>,
        test: Option<Part<Row>>,
    ) -> Result<(Parts<Row>, Vec<Shard>, NotRead), String> {
        let mut parts = Parts {
            train,
            test,
            class_names: Vec::new(),
        };
        if !self.wanted.unlabelled {
            parts = parts.classed(self.labels, self.names.map(|(names, _)| names))?;
        }
        Ok((parts, self.shards, self.not_read))
    }
}

pub(super) fn name(prefix: &str, group: usize, row: usize) -> String {
    format!("{prefix}/{group:03}-{row:05}")
}

pub(super) fn opened(path: &Path) -> Result<Table<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    Table::open(file).map_err(|reason| match foreign(path) {
        Some(what) => format!("it is no parquet file but {what}"),
        None => reason,
    })
}
