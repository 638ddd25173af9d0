//! ConvNeXt.

use super::{Dialect, Place, at};

/// Dialects of torchvision's ConvNeXt.
pub(crate) const CONVNEXT: &[Dialect] = &[
    Dialect {
        of: "timm",
        stem: "stem.0.weight",
        head: "head.fc.weight",
        place: timm,
    },
    Dialect {
        of: "Hugging Face",
        stem: "convnext.embeddings.patch_embeddings.weight",
        head: "classifier.weight",
        place: hugging_face,
    },
    Dialect {
        of: "the paper's code",
        stem: "downsample_layers.0.0.weight",
        head: "head.weight",
        place: papers,
    },
];

fn timm(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["stem", layer, leaf] => at(&format!("features.0.{layer}.{leaf}")),
        ["stages", stage, "downsample", layer, leaf] => down(stage, layer, leaf),
        ["stages", stage, "blocks", block, ref rest @ ..] => in_block(stage, block, rest),
        ["head", "norm", leaf] => at(&format!("classifier.0.{leaf}")),
        ["head", "fc", leaf] => at(&format!("classifier.2.{leaf}")),
        _ => None,
    }
}

fn hugging_face(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["convnext", "embeddings", "patch_embeddings", leaf] => at(&format!("features.0.0.{leaf}")),
        ["convnext", "embeddings", "layernorm", leaf] => at(&format!("features.0.1.{leaf}")),
        ["convnext", "encoder", "stages", stage, ref rest @ ..] => match *rest {
            ["downsampling_layer", layer, leaf] => down(stage, layer, leaf),
            ["layers", block, ref rest @ ..] => in_block(stage, block, rest),
            _ => None,
        },
        ["convnext", "layernorm", leaf] => at(&format!("classifier.0.{leaf}")),
        ["classifier", leaf] => at(&format!("classifier.2.{leaf}")),
        _ => None,
    }
}

fn papers(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["downsample_layers", stage, layer, leaf] => down(stage, layer, leaf),
        ["stages", stage, block, ref rest @ ..] => in_block(stage, block, rest),
        ["norm", leaf] => at(&format!("classifier.0.{leaf}")),
        ["head", leaf] => at(&format!("classifier.2.{leaf}")),
        _ => None,
    }
}

/// What makes the map of a stage smaller; of the first stage the stem.
fn down(stage: &str, layer: &str, leaf: &str) -> Option<Place> {
    let stage: usize = stage.parse().ok()?;
    at(&format!("features.{}.{layer}.{leaf}", 2 * stage))
}

fn in_block(stage: &str, block: &str, rest: &[&str]) -> Option<Place> {
    let stage: usize = stage.parse().ok()?;
    let rest = match *rest {
        ["gamma" | "layer_scale_parameter"] => "layer_scale".to_owned(),
        ["conv_dw" | "dwconv", leaf] => format!("block.0.{leaf}"),
        ["norm" | "layernorm", leaf] => format!("block.2.{leaf}"),
        ["mlp", "fc1", leaf] | ["pwconv1", leaf] => format!("block.3.{leaf}"),
        ["mlp", "fc2", leaf] | ["pwconv2", leaf] => format!("block.5.{leaf}"),
        _ => return None,
    };
    at(&format!("features.{}.{block}.{rest}", 2 * stage + 1))
}
