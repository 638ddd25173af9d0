//! Vision transformers.

use super::{Dialect, Place, at};

/// Dialects of torchvision's vision transformers.
pub(crate) const VISION_TRANSFORMER: &[Dialect] = &[
    Dialect {
        of: "timm",
        stem: "patch_embed.proj.weight",
        head: "head.weight",
        place: timm,
    },
    Dialect {
        of: "Hugging Face",
        stem: "vit.embeddings.patch_embeddings.projection.weight",
        head: "classifier.weight",
        place: hugging_face,
    },
];

fn timm(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["cls_token"] => at("class_token"),
        ["pos_embed"] => at("encoder.pos_embedding"),
        ["patch_embed", "proj", leaf] => at(&format!("conv_proj.{leaf}")),
        ["norm", leaf] => at(&format!("encoder.ln.{leaf}")),
        ["head", leaf] => at(&format!("heads.head.{leaf}")),
        ["blocks", layer, ref rest @ ..] => {
            let rest = match *rest {
                ["norm1", leaf] => format!("ln_1.{leaf}"),
                ["norm2", leaf] => format!("ln_2.{leaf}"),
                ["attn", "qkv", leaf] => format!("self_attention.in_proj_{leaf}"),
                ["attn", "proj", leaf] => format!("self_attention.out_proj.{leaf}"),
                ["mlp", "fc1", leaf] => format!("mlp.0.{leaf}"),
                ["mlp", "fc2", leaf] => format!("mlp.3.{leaf}"),
                _ => return None,
            };
            at(&in_layer(layer, &rest))
        }
        _ => None,
    }
}

fn hugging_face(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["classifier", leaf] => at(&format!("heads.head.{leaf}")),
        ["vit", "layernorm", leaf] => at(&format!("encoder.ln.{leaf}")),
        ["vit", "embeddings", "cls_token"] => at("class_token"),
        ["vit", "embeddings", "position_embeddings"] => at("encoder.pos_embedding"),
        ["vit", "embeddings", "patch_embeddings", "projection", leaf] => {
            at(&format!("conv_proj.{leaf}"))
        }
        ["vit", "encoder", "layer", layer, ref rest @ ..] => {
            let rest = match *rest {
                ["layernorm_before", leaf] => format!("ln_1.{leaf}"),
                ["layernorm_after", leaf] => format!("ln_2.{leaf}"),
                ["attention", "attention", which, leaf] => {
                    let order = ["query", "key", "value"];
                    return Some(Place::Part {
                        name: in_layer(layer, &format!("self_attention.in_proj_{leaf}")),
                        part: order.iter().position(|name| *name == which)?,
                        parts: order.len(),
                    });
                }
                ["attention", "output", "dense", leaf] => {
                    format!("self_attention.out_proj.{leaf}")
                }
                ["intermediate", "dense", leaf] => format!("mlp.0.{leaf}"),
                ["output", "dense", leaf] => format!("mlp.3.{leaf}"),
                _ => return None,
            };
            at(&in_layer(layer, &rest))
        }
        _ => None,
    }
}

fn in_layer(layer: &str, rest: &str) -> String {
    format!("encoder.layers.encoder_layer_{layer}.{rest}")
}
