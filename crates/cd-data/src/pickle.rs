//! Pickles of plain values and NumPy arrays, read without running anything.
//!
//! Only the opcodes that build values are known. Names of Python objects are accepted where they stand for an array; any other
//! name is refused, so a pickle cannot call anything. Values refer to each other by number and bytes to the file, so reading takes
//! memory in proportion to the file whatever it holds; an `Outline` leaves long strings in the file.

mod array;
mod machine;
mod outline;

use thiserror::Error;

pub(crate) use array::{Array, Numbers};
pub(crate) use outline::{Latin1, LongString, Outline, OutlineError};

/// Why a pickle could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PickleError {
    /// The bytes end early or contradict themselves.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Place of the opcode.
        at: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// An opcode that plain data do not need.
    #[error("opcode 0x{opcode:02x} at byte {at} is not one of plain data; nothing was run")]
    Opcode {
        /// Place of the opcode.
        at: usize,
        /// The opcode.
        opcode: u8,
    },
    /// A Python object that is no array.
    #[error(
        "it would make a `{name}` at byte {at}; only plain values and arrays are read, and nothing was run"
    )]
    Global {
        /// Place of the opcode.
        at: usize,
        /// Module and name.
        name: String,
    },
}

/// Reads a pickle of any protocol.
pub(crate) fn parse(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    machine::parse(bytes, &[])
}

/// Number of a value.
pub(crate) type Id = usize;

/// A value of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(&'a [u8]),
    Text(&'a str),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// The bytes whose Latin-1 text is that of another value.
    Latin1(Id),
    /// A string that an outline left in its file.
    Long(LongString),
    /// An array or a type of numbers: what it is called with and its state.
    Object {
        global: Global,
        arguments: Id,
        state: Option<Id>,
    },
}

/// The Python objects that stand for bytes, arrays and their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    Encode,
    Reconstruct,
    FromBuffer,
    NdArray,
    DType,
}

/// All values of a pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// The value `id`.
    pub(crate) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// The value under `key` of the dictionary that the pickle is; keys may be text or, from Python 2, bytes.
    pub(crate) fn entry(&self, key: &str) -> Option<Id> {
        let Value::Dict(entries) = self.value(self.root) else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| self.is_text(*name, key));
        found.map(|&(_, value)| value)
    }

    /// The text of value `id`.
    pub(crate) fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => str::from_utf8(bytes).ok(),
            Value::Latin1(text) => match self.value(*text) {
                Value::Text(text) => text.is_ascii().then_some(*text),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_text(&self, id: Id, text: &str) -> bool {
        self.text(id) == Some(text)
    }

    /// The members of value `id`, when it is a list or tuple.
    pub(crate) fn members(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::List(members) | Value::Tuple(members) => Some(members),
            _ => None,
        }
    }

    /// The whole number `id`.
    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        match self.value(id) {
            Value::Int(number) => Some(*number),
            Value::Bool(truth) => Some((*truth).into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
