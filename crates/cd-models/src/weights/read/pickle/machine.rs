//! The stack machine of pickles.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::error::PickleError;
use super::input::Input;
use super::value::{Blob, Item, Object, Pickle, Value};

/// What a table of hashes takes for one value.
const MEMO_BYTES: usize = 32;

/// Largest sum of what the objects of a pickle take in memory, in bytes: some 60,000 records of a data set with their names.
const LARGEST: usize = 32 << 20;
/// Longest stack; programs write in portions of a thousand.
const DEEPEST_STACK: usize = 1 << 18;
/// Texts up to this length are names; longer ones stay in the file.
const LONGEST_NAME: u64 = 1024;

/// Reads one pickle; `input` then stands behind it.
pub(in crate::weights::read) fn unpickle<R: Read + Seek>(
    input: &mut Input<R>,
) -> Result<Pickle, PickleError> {
    let mut machine = Machine {
        input,
        items: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        spent: 0,
    };
    loop {
        let opcode = machine.input.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle {
                items: machine.items,
                root,
            });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a, R> {
    input: &'a mut Input<R>,
    items: Vec<Item>,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    /// Bytes that objects take so far.
    spent: usize,
}

impl<R: Read + Seek> Machine<'_, R> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            // Protocol, frame, buffers that may not be written.
            0x80 => self.input.skip(1),
            0x95 => self.input.skip(8),
            0x98 => Ok(()),
            b'(' => self.mark(),
            b'0' => self.pop_or_mark(),
            b'1' => self.above_mark().map(drop),
            b'2' => self.top().and_then(|top| self.push(top)),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'F' | b'I' | b'J' | b'K' | b'L' | b'M' | b'G' | 0x8a | 0x8b => self.number(opcode),
            b'S' | b'T' | b'U' | b'V' | b'X' | b'B' | b'C' | 0x8c..=0x8e | 0x96 => {
                self.text(opcode)
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode),
            b'P' | b'Q' => self.persistent(opcode),
            b'c' | 0x93 => self.class(opcode),
            b'i' | b'o' | b'R' | b'b' | 0x81 | 0x92 => self.object(opcode),
            _ => self.collection(opcode),
        }
    }

    fn stack_error(&self) -> PickleError {
        PickleError::Stack {
            at: self.input.at() - 1,
        }
    }

    fn push(&mut self, value: Value) -> Result<(), PickleError> {
        if self.stack.len() >= DEEPEST_STACK {
            return Err(PickleError::TooLarge);
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or_else(|| self.stack_error())
    }

    fn top(&self) -> Result<Value, PickleError> {
        self.stack.last().copied().ok_or_else(|| self.stack_error())
    }

    fn mark(&mut self) -> Result<(), PickleError> {
        if self.marks.len() >= DEEPEST_STACK {
            return Err(PickleError::TooLarge);
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_or_mark(&mut self) -> Result<(), PickleError> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    /// What lies above the last mark, which goes away.
    fn above_mark(&mut self) -> Result<Vec<Value>, PickleError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        let mark = mark.ok_or_else(|| self.stack_error())?;
        Ok(self.stack.split_off(mark))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), PickleError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > LARGEST {
            return Err(PickleError::TooLarge);
        }
        Ok(())
    }

    fn add(&mut self, item: Item) -> Result<(), PickleError> {
        let held = match &item {
            Item::Text(text) => text.len(),
            Item::Tuple(elements) => size_of_val::<[Value]>(elements),
            Item::List(elements) => size_of_val::<[Value]>(elements),
            Item::Dict(pairs) => size_of_val::<[(Value, Value)]>(pairs),
            Item::Class(module, name) => module.len() + name.len(),
            Item::Object(_) => size_of::<Object>(),
            Item::Blob(_) | Item::Persistent(_) | Item::Opaque => 0,
        };
        self.charge(held + size_of::<Item>())?;
        self.items.push(item);
        self.push(Value::Item(self.items.len() as u32 - 1))
    }

    fn number(&mut self, opcode: u8) -> Result<(), PickleError> {
        let value = match opcode {
            b'K' => Value::Int(self.input.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.input.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.input.array()?).into()),
            b'G' => Value::Float(f64::from_be_bytes(self.input.array()?)),
            0x8a | 0x8b => return self.long(opcode),
            _ => {
                let line = self.input.line(LONGEST_NAME)?;
                match (opcode, line.as_str()) {
                    (b'I', "00") => Value::Bool(false),
                    (b'I', "01") => Value::Bool(true),
                    (b'F', line) => line.parse().map_or(Value::None, Value::Float),
                    (_, line) => line
                        .trim_end_matches('L')
                        .parse()
                        .map_or(Value::None, Value::Int),
                }
            }
        };
        self.push(value)
    }

    /// A whole number of any length; one of more than eight bytes is none that is looked at.
    fn long(&mut self, opcode: u8) -> Result<(), PickleError> {
        let length = match opcode {
            0x8a => u64::from(self.input.byte()?),
            _ => u64::from(u32::from_le_bytes(self.input.array()?)),
        };
        if length > 9 {
            self.input.skip(length)?;
            return self.add(Item::Opaque);
        }
        let bytes = self.input.bytes(length)?;
        let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(&bytes);
        match i64::try_from(i128::from_le_bytes(wide)) {
            Ok(number) => self.push(Value::Int(number)),
            Err(_) => self.add(Item::Opaque),
        }
    }

    fn text(&mut self, opcode: u8) -> Result<(), PickleError> {
        let length = match opcode {
            b'S' | b'V' => {
                let line = self.input.line(LONGEST_NAME * 4)?;
                let line = if opcode == b'S' {
                    line.trim_matches(['\'', '"'])
                } else {
                    &line
                };
                return self.add(Item::Text(line.into()));
            }
            b'U' | b'C' | 0x8c => u64::from(self.input.byte()?),
            b'T' | b'X' | b'B' => u64::from(u32::from_le_bytes(self.input.array()?)),
            _ => u64::from_le_bytes(self.input.array()?),
        };
        let is_text = matches!(opcode, b'U' | b'T' | b'X' | 0x8c | 0x8d);
        let at = self.input.at();
        if is_text && length <= LONGEST_NAME {
            let bytes = self.input.bytes(length)?;
            // A string of Python 2 may hold any bytes.
            return match String::from_utf8(bytes) {
                Ok(text) => self.add(Item::Text(text.into())),
                Err(_) => self.add(Item::Blob(Blob {
                    at,
                    length,
                    is_text: false,
                })),
            };
        }
        self.input.skip(length)?;
        let is_text = is_text && !matches!(opcode, b'U' | b'T');
        self.add(Item::Blob(Blob {
            at,
            length,
            is_text,
        }))
    }

    fn remember(&mut self, opcode: u8) -> Result<(), PickleError> {
        let key = match opcode {
            b'g' | b'p' => self
                .input
                .line(LONGEST_NAME)?
                .parse()
                .map_err(|_| PickleError::Text)?,
            b'h' | b'q' => u32::from(self.input.byte()?),
            b'j' | b'r' => u32::from_le_bytes(self.input.array()?),
            _ => self.memo.len() as u32,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let value = self
                .memo
                .get(&key)
                .copied()
                .ok_or_else(|| self.stack_error())?;
            return self.push(value);
        }
        let value = self.top()?;
        if self.memo.insert(key, value).is_none() {
            self.charge(MEMO_BYTES)?;
        }
        Ok(())
    }

    fn persistent(&mut self, opcode: u8) -> Result<(), PickleError> {
        if opcode == b'P' {
            self.input.line(LONGEST_NAME)?;
            return self.add(Item::Opaque);
        }
        let id = self.pop()?;
        self.add(Item::Persistent(id))
    }

    fn class(&mut self, opcode: u8) -> Result<(), PickleError> {
        if opcode == b'c' {
            let module = self.input.line(LONGEST_NAME)?;
            let name = self.input.line(LONGEST_NAME)?;
            return self.add(Item::Class(module.into(), name.into()));
        }
        let (name, module) = (self.pop()?, self.pop()?);
        let text = |value| match value {
            Value::Item(number) => match self.items.get(number as usize) {
                Some(Item::Text(text)) => Ok(text.clone()),
                _ => Err(PickleError::Text),
            },
            _ => Err(PickleError::Text),
        };
        let class = Item::Class(text(module)?, text(name)?);
        self.add(class)
    }

    fn object(&mut self, opcode: u8) -> Result<(), PickleError> {
        if opcode == b'b' {
            let state = self.pop()?;
            // What has no state of its own, such as a storage, is left as it is.
            if let Some(Item::Object(object)) = self.top_item()? {
                object.state = state;
            }
            return Ok(());
        }
        let (class, arguments) = match opcode {
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                (self.pop()?, arguments)
            }
            0x92 => {
                let (_keywords, arguments) = (self.pop()?, self.pop()?);
                (self.pop()?, arguments)
            }
            _ => {
                let mut above = self.above_mark()?;
                if opcode == b'i' {
                    self.class(b'c')?;
                    above.insert(0, self.pop()?);
                }
                if above.is_empty() {
                    return Err(self.stack_error());
                }
                let class = above.remove(0);
                self.add(Item::Tuple(above.into()))?;
                (class, self.pop()?)
            }
        };
        self.add(Item::Object(Box::new(Object {
            class,
            arguments,
            state: Value::None,
            pairs: Vec::new(),
        })))
    }

    fn top_item(&mut self) -> Result<Option<&mut Item>, PickleError> {
        Ok(match self.top()? {
            Value::Item(number) => self.items.get_mut(number as usize),
            _ => None,
        })
    }

    fn collection(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b')' => self.add(Item::Tuple(Box::default())),
            b']' | 0x8f => self.add(Item::List(Vec::new())),
            b'}' => self.add(Item::Dict(Vec::new())),
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let below = self.stack.len().checked_sub(count);
                let below = below.ok_or_else(|| self.stack_error())?;
                let elements = self.stack.split_off(below);
                self.add(Item::Tuple(elements.into()))
            }
            b't' => {
                let elements = self.above_mark()?;
                self.add(Item::Tuple(elements.into()))
            }
            b'l' | 0x91 => {
                let elements = self.above_mark()?;
                self.add(Item::List(elements))
            }
            b'd' => {
                let elements = self.above_mark()?;
                self.add(Item::Dict(pairs(&elements)))
            }
            b'a' => {
                let element = self.pop()?;
                self.append(&[element])
            }
            b'e' | 0x90 => {
                let elements = self.above_mark()?;
                self.append(&elements)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])
            }
            b'u' => {
                let elements = self.above_mark()?;
                self.set(&elements)
            }
            opcode => Err(PickleError::Opcode {
                opcode,
                at: self.input.at() - 1,
            }),
        }
    }

    fn append(&mut self, elements: &[Value]) -> Result<(), PickleError> {
        self.charge(size_of_val(elements))?;
        // Elements of a queue and the like are no tensors by name.
        if let Some(Item::List(list)) = self.top_item()? {
            list.extend(elements);
        }
        Ok(())
    }

    fn set(&mut self, elements: &[Value]) -> Result<(), PickleError> {
        self.charge(size_of_val(elements))?;
        match self.top_item()? {
            Some(Item::Dict(own)) => own.extend(pairs(elements)),
            Some(Item::Object(object)) => object.pairs.extend(pairs(elements)),
            _ => {}
        }
        Ok(())
    }
}

fn pairs(elements: &[Value]) -> Vec<(Value, Value)> {
    let (pairs, _) = elements.as_chunks::<2>();
    pairs.iter().map(|&[key, value]| (key, value)).collect()
}
