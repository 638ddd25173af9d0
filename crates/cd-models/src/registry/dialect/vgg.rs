//! VGG for large images.

use super::{Dialect, Place, at};

/// Dialects of torchvision's VGG.
pub(crate) const VGG: &[Dialect] = &[Dialect {
    of: "timm",
    stem: "features.0.weight",
    head: "head.fc.weight",
    place: timm,
}];

/// timm has the first two linear layers as convolutions.
fn timm(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["features", ..] => at(name),
        ["pre_logits", "fc1", "weight"] => Some(Place::Rows("classifier.0.weight".to_owned())),
        ["pre_logits", "fc2", "weight"] => Some(Place::Rows("classifier.3.weight".to_owned())),
        ["pre_logits", "fc1", leaf] => at(&format!("classifier.0.{leaf}")),
        ["pre_logits", "fc2", leaf] => at(&format!("classifier.3.{leaf}")),
        ["head", "fc", leaf] => at(&format!("classifier.6.{leaf}")),
        _ => None,
    }
}
