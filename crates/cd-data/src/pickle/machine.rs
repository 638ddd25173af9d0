//! The stack machine of pickles, as far as it builds values.

use std::collections::HashMap;

use super::outline::LONG;
use super::{Global, Id, LongString, Pickle, PickleError, Value};

/// Most values of a pickle: some 60 MiB of memory.
const MOST_VALUES: usize = 1_000_000;

/// Reads a pickle of any protocol, or the outline of one with its `long` strings.
pub(super) fn parse<'a>(
    bytes: &'a [u8],
    long: &'a [LongString],
) -> Result<Pickle<'a>, PickleError> {
    let mut machine = Machine {
        bytes,
        long,
        at: 0,
        opcode_at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        machine.opcode_at = machine.at;
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle {
                values: machine.values,
                root,
            });
        }
        machine.step(opcode)?;
        if machine.values.len().max(machine.stack.len()) > MOST_VALUES {
            return Err(machine.damaged("more values than a file of pictures has"));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    long: &'a [LongString],
    at: usize,
    /// Where the opcode at work stands.
    opcode_at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.above_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memorise(opcode),
            b'a' | b'e' | b's' | b'u' => self.fill(opcode),
            b'c' | 0x93 | b'R' | b'b' => self.object(opcode),
            _ => {
                let value = self.value(opcode)?;
                self.push(value);
                Ok(())
            }
        }
    }

    /// The value that an opcode makes.
    fn value(&mut self, opcode: u8) -> Result<Value<'a>, PickleError> {
        Ok(match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'I' => self.decimal()?,
            b'L' => Value::Int(self.number_line(b"L")?),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            0x8a => self.long()?,
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            b'S' => Value::Bytes(self.quoted()?),
            b'U' | b'C' => Value::Bytes(self.counted::<1>()?),
            b'T' | b'B' => Value::Bytes(self.counted::<4>()?),
            0x8e | 0x96 => Value::Bytes(self.counted::<8>()?),
            0x8c => Value::Text(self.unicode::<1>()?),
            b'X' => Value::Text(self.unicode::<4>()?),
            0x8d => Value::Text(self.unicode::<8>()?),
            LONG if !self.long.is_empty() => {
                let index = u32::from_le_bytes(self.array()?) as usize;
                let place = self.long.get(index).copied();
                Value::Long(place.ok_or_else(|| self.damaged("a string that is not there"))?)
            }
            b']' => Value::List(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b'l' => Value::List(self.above_mark()?),
            b't' => Value::Tuple(self.above_mark()?),
            b'd' => Value::Dict(self.pairs()?),
            0x85..=0x87 => {
                let mut members = Vec::new();
                for _ in 0x85..=opcode {
                    members.push(self.pop()?);
                }
                members.reverse();
                Value::Tuple(members)
            }
            _ => {
                return Err(PickleError::Opcode {
                    at: self.opcode_at,
                    opcode,
                });
            }
        })
    }

    fn memorise(&mut self, opcode: u8) -> Result<(), PickleError> {
        let key = match opcode {
            0x94 => self.memo.len() as u64,
            b'q' | b'h' => self.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(self.array()?).into(),
            _ => {
                let number = self.number_line(b"")?;
                u64::try_from(number).map_err(|_| self.damaged("a negative place"))?
            }
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let known = self.memo.get(&key).copied();
            let id = known.ok_or_else(|| self.damaged("a value that was not kept"))?;
            self.stack.push(id);
        } else {
            let top = self.top()?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    /// Adds to a list or a dictionary.
    fn fill(&mut self, opcode: u8) -> Result<(), PickleError> {
        let pairs = match opcode {
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![(key, value)]
            }
            b'u' => self.pairs()?,
            _ => Vec::new(),
        };
        let members = match opcode {
            b'a' => vec![self.pop()?],
            b'e' => self.above_mark()?,
            _ => Vec::new(),
        };
        let target = self.top()?;
        match (&mut self.values[target], opcode) {
            (Value::List(list), b'a' | b'e') => list.extend(members),
            (Value::Dict(entries), b's' | b'u') => entries.extend(pairs),
            _ => return Err(self.damaged("members of something else than a list or dictionary")),
        }
        Ok(())
    }

    fn object(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let global = self.global(module, name)?;
                self.push(Value::Global(global));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) =
                    (&self.values[name], &self.values[module])
                else {
                    return Err(self.damaged("a name that is no text"));
                };
                let global = self.global(module.as_bytes(), name.as_bytes())?;
                self.push(Value::Global(global));
            }
            b'R' => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let value = self.called(callable, arguments)?;
                self.push(value);
            }
            _ => {
                let (state, target) = (self.pop()?, self.top()?);
                match &mut self.values[target] {
                    Value::Object { state: slot, .. } => *slot = Some(state),
                    _ => return Err(self.damaged("a state of something that is no array")),
                }
            }
        }
        Ok(())
    }

    fn called(&self, callable: Id, arguments: Id) -> Result<Value<'a>, PickleError> {
        let Value::Global(global) = self.values[callable] else {
            return Err(self.damaged("a call of something that is no name"));
        };
        let Value::Tuple(members) = &self.values[arguments] else {
            return Err(self.damaged("a call without arguments"));
        };
        match (global, members.as_slice()) {
            (Global::Encode, &[text, _]) => match self.values[text] {
                Value::Text(_) | Value::Long(_) => Ok(Value::Latin1(text)),
                _ => Err(self.damaged("encoded text that is none")),
            },
            (Global::Encode, _) => Err(self.damaged("encoded text without an encoding")),
            (Global::NdArray, _) => Err(self.damaged("an array without a state")),
            _ => Ok(Value::Object {
                global,
                arguments,
                state: None,
            }),
        }
    }

    fn global(&self, module: &[u8], name: &[u8]) -> Result<Global, PickleError> {
        match (module, name) {
            (b"_codecs", b"encode") => Ok(Global::Encode),
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Ok(Global::Reconstruct)
            }
            (b"numpy.core.numeric" | b"numpy._core.numeric", b"_frombuffer") => {
                Ok(Global::FromBuffer)
            }
            (b"numpy", b"ndarray") => Ok(Global::NdArray),
            (b"numpy", b"dtype") => Ok(Global::DType),
            _ => Err(PickleError::Global {
                at: self.opcode_at,
                name: format!(
                    "{}.{}",
                    String::from_utf8_lossy(&module[..module.len().min(100)]),
                    String::from_utf8_lossy(&name[..name.len().min(100)])
                ),
            }),
        }
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(<[Id]>::last);
        top.copied()
            .ok_or_else(|| self.damaged("the stack is empty"))
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| self.damaged("there is no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pairs(&mut self) -> Result<Vec<(Id, Id)>, PickleError> {
        let members = self.above_mark()?;
        if members.len() % 2 == 1 {
            return Err(self.damaged("a key without a value"));
        }
        Ok(members
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    fn damaged(&self, what: &'static str) -> PickleError {
        PickleError::Damaged {
            at: self.opcode_at,
            what,
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.damaged("it ends early"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("of that length"))
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        self.array().map(|[byte]| byte)
    }

    /// Bytes behind their number, itself of `N` bytes.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8], PickleError> {
        let mut count = [0; 8];
        count[..N].copy_from_slice(self.take(N)?);
        let count = usize::try_from(u64::from_le_bytes(count));
        self.take(count.map_err(|_| self.damaged("it ends early"))?)
    }

    fn unicode<const N: usize>(&mut self) -> Result<&'a str, PickleError> {
        let bytes = self.counted::<N>()?;
        str::from_utf8(bytes).map_err(|_| self.damaged("text that is not UTF-8"))
    }

    fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or_else(|| self.damaged("it ends early"))?)?;
        self.at += 1;
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn number_line(&mut self, suffix: &[u8]) -> Result<i64, PickleError> {
        let line = self.line()?;
        let digits = line.strip_suffix(suffix).unwrap_or(line);
        let number = str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.damaged("a number that is none"))
    }

    /// A whole number of protocol 0, in which 00 and 01 are truth values.
    fn decimal(&mut self) -> Result<Value<'a>, PickleError> {
        match self.bytes.get(self.at..self.at + 3) {
            Some(b"00\n") => self.take(3).map(|_| Value::Bool(false)),
            Some(b"01\n") => self.take(3).map(|_| Value::Bool(true)),
            _ => self.number_line(b"").map(Value::Int),
        }
    }

    fn long(&mut self) -> Result<Value<'a>, PickleError> {
        let bytes = self.counted::<1>()?;
        let sign = match bytes.last() {
            Some(last) if last & 0x80 != 0 => 0xff,
            _ => 0,
        };
        let mut wide = [sign; 8];
        match wide.get_mut(..bytes.len()) {
            Some(low) => low.copy_from_slice(bytes),
            None => return Err(self.damaged("a number of more than 64 bits")),
        }
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }

    /// Bytes of protocol 0 between quotes, without escapes.
    fn quoted(&mut self) -> Result<&'a [u8], PickleError> {
        let line = self.line()?;
        let ([b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"']) = line else {
            return Err(self.damaged("text without quotes"));
        };
        if inner.contains(&b'\\') {
            return Err(
                self.damaged("escaped bytes of protocol 0; write it with protocol 2 or later")
            );
        }
        Ok(inner)
    }
}
