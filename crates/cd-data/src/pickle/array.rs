//! NumPy arrays inside of pickles.

use std::borrow::Cow;

use super::{Global, Id, LongString, Pickle, Value};

/// An array as a pickle holds it.
#[derive(Debug, PartialEq)]
pub(crate) struct Array<'a> {
    /// Length along each axis.
    pub(crate) shape: Vec<usize>,
    /// NumPy's short name of the numbers without the order of bytes, such as `u1`.
    pub(crate) kind: &'a str,
    /// Whether the first axis runs fastest.
    pub(crate) is_fortran: bool,
    /// The numbers.
    pub(crate) bytes: Numbers<'a>,
}

/// The numbers of an array.
#[derive(Debug, PartialEq)]
pub(crate) enum Numbers<'a> {
    /// In memory.
    Here(Cow<'a, [u8]>),
    /// In the file: bytes, or, where it has characters, text whose Latin-1 form they are.
    There(LongString),
}

impl Numbers<'_> {
    /// How many bytes they are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::There(place) => place.characters.unwrap_or(place.length),
        }
    }

    /// The same without the pickle that they are from.
    pub(crate) fn into_owned(self) -> Numbers<'static> {
        match self {
            Self::Here(bytes) => Numbers::Here(Cow::Owned(bytes.into_owned())),
            Self::There(place) => Numbers::There(place),
        }
    }
}

impl<'a> Pickle<'a> {
    /// The array `id`, when it is one.
    pub(crate) fn array(&self, id: Id) -> Option<Array<'a>> {
        let Value::Object {
            global,
            arguments,
            state,
        } = *self.value(id)
        else {
            return None;
        };
        match global {
            // (version, shape, type, whether it is Fortran's order, bytes)
            Global::Reconstruct => {
                let &[_, shape, kind, order, bytes] = self.members(state?)? else {
                    return None;
                };
                let is_fortran = self.int(order)? != 0;
                self.assembled(shape, kind, is_fortran, bytes)
            }
            // (bytes, type, shape, order)
            Global::FromBuffer => {
                let &[bytes, kind, shape, order] = self.members(arguments)? else {
                    return None;
                };
                let is_fortran = self.text(order)? == "F";
                self.assembled(shape, kind, is_fortran, bytes)
            }
            _ => None,
        }
    }

    fn assembled(&self, shape: Id, kind: Id, is_fortran: bool, bytes: Id) -> Option<Array<'a>> {
        let shape = self.members(shape)?;
        let length = |&id: &Id| usize::try_from(self.int(id)?).ok();
        let Value::Object {
            global: Global::DType,
            arguments,
            ..
        } = *self.value(kind)
        else {
            return None;
        };
        let name = self.text(*self.members(arguments)?.first()?)?;
        Some(Array {
            shape: shape.iter().map(length).collect::<Option<_>>()?,
            kind: name.trim_start_matches(['<', '>', '|', '=']),
            is_fortran,
            bytes: self.bytes(bytes)?,
        })
    }

    /// The bytes of value `id`.
    fn bytes(&self, id: Id) -> Option<Numbers<'a>> {
        match self.value(id) {
            Value::Bytes(bytes) => Some(Numbers::Here(Cow::Borrowed(bytes))),
            Value::Long(place) => place.characters.is_none().then_some(Numbers::There(*place)),
            Value::Latin1(text) => {
                if let Value::Long(place) = self.value(*text) {
                    return place.characters.map(|_| Numbers::There(*place));
                }
                let text = self.text(*text)?;
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                Some(Numbers::Here(Cow::Owned(bytes.ok()?)))
            }
            _ => None,
        }
    }
}
