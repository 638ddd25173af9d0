//! Names of tensors without what programs wrap around networks.

use std::collections::BTreeMap;

use crate::weights::entry::{Entries, Entry, Origin};

/// Parts of names that wrappers add and that say nothing: of parallel, compiled and sharded networks.
const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// The tensors of a file by plain names, with their full ones.
#[derive(Debug, Clone)]
pub(in crate::weights) struct Names(BTreeMap<String, String>);

impl Names {
    pub(in crate::weights) fn of(entries: &Entries) -> Self {
        let mut names = BTreeMap::new();
        for (full, entry) in entries {
            if entry.origin == Origin::Aside {
                continue;
            }
            let plain = plain(full);
            // Of two that only wrappers tell apart, one keeps its full name.
            let name = if names.contains_key(&plain) {
                full.clone()
            } else {
                plain
            };
            names.insert(name, full.clone());
        }
        Self(names)
    }

    pub(in crate::weights) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(plain, full)| (plain.as_str(), full.as_str()))
    }

    /// The name of a place without wrappers.
    pub(in crate::weights) fn plain_key(key: &str) -> String {
        plain(key)
    }

    /// Names below `key`, without it, and full names.
    pub(super) fn below(&self, key: &str) -> BTreeMap<String, String> {
        let below = self.iter().filter_map(|(plain, full)| {
            let inner = inside(plain, key)?;
            Some((inner.to_owned(), full.to_owned()))
        });
        below.collect()
    }
}

/// A name without wrappers.
pub(super) fn plain(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

/// What follows `key` in `name`; all of it for the empty key.
pub(super) fn inside<'a>(name: &'a str, key: &str) -> Option<&'a str> {
    if key.is_empty() {
        return Some(name);
    }
    name.strip_prefix(key)?.strip_prefix('.')
}

/// What a tensor is that changes no answer of the network it was saved with.
pub(super) fn harmless(plain: &str, entry: &Entry) -> Option<&'static str> {
    let mut parts = plain.rsplit('.');
    let leaf = parts.next().unwrap_or_default();
    let single = entry.count().is_some_and(|count| count <= 1);
    match leaf {
        "num_batches_tracked" => Some("counters of BatchNorm"),
        "total_ops" | "total_params" if single => Some("counters of a profiler"),
        "n_averaged" | "num_updates" | "decay" | "initted" | "step" if single => {
            Some("counters of an average")
        }
        "position_ids" => Some("positions"),
        _ => {
            let of_loss =
                |part: &str| ["criterion", "loss", "loss_fn", "loss_func"].contains(&part);
            parts.any(of_loss).then_some("weights of a loss")
        }
    }
}

/// Whether a network under this key is an average of others.
pub(super) fn is_average(key: &str) -> bool {
    let words = key.split(['.', '_']);
    let mut words = words.map(str::to_ascii_lowercase);
    words
        .any(|word| ["ema", "swa", "avg", "average", "averaged", "shadow"].contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_go_in_any_nesting() {
        for (name, expected) in [
            ("module._orig_mod.module.conv1.weight", "conv1.weight"),
            ("features.module.0.weight", "features.0.weight"),
            (
                "state_dict.model._orig_mod.fc.bias",
                "state_dict.model.fc.bias",
            ),
            ("modules.weight", "modules.weight"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn averages_are_told_by_whole_words() {
        for name in [
            "model_ema",
            "ema",
            "state_dict_ema",
            "ema_model",
            "swa_model",
            "a.EMA.b",
        ] {
            assert!(is_average(name), "{name}");
        }
        for name in ["model", "schema", "net", "", "cinema.net"] {
            assert!(!is_average(name), "{name}");
        }
    }
}
