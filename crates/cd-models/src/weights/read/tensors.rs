//! Tensors among the objects of a pickle, as PyTorch writes them.

use std::collections::HashMap;

use super::pickle::{Item, Pickle, Value, size};
use crate::weights::element::Element;

/// A view of a storage.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
    /// Values in front of the first one.
    pub(super) offset: usize,
    pub(super) element: Element,
    /// Name of the storage.
    pub(super) storage: String,
}

/// What a value is, if it is a tensor.
pub(super) enum Tensor {
    View(View),
    /// Saved as an array of numpy.
    Array(Value),
    /// A tensor that cannot be read, and why.
    Unreadable(&'static str),
}

/// The tensor that `value` is.
pub(super) fn tensor(pickle: &Pickle, value: Value) -> Option<Tensor> {
    /// Parameters around subclasses around tensors.
    const DEEPEST: usize = 4;
    let mut value = value;
    for _ in 0..DEEPEST {
        let object = pickle.object(value)?;
        let arguments = pickle.elements(object.arguments)?;
        let (module, name) = pickle.class(object.class)?;
        if !module.starts_with("torch") {
            return None;
        }
        match (name, arguments) {
            ("_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter", [inner, ..]) => {
                value = *inner;
            }
            ("_rebuild_from_type_v2", [function, _, inner, ..]) => {
                let name = pickle.class(*function)?.1;
                return rebuilt(pickle, name, pickle.elements(*inner)?);
            }
            (name, arguments) => return rebuilt(pickle, name, arguments),
        }
    }
    None
}

fn rebuilt(pickle: &Pickle, function: &str, arguments: &[Value]) -> Option<Tensor> {
    match (function, arguments) {
        (
            "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_qtensor",
            [storage, offset, shape, strides, ..],
        ) => view(pickle, [*storage, *offset, *shape, *strides], None),
        ("_rebuild_tensor_v3", [storage, offset, shape, strides, _, _, kind, ..]) => {
            let element = Element::of_torch(pickle.class(*kind)?.1);
            view(pickle, [*storage, *offset, *shape, *strides], Some(element))
        }
        ("_rebuild_device_tensor_from_numpy" | "_rebuild_xla_tensor", [array, ..]) => {
            Some(Tensor::Array(*array))
        }
        (name, _) if name.starts_with("_rebuild_sparse") => {
            Some(Tensor::Unreadable("it is sparse"))
        }
        (name, _) if name.starts_with("_rebuild_meta") => Some(Tensor::Unreadable(
            "it was saved without values (device `meta`)",
        )),
        ("_rebuild_nested_tensor", _) => Some(Tensor::Unreadable("it is a nested tensor")),
        ("_load_from_bytes", _) => Some(Tensor::Unreadable(
            "it was written by `pickle`, not by `torch.save`",
        )),
        _ => None,
    }
}

fn view(
    pickle: &Pickle,
    [storage, offset, shape, strides]: [Value; 4],
    element: Option<Element>,
) -> Option<Tensor> {
    let Some((stored, storage, first)) = self::storage(pickle, storage) else {
        let written_by_pickle = pickle
            .object(storage)
            .and_then(|object| pickle.class(object.class));
        return match written_by_pickle {
            Some((_, "_load_from_bytes")) => Some(Tensor::Unreadable(
                "it was written by `pickle`, not by `torch.save`",
            )),
            _ => None,
        };
    };
    let (shape, strides) = (pickle.sizes(shape)?, pickle.sizes(strides)?);
    (shape.len() == strides.len()).then_some(())?;
    Some(Tensor::View(View {
        shape,
        strides,
        offset: size(offset)?.checked_add(first)?,
        element: element.unwrap_or(stored),
        storage,
    }))
}

/// Type of the values, name, and where a view of it begins: `("storage", class, name, device, values, view)`.
fn storage(pickle: &Pickle, value: Value) -> Option<(Element, String, usize)> {
    match pickle.item(value)? {
        Item::Persistent(id) => named(pickle, *id),
        _ => None,
    }
}

fn named(pickle: &Pickle, id: Value) -> Option<(Element, String, usize)> {
    match pickle.elements(id)? {
        [kind, class, name, _, _, rest @ ..] if pickle.text(*kind) == Some("storage") => {
            let first = match rest {
                [view] => pickle.sizes(*view).and_then(|view| view.get(1).copied()),
                _ => None,
            };
            let element = Element::of_torch(pickle.class(*class)?.1);
            Some((element, pickle.text(*name)?.to_owned(), first.unwrap_or(0)))
        }
        _ => None,
    }
}

/// Bytes of a value of every storage that the pickle names, by its name.
pub(super) fn value_sizes(pickle: &Pickle) -> HashMap<String, usize> {
    let storages = pickle.items.iter().filter_map(|item| match item {
        Item::Persistent(id) => named(pickle, *id),
        _ => None,
    });
    storages
        .map(|(element, name, _)| (name, element.size()))
        .collect()
}
