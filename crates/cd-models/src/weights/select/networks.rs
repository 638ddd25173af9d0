//! Every network of a file, wherever in it it stands.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;

use super::names::{Names, harmless};
use super::network::{Network, Wanted, shapes};
use crate::registry::{ARCHITECTURES, Architecture};
use crate::weights::entry::Entries;
use crate::weights::normalising::Layer;
use crate::weights::recognise::{as_model, nearest};

/// Most places that are compared with the architectures.
const MOST_PLACES: usize = 24;

/// Networks by their first layer; when `wanted` names an architecture, that of it alone.
pub(in crate::weights) fn networks(
    entries: &Entries,
    names: &Names,
    layers: &[Layer],
    wanted: &Wanted<'_>,
    device: &Device,
) -> Vec<Network> {
    let architecture = wanted.model.and_then(|model| model.architecture().ok());
    let places = places(names, architecture);
    let found = places.into_iter().take(MOST_PLACES).filter_map(|key| {
        let names = parameters(entries, names, layers, &key);
        let shapes = shapes(entries, &names);
        let found = match wanted.model {
            Some(model) => as_model(model, wanted.classes, &shapes, device),
            None => nearest(&shapes, wanted.stated, device),
        }?;
        Some(Network {
            key,
            names,
            misfits: found.misfits,
            model: Some((found.config, found.classes)),
        })
    });
    found.collect()
}

/// Names below which the first layer of an architecture stands, those of the fewest parts first: layers inside of a network may be
/// called like the first of another.
fn places(names: &Names, wanted: Option<&Architecture>) -> Vec<String> {
    let mut families: Vec<&Architecture> = Vec::new();
    for entry in ARCHITECTURES {
        let known = families
            .iter()
            .any(|other| std::ptr::eq(other.family, entry.family));
        if !known && wanted.is_none_or(|wanted| std::ptr::eq(wanted.family, entry.family)) {
            families.push(entry);
        }
    }
    let mut places = BTreeSet::new();
    for (name, _) in names.iter() {
        for entry in &families {
            if let Some(place) = before_stem(name, entry) {
                places.insert(place.to_owned());
            }
        }
    }
    let mut places: Vec<String> = places.into_iter().collect();
    places.sort_by_key(|place| place.matches('.').count());
    places
}

/// What stands before the first layer in `name`, if it is one in any of the family's dialects.
fn before_stem<'a>(name: &'a str, architecture: &Architecture) -> Option<&'a str> {
    let own = architecture.family.stem;
    let dialects = architecture.family.dialects.iter();
    let stems = std::iter::once(own).chain(dialects.map(|dialect| dialect.stem));
    stems.into_iter().find_map(|stem| {
        let parts = stem.split('.').count();
        let start = name.rmatch_indices('.').nth(parts - 1).map(|(at, _)| at);
        let (place, suffix) = match start {
            Some(at) => (&name[..at], &name[at + 1..]),
            None => ("", name),
        };
        let same = suffix == stem || (stem == own && architecture.exported_name(suffix) == own);
        same.then_some(place)
    })
}

/// What stands below `key` but for counters and normalisation layers.
pub(super) fn parameters(
    entries: &Entries,
    names: &Names,
    layers: &[Layer],
    key: &str,
) -> BTreeMap<String, String> {
    let normalises = |full: &str| layers.iter().any(|layer| layer.holds(full));
    let mut below = names.below(key);
    below.retain(|plain, full| harmless(plain, &entries[full]).is_none() && !normalises(full));
    below
}
