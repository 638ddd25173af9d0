//! Names that weights have elsewhere, turned into ours.

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::recognise::recognise;
use super::state::Shapes;
use crate::registry::ARCHITECTURES;

/// The names that PyTorch would give to parameters that Burn wrote.
///
/// Names from modules of other Rust programs are only freed of Burn's own words.
pub(super) fn burn_names(shapes: &Shapes, device: &Device) -> BTreeMap<String, String> {
    let renamed = |name_of: &dyn Fn(&str) -> String| -> Shapes {
        let names = shapes.iter();
        names
            .map(|(name, shape)| (name_of(name), shape.clone()))
            .collect()
    };
    let named = |name_of: &dyn Fn(&str) -> String| {
        shapes
            .keys()
            .map(|name| (name.clone(), name_of(name)))
            .collect()
    };
    if recognise(&renamed(&plain_name), device).is_some() {
        return named(&plain_name);
    }
    for entry in ARCHITECTURES {
        let net = entry.build(entry.family.small_width, 1, device);
        let public = |name: &str| net.network().public_name(plain_name(name));
        if recognise(&renamed(&public), device).is_some() {
            return named(&public);
        }
    }
    named(&plain_name)
}

/// The name of a parameter of a recorded network without what only the Rust structure has.
fn plain_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let mut plain: Vec<String> = Vec::new();
    for part in parts {
        let paired = plain.last().is_some_and(|last| last.starts_with("conv"));
        match part {
            "gamma" => plain.push("weight".to_owned()),
            "beta" => plain.push("bias".to_owned()),
            "conv" if paired => {}
            "norm" if paired => {
                let conv = plain.pop().unwrap_or_default();
                plain.push(conv.replace("conv", "bn"));
            }
            // Variants of enums begin with a capital, parameters never do.
            part if part == "trunk" || part.starts_with(|c: char| c.is_ascii_uppercase()) => {}
            part => plain.push(part.to_owned()),
        }
    }
    plain.join(".")
}
