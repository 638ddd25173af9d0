//! What the classes are called.

use std::collections::BTreeMap;
use std::path::Path;

use super::Cifar100Labels;
use super::records::{content, parsed};
use crate::dataset::files::FilesError;
use crate::dataset::members::Member;

/// The names of the classes; numbers where no file has them.
pub(super) fn of_classes(
    place: &Path,
    members: &BTreeMap<String, Member>,
    labels: Cifar100Labels,
) -> Result<Vec<String>, FilesError> {
    let (kind, count) = match labels {
        Cifar100Labels::Coarse => ("coarse", 20),
        Cifar100Labels::Fine => ("fine", 100),
    };
    let names = if let Some(member) = members.get(&format!("{kind}_label_names.txt")) {
        from_text(member)?
    } else if let Some(member) = members.get("meta") {
        from_pickle(member, kind)?
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

fn from_text(member: &Member) -> Result<Vec<String>, FilesError> {
    let text = String::from_utf8(member.bytes()?);
    let text = text.map_err(|_| content(&member.shown, "it is no text"))?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect())
}

fn from_pickle(member: &Member, kind: &str) -> Result<Vec<String>, FilesError> {
    let bytes = member.bytes()?;
    let pickle = parsed(&bytes, &member.shown)?;
    let names = pickle
        .entry(&format!("{kind}_label_names"))
        .and_then(|id| pickle.members(id));
    let texts = names.into_iter().flatten();
    Ok(texts
        .filter_map(|&id| pickle.text(id))
        .map(String::from)
        .collect())
}
