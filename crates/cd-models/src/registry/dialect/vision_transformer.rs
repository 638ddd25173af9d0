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
        // Before and since version 5 of transformers.
        ["vit", "encoder", "layer", layer, ref rest @ ..]
        | ["vit", "layers", layer, ref rest @ ..] => hugging_face_layer(layer, rest),
        _ => None,
    }
}

fn hugging_face_layer(layer: &str, rest: &[&str]) -> Option<Place> {
    let rest = match *rest {
        ["layernorm_before", leaf] => format!("ln_1.{leaf}"),
        ["layernorm_after", leaf] => format!("ln_2.{leaf}"),
        ["attention", "output", "dense", leaf] | ["attention", "o_proj", leaf] => {
            format!("self_attention.out_proj.{leaf}")
        }
        ["attention", "attention", which, leaf] | ["attention", which, leaf] => {
            let part = match which {
                "query" | "q_proj" => 0,
                "key" | "k_proj" => 1,
                "value" | "v_proj" => 2,
                _ => return None,
            };
            return Some(Place::Part {
                name: in_layer(layer, &format!("self_attention.in_proj_{leaf}")),
                part,
                parts: 3,
            });
        }
        ["intermediate", "dense", leaf] | ["mlp", "fc1", leaf] => format!("mlp.0.{leaf}"),
        ["output", "dense", leaf] | ["mlp", "fc2", leaf] => format!("mlp.3.{leaf}"),
        _ => return None,
    };
    at(&in_layer(layer, &rest))
}

fn in_layer(layer: &str, rest: &str) -> String {
    format!("encoder.layers.encoder_layer_{layer}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_of_hugging_face_lead_to_the_same_places() {
        for (older, newer) in [
            (
                "attention.attention.query.weight",
                "attention.q_proj.weight",
            ),
            ("attention.attention.key.bias", "attention.k_proj.bias"),
            (
                "attention.attention.value.weight",
                "attention.v_proj.weight",
            ),
            ("attention.output.dense.bias", "attention.o_proj.bias"),
            ("intermediate.dense.weight", "mlp.fc1.weight"),
            ("output.dense.weight", "mlp.fc2.weight"),
            ("layernorm_before.bias", "layernorm_before.bias"),
        ] {
            let place = hugging_face(&format!("vit.encoder.layer.7.{older}"));
            assert!(place.is_some(), "{older}");
            assert_eq!(place, hugging_face(&format!("vit.layers.7.{newer}")));
        }
        assert_eq!(hugging_face("vit.pooler.dense.weight"), None);
    }
}
