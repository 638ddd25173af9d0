//! The pictures of all shards and their classes, found without opening any of them.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::label::Telling;
use super::members;
use super::samples::{self, Wanted};
use crate::dataset::NotRead;
use crate::dataset::classes::Labels;
use crate::dataset::container::{self, Part, Parts};
use crate::dataset::files::FilesError;
use crate::dataset::folder::Item;
use crate::dataset::shards::{Shard, Shards, foreign};
use crate::picture::{Container, Place, Stamp};

/// Files with a class name in each line.
const NAMES: [&str; 2] = ["classnames.txt", "classes.txt"];
/// Longest such file.
const LONGEST_NAMES: u64 = 8 << 20;
/// How many times larger than its archive the unpacked content may be; pictures hardly shrink.
const MOST_UNPACKED: u64 = 100;
/// What unpacked content may have in any case.
const ALWAYS_UNPACKED: u64 = 256 << 20;

/// The pictures of `found` shards of the data set at `path`.
pub(super) fn list(
    path: &Path,
    mut found: Shards,
    wanted: Wanted<'_>,
) -> Result<(Parts<Item>, NotRead), FilesError> {
    let names = class_names(path)?;
    found.not_read.retain(|file| !NAMES.contains(&file));
    let mut tests = found.tests().into_iter();
    let test = if wanted.unlabelled {
        None
    } else {
        tests.next()
    };
    tests.for_each(|shards| found.leave_out(shards));
    let mut listing = Listing {
        wanted,
        telling: None,
        labels: Labels::default(),
        not_read: found.not_read,
    };
    let train = listing.part(&found.train)?;
    let test = test.map(|shards| listing.part(&shards)).transpose()?;
    let Listing {
        labels, not_read, ..
    } = listing;
    let mut parts = Parts {
        train,
        test,
        class_names: Vec::new(),
    };
    if !wanted.unlabelled {
        let wrong = |reason| FilesError::content(path, reason);
        parts = parts.classed(labels, names).map_err(wrong)?;
    }
    Ok((parts, not_read))
}

/// What is gathered from all shards.
struct Listing<'a> {
    wanted: Wanted<'a>,
    /// How the first sample tells its class.
    telling: Option<Telling>,
    labels: Labels,
    not_read: NotRead,
}

impl Listing<'_> {
    fn part(&mut self, shards: &[Shard]) -> Result<Part<Item>, FilesError> {
        let mut part = Part {
            items: Vec::new(),
            labels: Vec::new(),
        };
        for shard in shards {
            self.shard(shard, &mut part)?;
        }
        Ok(part)
    }

    fn shard(&mut self, shard: &Shard, part: &mut Part<Item>) -> Result<(), FilesError> {
        let container = opened(&shard.path)?;
        let file = container.file();
        let length = file.metadata().map_err(FilesError::io(&shard.path))?.len();
        let input = || {
            let mut input = BufReader::new(file);
            input.seek(SeekFrom::Start(0)).map(|_| input)
        };
        let wrong = |error: members::TarError| match foreign(&shard.path) {
            Some(what) if error.at == 0 => {
                FilesError::content(&shard.path, format!("it is no tar archive but {what}"))
            }
            _ => FilesError::content(&shard.path, format!("byte {}: {}", error.at, error.reason)),
        };
        if self.telling.is_none() && !self.wanted.unlabelled {
            let input = input().map_err(FilesError::io(&shard.path))?;
            let telling = samples::telling(input, length, self.wanted).map_err(wrong)?;
            let telling = telling.map_err(|fields| no_labels(&shard.path, &fields))?;
            self.telling = Some(telling);
        }
        let input = input().map_err(FilesError::io(&shard.path))?;
        let samples = samples::read(
            input,
            length,
            self.wanted,
            self.telling.as_ref(),
            &mut self.labels,
            (&shard.name, &mut self.not_read),
        );
        for sample in samples.map_err(wrong)? {
            let picture = sample.picture;
            part.labels.extend(sample.label);
            part.items.push(Item {
                name: format!("{}/{}", shard.name, picture.path),
                place: Place::Part {
                    container: Arc::clone(&container),
                    name: picture.path.into(),
                    start: picture.start,
                    len: picture.len,
                },
            });
        }
        Ok(())
    }
}

fn no_labels(path: &Path, fields: &[String]) -> FilesError {
    let reason = if fields.is_empty() {
        "it holds no samples".to_owned()
    } else {
        format!(
            "nothing tells the class of its first sample, which has the endings {}; choose one with `label`, and `label_key` where it is JSON",
            fields.join(", ")
        )
    };
    FilesError::content(path, reason)
}

/// An archive to read at any place: the file itself, or its unpacked content in a temporary one.
fn opened(path: &Path) -> Result<Arc<Container>, FilesError> {
    let failed = FilesError::io(path);
    let stamp = Stamp::of(path);
    let mut file = File::open(path).map_err(&failed)?;
    let mut magic = [0; 2];
    let is_packed = file.read(&mut magic).map_err(&failed)? == 2 && magic == [0x1f, 0x8b];
    file.seek(SeekFrom::Start(0)).map_err(&failed)?;
    if !is_packed {
        return Ok(Container::unpacked(path, stamp, file));
    }
    let most = file.metadata().map_err(&failed)?.len() * MOST_UNPACKED + ALWAYS_UNPACKED;
    let mut unpacked = tempfile::tempfile().map_err(&failed)?;
    let mut content = MultiGzDecoder::new(BufReader::new(file)).take(most + 1);
    let bytes = io::copy(&mut content, &mut unpacked).map_err(|error| {
        FilesError::content(
            path,
            format!("its gzip layer is damaged or cut short: {error}"),
        )
    })?;
    if bytes > most {
        let reason = format!("it unpacks to more than {most} bytes, which pictures do not");
        return Err(FilesError::content(path, reason));
    }
    Ok(Container::unpacked(path, stamp, unpacked))
}

/// Names of the classes from a file beside the shards, one in each line.
fn class_names(path: &Path) -> Result<Option<Vec<String>>, FilesError> {
    let folder = container::base(path);
    let file = NAMES
        .iter()
        .map(|name| folder.join(name))
        .find(|file| file.is_file());
    let Some(file) = file else {
        return Ok(None);
    };
    let length = fs::metadata(&file).map_err(FilesError::io(&file))?.len();
    if length > LONGEST_NAMES {
        return Err(FilesError::content(
            &file,
            format!("it has {length} bytes, too many for names of classes"),
        ));
    }
    let text = fs::read_to_string(&file).map_err(FilesError::io(&file))?;
    Ok(Some(
        text.lines().map(|line| line.trim().to_owned()).collect(),
    ))
}
