//! Pictures of chosen rows, copied to a temporary file.

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use super::columns::{Columns, Wanted};
use super::listing::{Row, name, opened};
use super::rows::Table;
use crate::dataset::files::FilesError;
use crate::dataset::folder::Item;
use crate::dataset::shards::Shard;
use crate::dataset::spool::{Source, Spool};
use crate::picture::{Place, Stamp};

/// Copies the pictures of `rows`, ascending, to `spool`.
pub(super) fn copied(
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
        // What is remembered of a picture under its name must not be taken for one of another column.
        let prefix = match wanted.image {
            Some(column) => format!("{}/{column}", shard.name),
            None => shard.name.clone(),
        };
        let mut copying = Copying {
            shard,
            prefix,
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
    /// What names begin with.
    prefix: String,
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
            if wanted.next_if(|wanted| wanted.at == row).is_some() {
                let name = name(&self.prefix, group, row);
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
        self.take_paths(group, &elsewhere, items)
    }

    /// Puts the files under their paths in the places of pictures without bytes, given as rows and positions of `items`.
    fn take_paths(
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
