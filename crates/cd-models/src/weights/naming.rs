//! Names that weights have elsewhere, turned into ours.

use burn::tensor::Device;

use super::recognise::recognise;
use super::state::StateDict;
use crate::registry::ARCHITECTURES;

/// Weights as Burn writes them, under the names that PyTorch would give them.
///
/// Names from modules of other Rust programs are only freed of Burn's own words.
pub(crate) fn burn_names(state: StateDict, device: &Device) -> StateDict {
    let state = state.renamed(plain_name);
    let shapes = state.shapes();
    if recognise(&shapes, device).is_some() {
        return state;
    }
    let recorded = ARCHITECTURES.iter().find_map(|entry| {
        let net = entry.build(entry.family.small_width, 1, device);
        let public = |name: &str| net.network().public_name(name.to_owned());
        let renamed = shapes.iter();
        let renamed = renamed.map(|(name, shape)| (public(name), shape.clone()));
        recognise(&renamed.collect(), device)?;
        Some(net)
    });
    match recorded {
        Some(net) => state.renamed(|name| net.network().public_name(name.to_owned())),
        None => state,
    }
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
