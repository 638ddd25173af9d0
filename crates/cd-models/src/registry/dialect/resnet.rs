//! Residual networks. timm's names are torchvision's.

use super::{Dialect, Place, at};

/// Dialects of torchvision's residual networks.
pub(crate) const RESNET: &[Dialect] = &[Dialect {
    of: "Hugging Face",
    stem: "resnet.embedder.embedder.convolution.weight",
    head: "classifier.1.weight",
    place: hugging_face,
}];

fn hugging_face(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |text: &str| text.parse::<usize>().ok();
    match parts[..] {
        ["classifier", "1", leaf] => at(&format!("fc.{leaf}")),
        ["resnet", "embedder", "embedder", layer, leaf] => {
            let layer = named(layer, "conv1", "bn1")?;
            at(&format!("{layer}.{leaf}"))
        }
        [
            "resnet",
            "encoder",
            "stages",
            stage,
            "layers",
            block,
            ref rest @ ..,
        ] => {
            let rest = match *rest {
                ["shortcut", layer, leaf] => {
                    format!("downsample.{}.{leaf}", named(layer, "0", "1")?)
                }
                ["layer", unit, layer, leaf] => {
                    format!(
                        "{}{}.{leaf}",
                        named(layer, "conv", "bn")?,
                        number(unit)? + 1
                    )
                }
                _ => return None,
            };
            at(&format!("layer{}.{block}.{rest}", number(stage)? + 1))
        }
        _ => None,
    }
}

/// What a convolution or the BatchNorm behind it is called.
fn named<'a>(layer: &str, convolution: &'a str, normalization: &'a str) -> Option<&'a str> {
    match layer {
        "convolution" => Some(convolution),
        "normalization" => Some(normalization),
        _ => None,
    }
}
