//! Layers that normalise the input, found by the names and sizes of what they keep.

use std::collections::BTreeMap;

use super::entry::{Entries, Origin};
use super::state::NamedTensor;
use crate::model::normalization::Normalization;

/// Which half of a normalisation a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Mean,
    Deviation,
}

/// What the last part of a name says: `mean`, `pixel_std`, `sigma`, ...
pub(super) fn role(leaf: &str) -> Option<Role> {
    paired(leaf).map(|(role, _)| role)
}

/// The role, and the name without the word that tells it, which both halves share.
fn paired(leaf: &str) -> Option<(Role, String)> {
    let leaf = leaf.to_ascii_lowercase();
    if leaf.contains("running") {
        return None;
    }
    let mut role = None;
    let rest = leaf.split('_').filter(|word| {
        let said = match *word {
            "mean" | "means" | "mu" => Some(Role::Mean),
            "std" | "stds" | "stdv" | "stdev" | "stddev" | "sigma" | "sd" | "deviation" => {
                Some(Role::Deviation)
            }
            _ => None,
        };
        role = role.or(said);
        said.is_none()
    });
    let rest: Vec<&str> = rest.collect();
    Some((role?, rest.join("_")))
}

/// A mean and a deviation that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// The name of what holds both; empty at the top.
    pub(super) prefix: String,
    /// Full names.
    pub(super) mean: String,
    pub(super) deviation: String,
}

impl Layer {
    pub(super) fn holds(&self, full: &str) -> bool {
        self.mean == full || self.deviation == full
    }
}

/// Every pair of a mean and a deviation of three colours, or of one for all of them.
///
/// Single numbers are a layer only inside a network, where `inside` says so: elsewhere they may be figures of anything.
pub(super) fn layers(entries: &Entries, inside: impl Fn(&str) -> bool) -> Vec<Layer> {
    let mut halves: BTreeMap<(String, String), [Option<String>; 2]> = BTreeMap::new();
    for (name, entry) in entries {
        let (prefix, leaf) = name.rsplit_once('.').unwrap_or(("", name));
        let Some((role, rest)) = paired(leaf) else {
            continue;
        };
        let single = entry.count() == Some(1) && entry.origin != Origin::Aside && inside(name);
        let colours = entry.count() == Some(3) && entry.shape.contains(&3);
        if entry.element.is_float() && (single || colours) {
            let pair = halves.entry((prefix.to_owned(), rest)).or_default();
            let half = &mut pair[usize::from(role == Role::Deviation)];
            half.get_or_insert_with(|| name.clone());
        }
    }
    let layers = halves.into_iter().filter_map(|((prefix, _), pair)| {
        let [Some(mean), Some(deviation)] = pair else {
            return None;
        };
        Some(Layer {
            prefix,
            mean,
            deviation,
        })
    });
    layers.collect()
}

/// What a layer's numbers mean for images in `[0, 1]`, and whether they were on the scale of 0 to 255; or why they mean nothing.
pub(super) fn normalization(
    mean: &NamedTensor,
    deviation: &NamedTensor,
) -> Result<(Normalization, bool), String> {
    let three = |tensor: &NamedTensor| match tensor.values[..] {
        [one] => Some([one; 3]),
        [red, green, blue] => Some([red, green, blue]),
        _ => None,
    };
    let (Some(mean), Some(std)) = (three(mean), three(deviation)) else {
        return Err("they are not one number for each of three colours".to_owned());
    };
    let stated = Normalization { mean, std };
    if !stated.is_usable() {
        return Err(format!(
            "mean {mean:?} and deviation {std:?}: means must be finite, deviations above 0"
        ));
    }
    let unit = mean.iter().all(|m| m.abs() <= 1.0) && std.iter().all(|&s| s <= 1.0);
    if unit {
        return Ok((stated, false));
    }
    // A deviation of a grey level or less is none of pictures on the larger scale.
    let bytes = mean.iter().all(|&m| (0.0..=255.0).contains(&m))
        && std.iter().all(|&s| (2.0..=255.0).contains(&s))
        && (mean.iter().all(|&m| m == 0.0) || mean.iter().all(|&m| m > 1.0));
    if bytes {
        let scaled = |values: [f32; 3]| values.map(|value| value / 255.0);
        let normalization = Normalization {
            mean: scaled(mean),
            std: scaled(std),
        };
        return Ok((normalization, true));
    }
    Err(format!(
        "mean {mean:?} and deviation {std:?} are neither of pixels from 0 to 1 nor of pixels from 0 to 255"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_halves() {
        for mean in [
            "mean",
            "_mean",
            "new_mean",
            "pixel_mean",
            "mu",
            "MEAN",
            "means",
            "image_mean",
        ] {
            assert_eq!(role(mean), Some(Role::Mean), "{mean}");
        }
        for deviation in ["std", "sigma", "new_std", "stdv", "pixel_std", "std_"] {
            assert_eq!(role(deviation), Some(Role::Deviation), "{deviation}");
        }
        for other in ["running_mean", "weight", "meaning", "stdin", "bias", ""] {
            assert_eq!(role(other), None, "{other}");
        }
    }

    #[test]
    fn scales_are_told_apart() {
        let tensor = |values: &[f32]| NamedTensor {
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        let of = |mean: &[f32], std: &[f32]| normalization(&tensor(mean), &tensor(std));
        let unit = of(&[0.49, 0.48, 0.44], &[0.2, 0.2, 0.2]).expect("unit");
        assert_eq!((unit.0.mean, unit.1), ([0.49, 0.48, 0.44], false));
        assert_eq!(of(&[0.5], &[0.25]).expect("unit").0.std, [0.25; 3]);
        let bytes = of(&[127.5, 51.0, 255.0], &[63.75, 51.0, 127.5]).expect("bytes");
        assert!(bytes.1);
        assert_eq!(bytes.0.mean, [0.5, 0.2, 1.0]);
        assert_eq!(bytes.0.std, [0.25, 0.2, 0.5]);
        let scaled = of(&[0.0; 3], &[255.0; 3]).expect("bytes").0;
        assert_eq!((scaled.mean, scaled.std), ([0.0; 3], [1.0; 3]));
        // Blue first, deviation 1: pixels of another order and scale.
        assert!(of(&[103.53, 116.28, 123.675], &[1.0; 3]).is_err());
        assert!(of(&[0.5; 3], &[0.0; 3]).is_err());
        assert!(of(&[0.5; 3], &[60.0; 3]).is_err());
        assert!(of(&[f32::NAN; 3], &[0.5; 3]).is_err());
        assert!(of(&[0.5; 2], &[0.5; 3]).is_err());
    }
}
