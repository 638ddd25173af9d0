//! Large pickles whose arrays stay in the file: all the rest of them, with a mark in place of every long string.

use std::io::{self, BufRead, Read};

use super::{Pickle, PickleError, parse};

/// A pickle without its long strings.
#[derive(Debug)]
pub(crate) struct Skimmed {
    /// A pickle in which marks stand for them.
    bytes: Vec<u8>,
    strings: Vec<Long>,
}

/// A long string: where it lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long {
    pub(crate) start: u64,
    len: u64,
    /// Whether these are bytes as Latin-1 text in UTF-8.
    is_text: bool,
    /// Where its mark stands.
    mark: usize,
}

impl Skimmed {
    /// Reads a pickle up to its end; strings of `least` bytes and more are passed over.
    ///
    /// Damage is found when the rest is [parsed](Self::parse).
    pub(crate) fn read(input: &mut impl BufRead, least: u64) -> io::Result<Self> {
        let mut skimmed = Self {
            bytes: Vec::new(),
            strings: Vec::new(),
        };
        let mut skim = Skim { input, at: 0 };
        while skim.opcode(&mut skimmed, least)? {}
        Ok(skimmed)
    }

    /// The values; places in errors are those of the file.
    pub(crate) fn parse(&self) -> Result<Pickle<'_>, PickleError> {
        parse(&self.bytes).map_err(|mut error| {
            let (PickleError::Damaged { at, .. }
            | PickleError::Opcode { at, .. }
            | PickleError::Global { at, .. }) = &mut error;
            let before = self.strings.iter().enumerate();
            let before = before.filter(|(_, long)| long.mark < *at);
            let passed: u64 = before
                .map(|(number, long)| long.len - mark(number).len() as u64)
                .sum();
            *at += passed as usize;
            error
        })
    }

    /// The long string that `bytes` stand for, if they do.
    pub(crate) fn long(&self, bytes: &[u8]) -> Option<Long> {
        let number = (0..self.strings.len()).find(|&number| mark(number).as_bytes() == bytes);
        number.map(|number| self.strings[number])
    }
}

/// What stands for the long string of that number.
fn mark(number: usize) -> String {
    format!("string {number} of the file")
}

/// Reads on in a pickle.
struct Skim<'a, R> {
    input: &'a mut R,
    /// How many bytes have been read.
    at: u64,
}

impl<R: BufRead> Skim<'_, R> {
    /// Copies an opcode with its argument; false when nothing follows it that could be read.
    fn opcode(&mut self, to: &mut Skimmed, least: u64) -> io::Result<bool> {
        if self.copy(1, to)? == 0 {
            return Ok(false);
        }
        match to.bytes[to.bytes.len() - 1] {
            b'('
            | b'0'
            | b'1'
            | b'2'
            | b'a'
            | b'e'
            | b's'
            | b'u'
            | b']'
            | b')'
            | b'}'
            | b'l'
            | b't'
            | b'd'
            | b'N'
            | b'R'
            | b'b'
            | 0x85..=0x89
            | 0x93
            | 0x94 => {}
            0x80 | b'q' | b'h' | b'K' => self.copy(1, to).map(drop)?,
            b'M' => self.copy(2, to).map(drop)?,
            b'J' | b'r' | b'j' => self.copy(4, to).map(drop)?,
            0x95 | b'G' => self.copy(8, to).map(drop)?,
            b'p' | b'g' | b'I' | b'L' | b'S' => self.line(to)?,
            b'c' => {
                self.line(to)?;
                self.line(to)?;
            }
            b'U' | b'C' | 0x8c | 0x8a => self.counted::<1>(to, u64::MAX, false)?,
            b'T' | b'B' => self.counted::<4>(to, least, false)?,
            0x8e | 0x96 => self.counted::<8>(to, least, false)?,
            b'X' => self.counted::<4>(to, least, true)?,
            0x8d => self.counted::<8>(to, least, true)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn copy(&mut self, count: u64, to: &mut Skimmed) -> io::Result<u64> {
        let copied = self.input.take(count).read_to_end(&mut to.bytes)? as u64;
        self.at += copied;
        Ok(copied)
    }

    fn line(&mut self, to: &mut Skimmed) -> io::Result<()> {
        self.at += self.input.read_until(b'\n', &mut to.bytes)? as u64;
        Ok(())
    }

    /// Copies a string behind its number of bytes, or puts a mark in its place.
    fn counted<const N: usize>(
        &mut self,
        to: &mut Skimmed,
        least: u64,
        is_text: bool,
    ) -> io::Result<()> {
        let before = to.bytes.len();
        if self.copy(N as u64, to)? < N as u64 {
            return Ok(());
        }
        let mut count = [0; 8];
        count[..N].copy_from_slice(&to.bytes[before..]);
        let len = u64::from_le_bytes(count);
        let mark = mark(to.strings.len());
        if len < least.max(mark.len() as u64) {
            return self.copy(len, to).map(drop);
        }
        let start = self.at;
        self.at += io::copy(&mut self.input.take(len), &mut io::sink())?;
        if self.at - start == len {
            to.bytes.truncate(before);
            to.bytes.extend(&(mark.len() as u64).to_le_bytes()[..N]);
            to.strings.push(Long {
                start,
                len,
                is_text,
                mark: to.bytes.len(),
            });
            to.bytes.extend(mark.as_bytes());
        }
        Ok(())
    }
}

impl Long {
    /// Its bytes, from what follows its start in the file.
    pub(crate) fn content<'a>(self, input: impl BufRead + 'a) -> Box<dyn Read + 'a> {
        let text = input.take(self.len);
        if self.is_text {
            Box::new(Latin1 { text, lead: None })
        } else {
            Box::new(text)
        }
    }
}

/// The bytes whose Latin-1 text, in UTF-8, is read.
struct Latin1<R> {
    text: R,
    /// The first byte of a character of two.
    lead: Option<u8>,
}

impl<R: BufRead> Read for Latin1<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let (mut used, mut made) = (0, 0);
        let from = self.text.fill_buf()?;
        if from.is_empty() && self.lead.is_some() {
            return Err(no_latin1());
        }
        while used < from.len() && made < to.len() {
            let byte = from[used];
            used += 1;
            to[made] = match (self.lead.take(), byte) {
                (None, 0..=0x7f) => byte,
                (Some(lead), 0x80..=0xbf) => lead << 6 | byte & 0x3f,
                (None, 0xc2 | 0xc3) => {
                    self.lead = Some(byte);
                    continue;
                }
                _ => return Err(no_latin1()),
            };
            made += 1;
        }
        self.text.consume(used);
        // Nothing would mean the end.
        if made == 0 && used > 0 && !to.is_empty() {
            return self.read(to);
        }
        Ok(made)
    }
}

fn no_latin1() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an array written as text has other characters than those of Latin-1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of `data` and the number 7.
    fn pickle(opcode: u8, data: &[u8]) -> Vec<u8> {
        let count = (data.len() as u32).to_le_bytes();
        [b"\x80\x02](", &[opcode][..], &count, data, b"K\x07e."].concat()
    }

    fn read(bytes: &[u8], least: u64) -> Skimmed {
        Skimmed::read(&mut &bytes[..], least).expect("in memory")
    }

    #[test]
    fn long_strings_stay_where_they_are() {
        let bytes = pickle(b'T', &[9; 5000]);
        assert_eq!(read(&bytes, 5001).bytes, bytes);
        let skimmed = read(&bytes, 5000);
        assert!(skimmed.bytes.len() < 100);
        let values = skimmed.parse().expect("a pickle");
        let members = values.members(0).expect("a list");
        assert_eq!(values.int(members[1]), Some(7));
        let data = values.text(members[0]).expect("a mark");
        let long = skimmed.long(data.as_bytes()).expect("known");
        assert_eq!((long.start, long.len), (9, 5000));
        assert_eq!(skimmed.long(b"another string of the file"), None);
    }

    #[test]
    fn text_becomes_the_bytes_that_it_stands_for() {
        let all: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let text: String = all.iter().copied().map(char::from).collect();
        let bytes = pickle(b'X', text.as_bytes());
        let skimmed = read(&bytes, 1000);
        let values = skimmed.parse().expect("a pickle");
        let mark = values.text(values.members(0).expect("a list")[0]);
        let long = skimmed.long(mark.expect("a mark").as_bytes());
        let long = long.expect("known");
        // Buffers of every length, so that characters are cut everywhere.
        for capacity in [1, 2, 3, 64] {
            let rest = io::Cursor::new(bytes[long.start as usize..].to_vec());
            let rest = io::BufReader::with_capacity(capacity, rest);
            let mut content = Vec::new();
            let read = long.content(rest).read_to_end(&mut content);
            assert_eq!((read.expect("Latin-1"), &content), (3000, &all));
        }
        for text in ["€€€€€€€€".as_bytes(), &[b"abcdefg", &[0xc3][..]].concat()] {
            let long = Long {
                len: text.len() as u64,
                ..long
            };
            let rest = io::Cursor::new(text.to_vec());
            assert!(long.content(rest).read_to_end(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn places_of_errors_are_those_of_the_file() {
        for end in [&b"e\xff"[..], b"cos\nsystem\n", b"K"] {
            let whole = pickle(b'T', &[9; 5000]);
            let bytes = [&whole[..whole.len() - 2], end].concat();
            let error = parse(&bytes).expect_err("damaged");
            assert_eq!(read(&bytes, 100).parse().expect_err("damaged"), error);
        }
        let cut = pickle(b'T', &[9; 5000])[..4000].to_vec();
        let error = parse(&cut).expect_err("cut");
        assert_eq!(read(&cut, 100).parse().expect_err("cut"), error);
    }
}
