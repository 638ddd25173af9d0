//! Names of other libraries and heads of other names, turned into those of an architecture.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{NamedTensor, Shapes, StateDict};
use crate::registry::{Architecture, Dialect, Output, Place};

/// Words that a head is called by, alone or joined by dots, before the numbers of a sequence around it.
const HEADS: [&str; 12] = [
    "fc",
    "_fc",
    "linear",
    "classifier",
    "_classifier",
    "head",
    "heads",
    "last_linear",
    "last_layer",
    "logits",
    "output",
    "cls_head",
];

/// How the names of some weights become those of an architecture.
pub(crate) struct Translation<'a> {
    architecture: &'a Architecture,
    dialect: Option<&'static Dialect>,
    /// What the weights call the head, before and after translation, where that is not what it is called.
    head: Option<(String, String)>,
}

impl<'a> Translation<'a> {
    /// For weights of these names and shapes, should they be of `architecture`.
    pub(crate) fn of(architecture: &'a Architecture, shapes: &Shapes) -> Self {
        let mut translation = Self {
            architecture,
            dialect: None,
            head: None,
        };
        let Output::Classes(head) = architecture.family.output else {
            return translation;
        };
        let own: BTreeSet<String> = shapes
            .keys()
            .map(|name| architecture.exported_name(name))
            .collect();
        let own_stem = own.contains(architecture.family.stem);
        let own_head = own.contains(head);
        if !(own_stem && own_head) {
            let dialects = architecture.family.dialects.iter();
            let mut spoken = dialects.filter(|dialect| shapes.contains_key(dialect.stem));
            // Where the first layers are called alike, the head tells.
            translation.dialect =
                spoken.find(|dialect| !own_stem || shapes.contains_key(dialect.head));
        }
        let (wanted, known) = match translation.dialect {
            Some(dialect) => (dialect.head, shapes.contains_key(dialect.head)),
            None => (head, own_head),
        };
        if !known {
            translation.head = found_head(shapes, wanted).map(|found| (found, trunk_of(wanted)));
        }
        translation
    }

    /// Where a parameter goes.
    fn place(&self, name: &str) -> Place {
        let renamed = self.head.as_ref().and_then(|(found, wanted)| {
            let leaf = name.strip_prefix(found.as_str())?.strip_prefix('.')?;
            Some(format!("{wanted}.{leaf}"))
        });
        let name = renamed.as_deref().unwrap_or(name);
        match self.dialect {
            Some(dialect) => {
                let place = (dialect.place)(name);
                place.unwrap_or_else(|| Place::At(name.to_owned()))
            }
            None => Place::At(self.architecture.exported_name(name)),
        }
    }

    /// Names and shapes as the architecture has them.
    pub(crate) fn shapes(&self, shapes: &Shapes) -> Shapes {
        let items = shapes.iter();
        let items = items.map(|(name, shape)| (name.as_str(), shape.clone()));
        let joined = self.joined(items, |mut whole: Vec<usize>, part| {
            join_extents(&mut whole, &part).then_some(whole)
        });
        let named = joined.into_iter().map(|(place, shape)| match place {
            Place::Rows(name) => (name, rows(&shape)),
            other => (other.name().to_owned(), shape),
        });
        named.collect()
    }

    /// Values as the architecture has them.
    pub(crate) fn state(&self, state: &StateDict) -> StateDict {
        let items = state.iter().map(|(name, tensor)| (name, tensor.clone()));
        let joined = self.joined(items, |mut whole: NamedTensor, part| {
            whole.values.extend(part.values);
            join_extents(&mut whole.shape, &part.shape).then_some(whole)
        });
        let mut translated = StateDict::default();
        for (place, mut tensor) in joined {
            if matches!(place, Place::Rows(_)) {
                tensor.shape = rows(&tensor.shape);
            }
            translated.insert(place.name().to_owned(), tensor);
        }
        translated
    }

    /// Every item at its place, those that are parts of one joined; parts that do not make a whole keep their names.
    fn joined<'i, T: Clone>(
        &self,
        items: impl Iterator<Item = (&'i str, T)>,
        join: impl Fn(T, T) -> Option<T>,
    ) -> Vec<(Place, T)> {
        let mut placed: Vec<(Place, T)> = Vec::new();
        let mut names = BTreeSet::new();
        let mut wholes: BTreeMap<(String, usize), BTreeMap<usize, (&str, T)>> = BTreeMap::new();
        for (name, item) in items {
            match self.place(name) {
                Place::Part {
                    name: whole,
                    part,
                    parts,
                } => {
                    let found = wholes.entry((whole, parts)).or_default();
                    found.insert(part, (name, item));
                }
                // Of two that would go to one place, neither is lost.
                place if !names.insert(place.name().to_owned()) => {
                    placed.push((Place::At(format!("{name} (twice)")), item));
                }
                place => placed.push((place, item)),
            }
        }
        for ((whole, count), parts) in wholes {
            let mut items = parts.values().map(|(_, item)| item.clone());
            let joined = items
                .next()
                .and_then(|first| items.try_fold(first, &join))
                .filter(|_| parts.len() == count);
            if let Some(item) = joined {
                placed.push((Place::At(whole), item));
            } else {
                let parts = parts.into_values();
                placed.extend(parts.map(|(name, item)| (Place::At(name.to_owned()), item)));
            }
        }
        placed
    }

    /// What was recognised, in words.
    pub(crate) fn notes(&self) -> Vec<String> {
        let title = self.architecture.title;
        let dialect = self.dialect.map(|dialect| {
            format!(
                "the names are those that {title} has in the code of {}",
                dialect.of
            )
        });
        let head = self.head.as_ref().map(|(found, wanted)| {
            format!("`{found}` was taken for the head, which {title} calls `{wanted}`; what a sequence around it computes besides is not known")
        });
        dialect.into_iter().chain(head).collect()
    }
}

/// Puts a part below others, if all but their first extents are alike.
fn join_extents(whole: &mut [usize], part: &[usize]) -> bool {
    let alike = whole.get(1..) == part.get(1..);
    match (whole.first_mut(), part.first()) {
        (Some(rows), Some(more)) if alike => {
            *rows = rows.saturating_add(*more);
            true
        }
        _ => false,
    }
}

/// A matrix: all extents but the first as one.
fn rows(shape: &[usize]) -> Vec<usize> {
    match shape {
        [] => Vec::new(),
        [first, rest @ ..] => vec![*first, rest.iter().copied().fold(1, usize::saturating_mul)],
    }
}

/// The name of a layer without that of its weight.
fn trunk_of(weight: &str) -> String {
    weight.strip_suffix(".weight").unwrap_or(weight).to_owned()
}

/// The one linear layer that is called like a head; first of those inside of what the head is called.
fn found_head(shapes: &Shapes, wanted: &str) -> Option<String> {
    let trunk = trunk_of(wanted);
    let linear = shapes.iter().filter_map(|(name, shape)| {
        let layer = name.strip_suffix(".weight")?;
        let bias = shapes.get(&format!("{layer}.bias"))?;
        (shape.len() == 2 && shape.first() == bias.first()).then_some(layer)
    });
    let (mut inside, mut elsewhere) = (Vec::new(), Vec::new());
    for layer in linear {
        let inner = layer
            .strip_prefix(trunk.as_str())
            .and_then(|rest| rest.strip_prefix('.'));
        if inner.is_some_and(|rest| rest.split('.').all(is_place)) {
            inside.push(layer);
        } else if is_head(layer) {
            elsewhere.push(layer);
        }
    }
    let found = if inside.is_empty() { elsewhere } else { inside };
    match found[..] {
        [one] => Some(one.to_owned()),
        _ => None,
    }
}

fn is_place(part: &str) -> bool {
    part.parse::<usize>().is_ok()
}

fn is_head(layer: &str) -> bool {
    let parts: Vec<&str> = layer.split('.').collect();
    let words = parts.iter().take_while(|part| HEADS.contains(part)).count();
    words > 0 && parts[words..].iter().all(|part| is_place(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(items: &[(&str, &[usize])]) -> Shapes {
        let items = items.iter();
        items
            .map(|(name, shape)| ((*name).to_owned(), shape.to_vec()))
            .collect()
    }

    #[test]
    fn one_layer_called_like_a_head_is_the_head() {
        for name in [
            "classifier.1",
            "head.fc",
            "fc.1",
            "linear",
            "heads.head",
            "last_linear",
        ] {
            let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
            let shapes = shapes(&[(&weight, &[10, 8]), (&bias, &[10])]);
            assert_eq!(found_head(&shapes, "_fc.weight"), Some(name.to_owned()));
        }
        let two = shapes(&[
            ("fc.0.weight", &[8, 8]),
            ("fc.0.bias", &[8]),
            ("fc.2.weight", &[10, 8]),
            ("fc.2.bias", &[10]),
        ]);
        assert_eq!(found_head(&two, "fc.weight"), None);
        let other = shapes(&[("encoder.fc.weight", &[8, 8]), ("encoder.fc.bias", &[8])]);
        assert_eq!(found_head(&other, "fc.weight"), None);
    }

    #[test]
    fn query_key_and_value_are_joined_in_that_order() {
        let entry = Architecture::find("vit_b16").expect("registered");
        let mut state = StateDict::default();
        let mut insert = |name: &str, shape: &[usize], value: f32| {
            let values = vec![value; shape.iter().product()];
            let shape = shape.to_vec();
            state.insert(name.to_owned(), NamedTensor { shape, values });
        };
        insert(
            "vit.embeddings.patch_embeddings.projection.weight",
            &[2, 3, 1, 1],
            0.0,
        );
        insert("classifier.weight", &[4, 2], 0.0);
        for (value, which) in ["value", "key", "query"].into_iter().enumerate() {
            let name = format!("vit.encoder.layer.3.attention.attention.{which}.weight");
            insert(&name, &[2, 2], value as f32);
        }
        let translation = Translation::of(entry, &state.shapes());
        assert!(translation.notes()[0].contains("Hugging Face"));
        let translated = translation.state(&state);
        let name = "encoder.layers.encoder_layer_3.self_attention.in_proj_weight";
        let joined = translated.get(name).expect("joined");
        assert_eq!(joined.shape, [6, 2]);
        assert_eq!(joined.values[..4], [2.0; 4]);
        assert_eq!(joined.values[8..], [0.0; 4]);
        assert_eq!(translation.shapes(&state.shapes()), translated.shapes());
        assert_eq!(
            translated.shape("heads.head.weight"),
            Some([4, 2].as_slice())
        );
    }
}
