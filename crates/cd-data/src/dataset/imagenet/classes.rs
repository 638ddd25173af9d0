//! Which classes of a tree of class folders are taken.

use std::collections::BTreeSet;
use std::path::Path;

use cd_core::names::nearest;

use crate::dataset::files::FilesError;
use crate::zipped;

/// The names of the chosen classes.
#[derive(Debug)]
pub(in crate::dataset) struct Classes(BTreeSet<String>);

impl Classes {
    /// The classes in the folder `train`: all, the `first` of them, or those of a list.
    pub(in crate::dataset) fn chosen(
        train: &Path,
        first: Option<usize>,
        list: &[String],
    ) -> Result<Self, FilesError> {
        let mut known = BTreeSet::new();
        for child in zipped::children(train).map_err(FilesError::io(train))? {
            let name = child.path.file_name().unwrap_or_default().to_string_lossy();
            if child.is_dir && is_wnid(&name) {
                known.insert(name.into_owned());
            }
        }
        let wrong = |reason: String| Err(FilesError::content(train, reason));
        match (first, list) {
            (Some(_), [_, ..]) => wrong("`first` and `classes` choose both; use one of the two".into()),
            (Some(first), []) if first == 0 || first > known.len() => {
                wrong(format!("`first` is {first}, expected 1 to {}, the classes that are there", known.len()))
            }
            (Some(first), []) => Ok(Self(known.into_iter().take(first).collect())),
            (None, []) if known.is_empty() => {
                wrong("it has no class folders such as `n01440764`; for other names use the data set `folder`".into())
            }
            (None, []) => Ok(Self(known)),
            (None, list) => match list.iter().find(|class| !known.contains(*class)) {
                Some(class) => {
                    let near = nearest(class, known.iter().map(String::as_str));
                    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                    wrong(format!("`classes` names `{class}`, which has no folder{hint}"))
                }
                None => Ok(Self(list.iter().cloned().collect())),
            },
        }
    }

    /// Whether a class was chosen.
    pub(in crate::dataset) fn has(&self, class: &str) -> bool {
        self.0.contains(class)
    }
}

/// Whether a name has the form of a number in WordNet.
pub(super) fn is_wnid(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}
