//! The samples of a shard: files that share a key.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::path::Path;

use super::label::{FIELDS, LONGEST, Telling};
use super::members::{self, Member, TarError};
use crate::dataset::NotRead;
use crate::dataset::classes::Labels;
use crate::dataset::folder::{HIDDEN, has_picture_ending};

const NO_PICTURE: &str = "samples without a picture";
const NO_LABEL: &str = "samples without a label";

/// Which files of a sample are meant; what is left open is told by their endings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) picture: Option<&'a str>,
    pub(super) label: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    /// Whether labels do not matter.
    pub(super) unlabelled: bool,
}

/// A picture of a shard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) picture: Member,
    /// Number of its label among those of the data set; none when labels do not matter.
    pub(super) label: Option<u32>,
}

/// Files that share a key, as far as they are known.
#[derive(Default)]
struct Gathered {
    picture: Option<(String, Member)>,
    label: Option<u32>,
    /// Name of its first file.
    first: String,
}

/// The pictures of an archive of `length` bytes in their order; samples that lack something are noted in `not_read` under the name of
/// the shard.
pub(super) fn read(
    input: impl Read + Seek,
    length: u64,
    wanted: Wanted<'_>,
    telling: Option<&Telling>,
    labels: &mut Labels,
    (shard, not_read): (&str, &mut NotRead),
) -> Result<Vec<Sample>, TarError> {
    let mut keys: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Gathered> = Vec::new();
    members::each(input, length, |member, content| {
        let Some((key, field)) = parts(&member.path) else {
            not_read.add(HIDDEN, format!("{shard}/{}", member.path));
            return Ok(());
        };
        let is_picture = wanted.is_picture(&field);
        let tells = telling.filter(|telling| telling.field == field);
        let at = *keys.entry(key).or_insert_with(|| {
            all.push(Gathered {
                first: member.path.clone(),
                ..Gathered::default()
            });
            all.len() - 1
        });
        let sample = &mut all[at];
        if let Some(telling) = tells {
            let content = whole(&member, content)?;
            let label = telling.read(&content);
            let label = label.map_err(|reason| format!("`{}`: {reason}", member.path))?;
            if sample.label.is_some() {
                return Err(format!("`{}` is there twice", member.path));
            }
            sample.label = label.map(|label| labels.id(label)).transpose()?;
        } else if is_picture {
            if let Some((other, _)) = &sample.picture {
                return Err(two_pictures(other, &field, &member.path));
            }
            sample.picture = Some((field, member));
        }
        Ok(())
    })?;
    let mut samples = Vec::with_capacity(all.len());
    for sample in all {
        let named = format!("{shard}/{}", sample.first);
        match (sample.picture, sample.label) {
            (None, _) => not_read.add(NO_PICTURE, named),
            (Some(_), None) if !wanted.unlabelled => not_read.add(NO_LABEL, named),
            (Some((_, picture)), label) => samples.push(Sample { picture, label }),
        }
    }
    Ok(samples)
}

/// How the first sample with a picture tells its class. Without one, the endings that it has.
pub(super) fn telling(
    input: impl Read + Seek,
    length: u64,
    wanted: Wanted<'_>,
) -> Result<Result<Telling, Vec<String>>, TarError> {
    let mut first: Option<String> = None;
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    let mut has_picture = false;
    let mut done = false;
    members::each(input, length, |member, content| {
        let Some((key, field)) = parts(&member.path).filter(|_| !done) else {
            return Ok(());
        };
        if first.as_ref() != Some(&key) {
            if has_picture {
                done = true;
                return Ok(());
            }
            fields.clear();
            first = Some(key);
        }
        has_picture |= wanted.is_picture(&field);
        let candidate = match wanted.label {
            Some(label) => label == field,
            None => FIELDS.contains(&field.as_str()),
        };
        let content = if candidate {
            whole(&member, content)?
        } else {
            Vec::new()
        };
        fields.push((field, content));
        Ok(())
    })?;
    let candidates: Vec<&str> = wanted.label.map_or(FIELDS.to_vec(), |label| vec![label]);
    let found = candidates.iter().find_map(|name| {
        let (field, content) = fields.iter().find(|(field, _)| field == name)?;
        Telling::of(field, content, wanted.key)
    });
    Ok(found.ok_or_else(|| fields.into_iter().map(|(field, _)| field).collect()))
}

impl Wanted<'_> {
    fn is_picture(&self, field: &str) -> bool {
        match self.picture {
            Some(wanted) => field == wanted,
            None => has_picture_ending(Path::new(&format!("x.{field}"))),
        }
    }
}

fn two_pictures(one: &str, other: &str, path: &str) -> String {
    if one == other {
        return format!("`{path}` is there twice");
    }
    format!(
        "`{path}`: the sample has two pictures, `{one}` and `{other}`; choose one with `image = \"{one}\"`"
    )
}

fn whole(member: &Member, content: &mut dyn Read) -> Result<Vec<u8>, String> {
    if member.len > LONGEST {
        return Err(format!(
            "`{}` has {} bytes, expected at most {LONGEST} of a label",
            member.path, member.len
        ));
    }
    let mut bytes = Vec::new();
    content
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Key and ending of a path: they meet at the first dot of its last part. Nothing for hidden files.
fn parts(path: &str) -> Option<(String, String)> {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let (name, field) = path[name_at..]
        .split_once('.')
        .unwrap_or((&path[name_at..], ""));
    if name.is_empty() {
        return None;
    }
    let key = format!("{}{name}", &path[..name_at]);
    Some((key, field.to_ascii_lowercase()))
}
