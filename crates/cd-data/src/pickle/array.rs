//! NumPy arrays inside of pickles.

use std::borrow::Cow;

use super::{Global, Id, Pickle, Value};

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
    pub(crate) bytes: Cow<'a, [u8]>,
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
    fn bytes(&self, id: Id) -> Option<Cow<'a, [u8]>> {
        match self.value(id) {
            Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Latin1(text) => {
                let text = self.text(*text)?;
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                Some(Cow::Owned(bytes.ok()?))
            }
            _ => None,
        }
    }
}
