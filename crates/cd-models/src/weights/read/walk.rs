//! Everything with values in a pickle, by name: through dictionaries, lists, modules and other objects.

use std::fmt::Write as _;

use super::numpy::array;
use super::pickle::{Object, Pickle, PickleError, Value};
use super::tensors::{Tensor, View, tensor};
use crate::weights::element::Element;
use crate::weights::entry::{Entries, Entry, Origin, Place};
use crate::weights::normalising::role;

/// Most values that are looked at. One that stands in many places is looked at in each.
const MOST_VISITS: usize = 1 << 21;
/// Longest sum of all names, in bytes.
const LONGEST_NAMES: usize = 8 << 20;
/// Deepest nest.
const DEEPEST: usize = 48;

/// Everything with values; `place` finds a view in the file.
pub(super) fn entries(
    pickle: &Pickle,
    place: &dyn Fn(&View) -> Place,
) -> Result<Entries, PickleError> {
    let mut walk = Walk {
        pickle,
        place,
        found: Entries::new(),
        name: String::new(),
        visits: 0,
        names: 0,
    };
    walk.visit(pickle.root, &Context::default())?;
    Ok(walk.found)
}

struct Walk<'a> {
    pickle: &'a Pickle,
    place: &'a dyn Fn(&View) -> Place,
    found: Entries,
    /// Where it stands.
    name: String,
    visits: usize,
    names: usize,
}

#[derive(Clone, Default)]
struct Context {
    group: String,
    depth: usize,
    /// Whether it stands in a network that was pickled whole.
    in_module: bool,
}

impl Walk<'_> {
    fn visit(&mut self, value: Value, context: &Context) -> Result<(), PickleError> {
        self.visits += 1;
        if self.visits > MOST_VISITS || self.names > LONGEST_NAMES {
            return Err(PickleError::TooLarge);
        }
        let Value::Item(_) = value else {
            return Ok(());
        };
        if let Some(entry) = self.entry(value) {
            self.keep(entry, context);
            return Ok(());
        }
        if context.depth >= DEEPEST {
            return Ok(());
        }
        let inner = Context {
            group: if context.in_module {
                context.group.clone()
            } else {
                self.name.clone()
            },
            depth: context.depth + 1,
            in_module: context.in_module,
        };
        match self.pickle.item(value) {
            Some(super::pickle::Item::Dict(pairs)) => self.pairs(pairs, &inner),
            Some(super::pickle::Item::Object(object)) => self.object(object, &inner),
            _ => match self.pickle.elements(value) {
                Some(numbers) if self.is_aside(numbers) => {
                    self.numbers(numbers, context);
                    Ok(())
                }
                Some(elements) => self.elements(elements, &inner),
                None => Ok(()),
            },
        }
    }

    /// The tensor or array that `value` is.
    fn entry(&self, value: Value) -> Option<Entry> {
        let entry = |shape, element, place| Entry {
            shape,
            element,
            origin: Origin::Tensor,
            group: String::new(),
            place,
        };
        match tensor(self.pickle, value) {
            Some(Tensor::View(view)) => {
                let place = (self.place)(&view);
                Some(entry(view.shape, view.element, place))
            }
            Some(Tensor::Array(inner)) => array(self.pickle, inner),
            Some(Tensor::Unreadable(reason)) => {
                let place = Place::Nowhere(reason.to_owned());
                Some(entry(Vec::new(), Element::Other("unreadable", 0), place))
            }
            None => array(self.pickle, value),
        }
    }

    fn keep(&mut self, entry: Entry, context: &Context) {
        self.names += self.name.len() + context.group.len();
        let group = context.group.clone();
        self.found
            .insert(self.name.clone(), Entry { group, ..entry });
    }

    /// Continues with `value` under the name `part`.
    fn under(&mut self, part: &str, value: Value, context: &Context) -> Result<(), PickleError> {
        let length = self.name.len();
        if !self.name.is_empty() {
            self.name.push('.');
        }
        self.name.push_str(part);
        let result = self.visit(value, context);
        self.name.truncate(length);
        result
    }

    fn pairs(&mut self, pairs: &[(Value, Value)], context: &Context) -> Result<(), PickleError> {
        for &(key, value) in pairs {
            if matches!(value, Value::Item(_)) {
                let part = self.key(key);
                self.under(&part, value, context)?;
            }
        }
        Ok(())
    }

    fn elements(&mut self, elements: &[Value], context: &Context) -> Result<(), PickleError> {
        for (index, &value) in elements.iter().enumerate() {
            if matches!(value, Value::Item(_)) {
                self.under(&index.to_string(), value, context)?;
            }
        }
        Ok(())
    }

    /// The name of what stands under `key`, which need not be a text.
    fn key(&self, key: Value) -> String {
        match key {
            Value::Int(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Float(number) => number.to_string(),
            Value::None => "None".to_owned(),
            Value::Item(_) => match (self.pickle.text(key), self.pickle.elements(key)) {
                (Some(text), _) => text.to_owned(),
                (None, Some(elements)) => {
                    let mut name = String::from("(");
                    for (index, &one) in elements.iter().take(4).enumerate() {
                        let comma = if index == 0 { "" } else { ", " };
                        let part = match one {
                            Value::Int(number) => number.to_string(),
                            other => self.pickle.text(other).unwrap_or("?").to_owned(),
                        };
                        write!(name, "{comma}{part}").expect("writing to a string cannot fail");
                    }
                    name + ")"
                }
                _ => "?".to_owned(),
            },
        }
    }

    fn object(&mut self, object: &Object, context: &Context) -> Result<(), PickleError> {
        // Pairs that an ordered dictionary was made from, as Python 2 wrote them.
        if let Some(("collections", "OrderedDict")) = self.pickle.class(object.class)
            && let Some([pairs]) = self.pickle.elements(object.arguments)
        {
            for &pair in self.pickle.elements(*pairs).unwrap_or_default() {
                if let Some(&[key, value]) = self.pickle.elements(pair) {
                    self.pairs(&[(key, value)], context)?;
                }
            }
        }
        self.pairs(&object.pairs, context)?;
        let attributes = self.attributes(object.state);
        if attributes
            .iter()
            .any(|&(name, _)| self.pickle.text(name) == Some("_modules"))
        {
            return self.module(&attributes, context);
        }
        self.pairs(&attributes, context)
    }

    /// A network or layer, with the names that its state dict would have.
    fn module(
        &mut self,
        attributes: &[(Value, Value)],
        context: &Context,
    ) -> Result<(), PickleError> {
        let context = Context {
            in_module: true,
            ..context.clone()
        };
        for &(name, value) in attributes {
            let part = self.pickle.text(name).unwrap_or_default().to_owned();
            if matches!(part.as_str(), "_parameters" | "_buffers" | "_modules") {
                let pairs = self.dictionary(value);
                self.pairs(&pairs, &context)?;
            } else if role(&part).is_some() {
                self.aside(&part, value, &context);
            }
        }
        Ok(())
    }

    /// A mean or deviation that is a plain attribute of a layer.
    fn aside(&mut self, part: &str, value: Value, context: &Context) {
        let length = self.name.len();
        if !self.name.is_empty() {
            self.name.push('.');
        }
        self.name.push_str(part);
        if let Some(entry) = self.entry(value) {
            let origin = Origin::Aside;
            self.keep(Entry { origin, ..entry }, context);
        } else if let Some(numbers) = self.pickle.elements(value) {
            self.numbers(numbers, context);
        }
        self.name.truncate(length);
    }

    /// Whether the list under the present name may be the mean or deviation of three colours.
    fn is_aside(&self, numbers: &[Value]) -> bool {
        let leaf = self.name.rsplit('.').next().unwrap_or_default();
        let all = numbers
            .iter()
            .all(|one| matches!(one, Value::Int(_) | Value::Float(_)));
        numbers.len() == 3 && all && role(leaf).is_some()
    }

    fn numbers(&mut self, numbers: &[Value], context: &Context) {
        let numbers = numbers.iter().map(|&number| match number {
            Value::Int(number) => Some(number as f32),
            Value::Float(number) => Some(number as f32),
            _ => None,
        });
        let Some(numbers) = numbers
            .collect::<Option<Vec<f32>>>()
            .filter(|all| all.len() == 3)
        else {
            return;
        };
        let bytes = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let entry = Entry {
            shape: vec![3],
            element: Element::F32,
            origin: Origin::Aside,
            group: String::new(),
            place: Place::Memory(bytes),
        };
        self.keep(entry, context);
    }

    /// The attributes that the state of an object sets: a dictionary, or one with another for slots.
    fn attributes(&self, state: Value) -> Vec<(Value, Value)> {
        match self.pickle.elements(state) {
            Some(&[first, second]) => {
                let mut attributes = self.dictionary(first);
                attributes.extend(self.dictionary(second));
                attributes
            }
            _ => self.dictionary(state),
        }
    }

    fn dictionary(&self, value: Value) -> Vec<(Value, Value)> {
        match self.pickle.item(value) {
            Some(super::pickle::Item::Dict(pairs)) => pairs.clone(),
            Some(super::pickle::Item::Object(object)) => object.pairs.clone(),
            _ => Vec::new(),
        }
    }
}
