//! From the bytes of a table to its text, its separator and its lines.

use std::path::Path;

use super::TableError;

/// What may stand between fields.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The text of a file in UTF-8, or in UTF-16 with a byte order mark; without the mark.
pub(super) fn decoded(path: &Path, bytes: Vec<u8>) -> Result<String, TableError> {
    let encoding = |at| TableError::Encoding {
        path: path.to_owned(),
        at,
    };
    let wide = match bytes.first_chunk() {
        Some([0xff, 0xfe]) => Some(u16::from_le_bytes as fn([u8; 2]) -> u16),
        Some([0xfe, 0xff]) => Some(u16::from_be_bytes as fn([u8; 2]) -> u16),
        _ => None,
    };
    if let Some(unit) = wide {
        if bytes.len() % 2 == 1 {
            return Err(encoding(bytes.len() - 1));
        }
        let units = bytes[2..]
            .chunks_exact(2)
            .map(|pair| unit([pair[0], pair[1]]));
        let mut text = String::with_capacity(bytes.len() / 2);
        let mut at = 2;
        for letter in char::decode_utf16(units) {
            let letter = letter.map_err(|_| encoding(at))?;
            at += 2 * letter.len_utf16();
            text.push(letter);
        }
        return Ok(text);
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(text)
        }
        Err(error) => Err(encoding(error.utf8_error().valid_up_to())),
    }
}

/// The text behind a line `sep=;`, by which spreadsheets announce their separator, and how many lines that leaves out.
pub(super) fn without_separator_line(text: &str) -> (&str, u64) {
    let Some((first, rest)) = text.split_once('\n') else {
        return (text, 0);
    };
    if first.to_ascii_lowercase().starts_with("sep=") {
        return (rest, 1);
    }
    (text, 0)
}

/// The separator with which the first line has every column once, and where they stand.
pub(super) fn separator<const N: usize>(
    text: &str,
    columns: [&str; N],
) -> Option<(u8, [usize; N])> {
    SEPARATORS.iter().find_map(|&separator| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let header = reader.headers().ok()?;
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let mut found =
                (0..header.len()).filter(|&at| header[at].trim().eq_ignore_ascii_case(column));
            *place = found.next()?;
            if found.next().is_some() {
                return None;
            }
        }
        Some((separator, places))
    })
}

/// The numbers of lines, asked for in ascending order of places.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// The lines of `text`, in front of which `skipped` others stand.
    pub(super) fn new(text: &'a str, skipped: u64) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            line: 1 + skipped,
        }
    }

    /// The line of the first byte from `place` on that ends no line.
    pub(super) fn at(&mut self, place: usize) -> u64 {
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let mut place = place.clamp(self.at, self.text.len());
        while self.text.get(place).is_some_and(ends) {
            place += 1;
        }
        let passed = &self.text[self.at..place];
        let next = |at: usize| self.text.get(self.at + at + 1);
        let count = passed.iter().enumerate().filter(|&(at, &byte)| {
            // The pair CR LF is one end, a lone CR as well.
            byte == b'\n' || byte == b'\r' && next(at) != Some(&b'\n')
        });
        self.line += count.count() as u64;
        self.at = place;
        self.line
    }
}
