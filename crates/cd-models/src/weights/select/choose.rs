//! One network out of those of a file.

use super::names::{inside, is_average, plain};
use super::network::{Network, Wanted};
use crate::weights::entry::{Entries, Place};

/// The network that is taken, and those that are left.
pub(in crate::weights) struct Choice {
    pub(in crate::weights) taken: Network,
    pub(in crate::weights) others: Vec<Network>,
    /// Why that one, where there was a choice.
    pub(in crate::weights) reason: Option<String>,
}

/// Why none can be taken.
#[derive(Debug, PartialEq)]
pub(in crate::weights) enum Problem {
    /// Nothing looks like an architecture that is known.
    Unrecognised,
    /// Several fit equally; their keys.
    Ambiguous(Vec<String>),
    /// None stands under the key that was given; the keys that there are.
    NoSuchKey(Vec<String>),
}

/// Takes the network under the key that is wanted, or else the one that fits best.
///
/// An average of a trained network stands behind that; copies of one network count once.
pub(in crate::weights) fn choose(
    entries: &Entries,
    networks: Vec<Network>,
    wanted: &Wanted<'_>,
) -> Result<Choice, Problem> {
    let keys = |networks: &[Network]| networks.iter().map(Network::shown).collect();
    let (mut fitting, mut others): (Vec<Network>, Vec<Network>) = (Vec::new(), Vec::new());
    let all = keys(&networks);
    let none = networks.is_empty();
    let key = wanted.key.map(plain);
    let mut reason = key.as_ref().map(|key| format!("`{key}` was asked for"));
    for network in networks {
        let asked = key
            .as_deref()
            .is_none_or(|key| network.key == key || inside(&network.key, key).is_some());
        if asked {
            fitting.push(network);
        } else {
            others.push(network);
        }
    }
    if fitting.is_empty() {
        return Err(if key.is_some() && !none {
            Problem::NoSuchKey(all)
        } else {
            Problem::Unrecognised
        });
    }
    if fitting.iter().any(Network::is_exact) {
        let (exact, rest): (Vec<_>, Vec<_>) = fitting.into_iter().partition(Network::is_exact);
        others.extend(rest);
        let (one_of_each, copies) = distinct(entries, exact);
        if one_of_each.len() == 1 && !copies.is_empty() {
            reason.get_or_insert("the others hold the same values".to_owned());
        }
        others.extend(copies);
        fitting = one_of_each;
    } else {
        // What lacks least is what was meant, and the error lists what it lacks.
        fitting.sort_by_key(|network| network.misfits);
        others.extend(fitting.split_off(1));
    }
    let trained = fitting
        .iter()
        .filter(|network| !is_average(&network.key))
        .count();
    if fitting.len() > 1 && trained == 1 {
        let (average, one): (Vec<_>, Vec<_>) = fitting
            .into_iter()
            .partition(|network| is_average(&network.key));
        others.extend(average);
        fitting = one;
        reason.get_or_insert("the others are averages of it".to_owned());
    }
    match <[Network; 1]>::try_from(fitting) {
        Ok([taken]) => Ok(Choice {
            taken,
            others,
            reason,
        }),
        Err(several) => Err(Problem::Ambiguous(keys(&several))),
    }
}

/// One of each, and copies of those: networks whose parameters are the same values of the file.
fn distinct(entries: &Entries, networks: Vec<Network>) -> (Vec<Network>, Vec<Network>) {
    let (mut distinct, mut copies): (Vec<Network>, Vec<Network>) = (Vec::new(), Vec::new());
    for network in networks {
        let known = distinct.iter().any(|other| same(entries, other, &network));
        if known {
            copies.push(network);
        } else {
            distinct.push(network);
        }
    }
    (distinct, copies)
}

fn same(entries: &Entries, one: &Network, other: &Network) -> bool {
    one.names.len() == other.names.len()
        && one
            .names
            .iter()
            .zip(&other.names)
            .all(|((name, full), (other, copy))| {
                let [first, second] = [full, copy].map(|full| &entries[full]);
                let readable = !matches!(first.place, Place::Nowhere(_));
                name == other
                    && readable
                    && first.place == second.place
                    && first.shape == second.shape
            })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::config::ModelConfig;
    use crate::weights::element::Element;
    use crate::weights::entry::{Entry, Origin};

    fn entries(names: &[(&str, u8)]) -> Entries {
        let entry = |value: u8| Entry {
            shape: vec![1],
            element: Element::F32,
            origin: Origin::Tensor,
            group: String::new(),
            place: Place::Memory(vec![value; 4]),
        };
        names
            .iter()
            .map(|&(name, value)| (format!("{name}.w"), entry(value)))
            .collect()
    }

    fn network(key: &str, misfits: usize) -> Network {
        Network {
            key: key.to_owned(),
            names: BTreeMap::from([("w".to_owned(), format!("{key}.w"))]),
            model: Some((
                ModelConfig {
                    name: "resnet18".into(),
                    width: None,
                },
                10,
            )),
            misfits,
        }
    }

    fn taken(of: &[(&str, u8)], misfits: &[usize], key: Option<&str>) -> Result<String, Problem> {
        let networks = of
            .iter()
            .zip(misfits)
            .map(|(&(key, _), &misfits)| network(key, misfits));
        let wanted = Wanted {
            key,
            ..Wanted::default()
        };
        choose(&entries(of), networks.collect(), &wanted).map(|choice| choice.taken.key)
    }

    #[test]
    fn the_trained_network_is_taken_and_equal_ones_are_refused() {
        let ema = [("model", 1), ("model_ema", 2)];
        assert_eq!(taken(&ema, &[0, 0], None), Ok("model".into()));
        assert_eq!(
            taken(&ema, &[0, 0], Some("model_ema")),
            Ok("model_ema".into())
        );
        assert_eq!(taken(&ema, &[3, 0], None), Ok("model_ema".into()));
        let equal = [("model", 1), ("net", 2)];
        let both = vec!["`model`".to_owned(), "`net`".to_owned()];
        assert_eq!(
            taken(&equal, &[0, 0], None),
            Err(Problem::Ambiguous(both.clone()))
        );
        assert_eq!(taken(&equal, &[0, 0], Some("module.net")), Ok("net".into()));
        assert_eq!(
            taken(&equal, &[0, 0], Some("other")),
            Err(Problem::NoSuchKey(both))
        );
        assert_eq!(taken(&equal, &[4, 2], None), Ok("net".into()));
        let copies = [("model", 1), ("net", 1)];
        assert_eq!(taken(&copies, &[0, 0], None), Ok("model".into()));
        assert_eq!(taken(&[], &[], None), Err(Problem::Unrecognised));
    }
}
