//! What stands beside the network that was taken.

use std::collections::BTreeMap;

use super::choose::Choice;
use super::names::{Names, harmless, inside};
use super::network::Network;
use crate::weights::entry::Entries;
use crate::weights::normalising::Layer;

/// What stands beside a network.
#[derive(Debug, Default, PartialEq)]
pub(in crate::weights) struct Beside {
    /// Layers that normalise its input.
    pub(in crate::weights) normalising: Vec<Layer>,
    /// What was left out, in words.
    pub(in crate::weights) notes: Vec<String>,
    /// Tensors that were saved as part of the same thing and that nothing is known of; full names.
    pub(in crate::weights) unknown: Vec<String>,
}

impl Beside {
    pub(in crate::weights) fn of(
        entries: &Entries,
        names: &Names,
        layers: &[Layer],
        choice: &Choice,
    ) -> Self {
        let taken = &choice.taken;
        let mut beside = Self {
            normalising: layers
                .iter()
                .filter(|layer| belongs(layer, taken))
                .cloned()
                .collect(),
            ..Self::default()
        };
        beside.say_which(choice);
        let mut harmless_ones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut elsewhere: BTreeMap<&str, usize> = BTreeMap::new();
        let groups = groups(entries, taken);
        for (plain, full) in names.iter() {
            let mine =
                inside(plain, &taken.key).is_some_and(|inner| taken.names.contains_key(inner));
            if mine || beside.normalises(full) || of_another(plain, full, layers, &choice.others) {
                continue;
            }
            let entry = &entries[full];
            if !groups.contains(&entry.group.as_str()) {
                let (first, _) = full.split_once('.').unwrap_or((full, ""));
                *elsewhere.entry(first).or_default() += 1;
            } else if let Some(kind) = harmless(plain, entry) {
                harmless_ones.entry(kind).or_default().push(full);
            } else {
                beside.unknown.push(full.to_owned());
            }
        }
        for (kind, names) in harmless_ones {
            // Every checkpoint with BatchNorm has these.
            if kind != "counters of BatchNorm" {
                let (count, first) = (names.len(), names[0]);
                beside.notes.push(format!(
                    "{kind} were left out: {count} tensors (`{first}`, ...)"
                ));
            }
        }
        for (key, count) in elsewhere {
            let tensors = if count == 1 {
                "1 tensor".to_owned()
            } else {
                format!("{count} tensors")
            };
            beside
                .notes
                .push(format!("left out beside the network: `{key}` ({tensors})"));
        }
        beside
    }

    fn normalises(&self, full: &str) -> bool {
        self.normalising.iter().any(|layer| layer.holds(full))
    }

    fn say_which(&mut self, choice: &Choice) {
        let taken = &choice.taken;
        self.notes.extend(wrapped(taken));
        if self.normalising.is_empty() && is_behind_another(&taken.key) {
            self.notes.push(format!(
                "what stands in front of {} has no weights in the file; if it normalises pictures, state its mean and deviation \
                 with `models convert --mean --std`",
                taken.shown()
            ));
        }
        if choice.others.is_empty() {
            return;
        }
        let others: Vec<String> = choice.others.iter().map(Network::shown).collect();
        let reason = choice
            .reason
            .as_ref()
            .map_or_else(|| "it fits best".to_owned(), Clone::clone);
        self.notes.push(format!(
            "the network under {} was taken ({reason}); left out: {}",
            taken.shown(),
            others.join(", ")
        ));
    }
}

/// What was left out of the names of a network, in words.
fn wrapped(taken: &Network) -> Option<String> {
    let prefixes = taken.names.iter();
    let mut prefixes: Vec<Option<&str>> = prefixes
        .map(|(plain, full)| full.strip_suffix(plain.as_str()))
        .collect();
    prefixes.dedup();
    match prefixes[..] {
        [Some("")] => None,
        [Some(prefix)] => Some(format!(
            "the names of the network begin with `{prefix}`, which was left out"
        )),
        _ => taken
            .names
            .iter()
            .find(|(plain, full)| !full.ends_with(plain.as_str()))
            .map(|(plain, full)| format!("wrappers were left out of names: `{full}` is `{plain}`")),
    }
}

/// Whether a network is a later part of a sequence.
fn is_behind_another(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    last.parse::<usize>().is_ok_and(|number| number > 0)
}

/// The names of what the parameters of the network were saved in.
fn groups<'a>(entries: &'a Entries, taken: &Network) -> Vec<&'a str> {
    let groups = taken.names.values();
    let mut groups: Vec<&str> = groups.map(|full| entries[full].group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Whether a tensor is one of the networks that were left, or of a layer in front of those.
fn of_another(plain: &str, full: &str, layers: &[Layer], others: &[Network]) -> bool {
    let in_front = |other: &Network| {
        let mut of_it = layers.iter().filter(|layer| belongs(layer, other));
        of_it.any(|layer| layer.holds(full))
    };
    let mut others = others.iter();
    others.any(|other| inside(plain, &other.key).is_some() || in_front(other))
}

/// Whether a layer stands in front of the network or in it: what holds the layer holds the network, too.
fn belongs(layer: &Layer, taken: &Network) -> bool {
    let Some(first) = taken.names.values().next() else {
        return false;
    };
    let holder = layer
        .prefix
        .rsplit_once('.')
        .map_or("", |(holder, _)| holder);
    inside(first, holder).is_some()
}
