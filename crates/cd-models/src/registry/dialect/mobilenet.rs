//! MobileNetV2 for large images.

use super::{Dialect, Place, at};

/// Dialects of torchvision's MobileNetV2.
pub(crate) const MOBILENET_V2: &[Dialect] = &[Dialect {
    of: "timm",
    stem: "conv_stem.weight",
    head: "classifier.weight",
    place: timm,
}];

/// Blocks before each of timm's stages, and the number of the last unit.
const BEFORE: [usize; 7] = [0, 1, 3, 6, 10, 13, 16];
const LAST: usize = 18;

fn timm(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["conv_stem", leaf] => at(&format!("features.0.0.{leaf}")),
        ["bn1", leaf] => at(&format!("features.0.1.{leaf}")),
        ["conv_head", leaf] => at(&format!("features.{LAST}.0.{leaf}")),
        ["bn2", leaf] => at(&format!("features.{LAST}.1.{leaf}")),
        ["classifier", leaf] => at(&format!("classifier.1.{leaf}")),
        ["blocks", stage, block, layer, leaf] => {
            let before = BEFORE.get(stage.parse::<usize>().ok()?)?;
            let number = before + block.parse::<usize>().ok()? + 1;
            // The first block does not expand.
            // The first block does not expand.
            let inner = match (layer, number) {
                ("conv_dw", 1) | ("conv_pw", 2..) => "0.0",
                ("bn1", _) => "0.1",
                ("conv_dw", _) => "1.0",
                ("conv_pw", _) => "1",
                ("bn2", 1) | ("conv_pwl", _) => "2",
                ("bn2", _) => "1.1",
                ("bn3", _) => "3",
                _ => return None,
            };
            at(&format!("features.{number}.conv.{inner}.{leaf}"))
        }
        _ => None,
    }
}
