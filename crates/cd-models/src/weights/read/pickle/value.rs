//! What a pickle describes, as data.

/// A value; small ones are here, others in [`Pickle::items`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::weights::read) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Item(u32),
}

/// A value that takes room.
#[derive(Debug)]
pub(in crate::weights::read) enum Item {
    Text(Box<str>),
    /// Bytes or a long text, left in the file.
    Blob(Blob),
    Tuple(Box<[Value]>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// A class or function by its module and name. Nothing is ever looked up or called.
    Class(Box<str>, Box<str>),
    Object(Box<Object>),
    /// What lies outside the pickle: storages, and sources of classes in old files.
    Persistent(Value),
    /// A number too large to matter.
    Opaque,
}

/// Bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights::read) struct Blob {
    pub(in crate::weights::read) at: u64,
    pub(in crate::weights::read) length: u64,
    pub(in crate::weights::read) is_text: bool,
}

/// What calling a class or function would have given.
#[derive(Debug)]
pub(in crate::weights::read) struct Object {
    pub(in crate::weights::read) class: Value,
    pub(in crate::weights::read) arguments: Value,
    pub(in crate::weights::read) state: Value,
    /// What was put into it as into a dictionary.
    pub(in crate::weights::read) pairs: Vec<(Value, Value)>,
}

/// A pickle, read.
pub(in crate::weights::read) struct Pickle {
    pub(in crate::weights::read) items: Vec<Item>,
    pub(in crate::weights::read) root: Value,
}

impl Pickle {
    pub(in crate::weights::read) fn item(&self, value: Value) -> Option<&Item> {
        match value {
            Value::Item(number) => self.items.get(number as usize),
            _ => None,
        }
    }

    pub(in crate::weights::read) fn text(&self, value: Value) -> Option<&str> {
        match self.item(value)? {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a tuple or list.
    pub(in crate::weights::read) fn elements(&self, value: Value) -> Option<&[Value]> {
        match self.item(value)? {
            Item::Tuple(elements) => Some(elements),
            Item::List(elements) => Some(elements),
            _ => None,
        }
    }

    pub(in crate::weights::read) fn object(&self, value: Value) -> Option<&Object> {
        match self.item(value)? {
            Item::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Module and name of a class; old files keep it together with its source.
    pub(in crate::weights::read) fn class(&self, value: Value) -> Option<(&str, &str)> {
        match self.item(value)? {
            Item::Class(module, name) => Some((module, name)),
            Item::Persistent(id) => match self.elements(*id)? {
                [kind, class, ..] if self.text(*kind) == Some("module") => {
                    match self.item(*class)? {
                        Item::Class(module, name) => Some((module, name)),
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whole numbers of a tuple or list, none negative.
    pub(in crate::weights::read) fn sizes(&self, value: Value) -> Option<Vec<usize>> {
        let elements = self.elements(value)?.iter();
        elements.map(|&one| size(one)).collect()
    }
}

/// A whole number that is not negative.
pub(in crate::weights::read) fn size(value: Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}
