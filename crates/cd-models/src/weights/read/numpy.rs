//! Arrays of numpy among the objects of a pickle.

use super::pickle::{Blob, Item, Pickle, Value};
use crate::weights::element::Element;
use crate::weights::entry::{Entry, Origin, Place, Stored, latin_1, row_major};

/// The array that `value` is.
pub(super) fn array(pickle: &Pickle, value: Value) -> Option<Entry> {
    let object = pickle.object(value)?;
    let (module, name) = pickle.class(object.class)?;
    if !module.starts_with("numpy") {
        return None;
    }
    let (shape, kind, by_columns, data) = match name {
        "_reconstruct" => match pickle.elements(object.state)? {
            [_, shape, kind, order, data] => (*shape, *kind, *order == Value::Bool(true), *data),
            _ => return None,
        },
        "_frombuffer" => match pickle.elements(object.arguments)? {
            [data, kind, shape, order] => (*shape, *kind, pickle.text(*order) == Some("F"), *data),
            _ => return None,
        },
        _ => return None,
    };
    let shape = pickle.sizes(shape)?;
    let (element, big_endian) = element(pickle, kind)?;
    let strides = if by_columns {
        Some(columns_first(&shape)?)
    } else {
        None
    };
    let place = match data_of(pickle, data) {
        Some(Data::Here(mut bytes)) if strides.is_none() => {
            if big_endian {
                bytes
                    .chunks_exact_mut(element.size().max(1))
                    .for_each(<[u8]>::reverse);
            }
            Place::Memory(bytes)
        }
        Some(Data::File(blob)) => Place::File(Stored {
            at: blob.at,
            available: blob.length,
            strides,
            big_endian,
            as_text: blob.is_text,
            checked: None,
        }),
        _ => Place::Nowhere("a numpy array that is written in an uncommon way".to_owned()),
    };
    Some(Entry {
        shape,
        element,
        origin: Origin::NumpyArray,
        group: String::new(),
        place,
    })
}

fn columns_first(shape: &[usize]) -> Option<Vec<usize>> {
    let reversed: Vec<usize> = shape.iter().rev().copied().collect();
    let mut strides = row_major(&reversed)?;
    strides.reverse();
    Some(strides)
}

/// A `dtype`, and whether its bytes stand the other way round.
fn element(pickle: &Pickle, value: Value) -> Option<(Element, bool)> {
    let object = pickle.object(value)?;
    let [name, ..] = pickle.elements(object.arguments)? else {
        return None;
    };
    let state = pickle.elements(object.state).unwrap_or_default();
    let order = state.get(1).and_then(|&order| pickle.text(order));
    Some((Element::of_numpy(pickle.text(*name)?), order == Some(">")))
}

enum Data {
    Here(Vec<u8>),
    File(Blob),
}

/// Bytes, or a text that stands for them: `_codecs.encode(text, "latin1")`.
fn data_of(pickle: &Pickle, value: Value) -> Option<Data> {
    match pickle.item(value)? {
        Item::Blob(blob) => Some(Data::File(*blob)),
        Item::Text(text) => latin_1(text.as_bytes()).map(Data::Here),
        Item::Object(object) => match (
            pickle.class(object.class)?.1,
            pickle.elements(object.arguments)?,
        ) {
            ("encode", [text, ..]) => match pickle.item(*text)? {
                Item::Blob(blob) if blob.is_text => Some(Data::File(*blob)),
                Item::Text(text) => latin_1(text.as_bytes()).map(Data::Here),
                _ => None,
            },
            ("bytes", []) => Some(Data::Here(Vec::new())),
            ("bytearray" | "bytes", [inner, ..]) => match pickle.item(*inner)? {
                Item::Blob(blob) => Some(Data::File(*blob)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
