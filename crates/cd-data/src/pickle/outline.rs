//! Pickles without their long strings, which stay in the file: labels in memory, pictures on disk.

use std::io::{self, BufRead, Read};

use super::{Pickle, PickleError, machine};

/// Opcode of a long string in an outline. No pickle has it, and a file that has is refused.
pub(super) const LONG: u8 = 0xff;
/// Most bytes of an outline: 60,000 labels with names take some 3 MiB.
const MOST_BYTES: usize = 16 << 20;
/// Bytes that are skipped at once.
const PART: usize = 1 << 16;

/// A pickle whose long strings are named by their place.
#[derive(Debug)]
pub(crate) struct Outline {
    bytes: Vec<u8>,
    long: Vec<LongString>,
}

/// Where a long string lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongString {
    /// Its first byte.
    pub(crate) start: u64,
    /// Number of bytes.
    pub(crate) length: u64,
    /// Characters in UTF-8 when it is text.
    pub(crate) characters: Option<u64>,
}

impl Outline {
    /// Reads a pickle once from its start; strings of more than `longest` bytes stay where they are.
    ///
    /// # Errors
    ///
    /// When reading fails, the pickle ends early, has an opcode that plain data do not need, or is larger than sets of pictures are
    /// without their pictures.
    pub(crate) fn read(from: impl BufRead, longest: u64) -> Result<Self, OutlineError> {
        let mut scanner = Scanner {
            from,
            at: 0,
            longest,
            outline: Self {
                bytes: Vec::new(),
                long: Vec::new(),
            },
        };
        while scanner.step()? {}
        Ok(scanner.outline)
    }

    /// Its values.
    pub(crate) fn parse(&self) -> Result<Pickle<'_>, PickleError> {
        machine::parse(&self.bytes, &self.long)
    }
}

/// Why there is no outline.
#[derive(Debug)]
pub(crate) enum OutlineError {
    Io(io::Error),
    Pickle(PickleError),
}

impl From<io::Error> for OutlineError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Scanner<R> {
    from: R,
    /// Bytes read so far.
    at: u64,
    longest: u64,
    outline: Outline,
}

impl<R: BufRead> Scanner<R> {
    /// Copies one opcode with what belongs to it; `false` after the last one.
    fn step(&mut self) -> Result<bool, OutlineError> {
        let before = self.at;
        let opcode = self.number::<1>()? as u8;
        if let Some(width) = string(opcode) {
            self.string(opcode, width)?;
        } else {
            self.outline.bytes.push(opcode);
            match opcode {
                b'I' | b'L' | b'S' | b'p' | b'g' => self.line()?,
                b'c' => {
                    self.line()?;
                    self.line()?;
                }
                _ => {
                    let unknown = || PickleError::Opcode {
                        at: usize::try_from(before).unwrap_or(usize::MAX),
                        opcode,
                    };
                    let len = operand(opcode).ok_or_else(|| OutlineError::Pickle(unknown()))?;
                    self.copy(len)?;
                }
            }
        }
        if self.outline.bytes.len() > MOST_BYTES {
            return Err(self.damaged("more values than a file of pictures has"));
        }
        Ok(opcode != b'.')
    }

    /// A string behind its length of `width` bytes.
    fn string(&mut self, opcode: u8, width: usize) -> Result<(), OutlineError> {
        let length = match width {
            1 => self.number::<1>()?,
            4 => self.number::<4>()?,
            _ => self.number::<8>()?,
        };
        if length <= self.longest.min(MOST_BYTES as u64) {
            self.outline.bytes.push(opcode);
            let prefix = length.to_le_bytes();
            self.outline.bytes.extend(&prefix[..width]);
            return self.copy(length);
        }
        let start = self.at;
        let characters = self.skip(length)?;
        let index = u32::try_from(self.outline.long.len())
            .map_err(|_| self.damaged("more long strings than can be counted"))?;
        self.outline.long.push(LongString {
            start,
            length,
            characters: matches!(opcode, 0x8c | b'X' | 0x8d).then_some(characters),
        });
        self.outline.bytes.push(LONG);
        self.outline.bytes.extend(index.to_le_bytes());
        Ok(())
    }

    /// Passes over `length` bytes; how many of them begin a character of UTF-8.
    fn skip(&mut self, length: u64) -> Result<u64, OutlineError> {
        let mut part = vec![0; PART];
        let mut left = length;
        let mut characters = 0;
        while left > 0 {
            let count = left.min(PART as u64) as usize;
            self.exact(|from| from.read_exact(&mut part[..count]))?;
            let begins = |byte: &&u8| **byte & 0xc0 != 0x80;
            characters += part[..count].iter().filter(begins).count() as u64;
            self.at += count as u64;
            left -= count as u64;
        }
        Ok(characters)
    }

    fn copy(&mut self, length: u64) -> Result<(), OutlineError> {
        let copied = (&mut self.from)
            .take(length)
            .read_to_end(&mut self.outline.bytes)? as u64;
        self.at += copied;
        if copied < length {
            return Err(self.damaged("it ends early"));
        }
        Ok(())
    }

    fn line(&mut self) -> Result<(), OutlineError> {
        let before = self.outline.bytes.len();
        let most = MOST_BYTES as u64;
        let from = &mut self.from;
        let read = from.take(most).read_until(b'\n', &mut self.outline.bytes)?;
        self.at += read as u64;
        if self.outline.bytes[before..].last() != Some(&b'\n') {
            return Err(self.damaged("it ends early"));
        }
        Ok(())
    }

    /// A little-endian number of `N` bytes, not copied.
    fn number<const N: usize>(&mut self) -> Result<u64, OutlineError> {
        let mut bytes = [0; 8];
        self.exact(|from| from.read_exact(&mut bytes[..N]))?;
        self.at += N as u64;
        Ok(u64::from_le_bytes(bytes))
    }

    fn exact(&mut self, read: impl FnOnce(&mut R) -> io::Result<()>) -> Result<(), OutlineError> {
        read(&mut self.from).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends early"),
            _ => error.into(),
        })
    }

    fn damaged(&self, what: &'static str) -> OutlineError {
        OutlineError::Pickle(PickleError::Damaged {
            at: usize::try_from(self.at).unwrap_or(usize::MAX),
            what,
        })
    }
}

/// Bytes of the length in front of a string, for opcodes of strings.
fn string(opcode: u8) -> Option<usize> {
    match opcode {
        b'U' | b'C' | 0x8c | 0x8a => Some(1),
        b'T' | b'B' | b'X' => Some(4),
        0x8e | 0x96 | 0x8d => Some(8),
        _ => None,
    }
}

/// Bytes that follow other opcodes of plain data.
fn operand(opcode: u8) -> Option<u64> {
    match opcode {
        b'('
        | b'0'
        | b'1'
        | b'2'
        | b'N'
        | b']'
        | b')'
        | b'}'
        | b'l'
        | b't'
        | b'd'
        | b'a'
        | b'e'
        | b's'
        | b'u'
        | b'R'
        | b'b'
        | b'.'
        | 0x85..=0x89
        | 0x93
        | 0x94 => Some(0),
        0x80 | b'K' | b'q' | b'h' => Some(1),
        b'M' => Some(2),
        b'J' | b'r' | b'j' => Some(4),
        b'G' | 0x95 => Some(8),
        _ => None,
    }
}

/// The bytes whose Latin-1 text the UTF-8 in `from` is.
#[derive(Debug)]
pub(crate) struct Latin1<R> {
    from: R,
}

impl<R: BufRead> Latin1<R> {
    /// Reads `from` to its end.
    pub(crate) fn new(from: R) -> Self {
        Self { from }
    }
}

impl<R: BufRead> Read for Latin1<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < into.len() {
            let Some(first) = next(&mut self.from)? else {
                break;
            };
            into[count] = match first {
                0..0x80 => first,
                // Two bytes of UTF-8 for the characters 128 to 255.
                0xc2 | 0xc3 => match next(&mut self.from)? {
                    Some(second @ 0x80..0xc0) => (first & 3) << 6 | second & 0x3f,
                    _ => return Err(not_latin()),
                },
                _ => return Err(not_latin()),
            };
            count += 1;
        }
        Ok(count)
    }
}

fn next(from: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = from.fill_buf()?.first().copied();
    from.consume(usize::from(byte.is_some()));
    Ok(byte)
}

fn not_latin() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an array is written as text with characters that are no bytes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::{Numbers, parse};

    fn outline(bytes: &[u8], longest: u64) -> Result<Outline, String> {
        Outline::read(bytes, longest).map_err(|error| match error {
            OutlineError::Io(error) => error.to_string(),
            OutlineError::Pickle(error) => error.to_string(),
        })
    }

    /// A dictionary of an array of 300 bytes, as Python 3 writes it with protocol 2.
    fn pickle() -> Vec<u8> {
        let mut bytes =
            b"\x80\x02}(X\x04\x00\x00\x00datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85c_codecs\nencode\nX\x01\x00\x00\x00bX\x06\x00\x00\x00latin1\x86RtR(K\x01M\x2c\x01\x85"
                .to_vec();
        bytes.extend(b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1K\x00K\x01tR\x89c_codecs\nencode\nX");
        let text: String = numbers().iter().map(|&byte| char::from(byte)).collect();
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(b"X\x06\x00\x00\x00latin1\x86Rtbu.");
        bytes
    }

    fn numbers() -> Vec<u8> {
        (0..300).map(|index| (index % 256) as u8).collect()
    }

    #[test]
    fn long_strings_are_found_where_they_lie() {
        let bytes = pickle();
        let whole = parse(&bytes).expect("sound");
        let array = whole.entry("data").and_then(|id| whole.array(id));
        let array = array.expect("an array");
        assert_eq!(array.bytes, Numbers::Here(numbers().into()));
        let outline = outline(&bytes, 100).expect("sound");
        let pickle = outline.parse().expect("sound");
        let array = pickle.entry("data").and_then(|id| pickle.array(id));
        let Numbers::There(place) = array.expect("an array").bytes else {
            panic!("it is long");
        };
        assert_eq!(place.characters, Some(300));
        let text = &bytes[place.start as usize..][..place.length as usize];
        let mut read = Vec::new();
        Latin1::new(text).read_to_end(&mut read).expect("Latin-1");
        assert_eq!(read, numbers());
        assert!(
            Latin1::new("\u{100}".as_bytes())
                .read_to_end(&mut read)
                .is_err()
        );
        assert!(Latin1::new(&[0xc2][..]).read_to_end(&mut read).is_err());
    }

    #[test]
    fn what_is_short_stays() {
        let bytes = pickle();
        let outline = outline(&bytes, 1000).expect("sound");
        assert_eq!(outline.bytes, bytes);
    }

    #[test]
    fn files_with_the_mark_of_an_outline_are_refused() {
        let bytes = [LONG, 0, 0, 0, 0, b'.'];
        assert!(outline(&bytes, 10).expect_err("no pickle").contains("0xff"));
        assert!(
            parse(&bytes)
                .expect_err("no pickle")
                .to_string()
                .contains("0xff")
        );
        assert!(
            outline(b"X\xff\x00\x00\x00abc", 10)
                .expect_err("cut")
                .contains("early")
        );
        assert!(
            outline(b"X\x09\x00\x00\x00abc", 10)
                .expect_err("cut")
                .contains("early")
        );
        assert!(outline(b"cnumpy", 10).expect_err("cut").contains("early"));
    }

    #[test]
    fn damage_never_panics() {
        let survivors = crate::testing::mutations(&[pickle()], |bytes| {
            let outline = outline(bytes, 100);
            outline.is_ok_and(|outline| outline.parse().is_ok())
        });
        assert!(survivors > 0.01, "{survivors}");
    }
}
