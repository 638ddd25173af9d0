//! The content of a page: which rows have a value, and the values.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

use super::packed::{Bits, differences, hybrid};

/// A page of values.
pub(super) struct Data {
    page: Page,
    /// Whether each row has a value.
    pub(super) present: Vec<bool>,
    /// Where the values begin.
    start: usize,
}

/// The values that pages refer to by number.
#[derive(Default)]
pub(super) struct Dictionary {
    page: Option<Page>,
    /// Where each text lies, or the numbers themselves.
    texts: Vec<(usize, usize)>,
    numbers: Vec<i64>,
}

impl Data {
    /// Takes a page of at most `rows` rows apart.
    pub(super) fn of(page: Page, column: &ColumnDescriptor, rows: usize) -> Result<Self, String> {
        let count = page.num_values() as usize;
        if count > rows {
            return Err(if column.max_rep_level() > 0 {
                format!("a page has {count} values for {rows} rows: a row has several pictures")
            } else {
                format!("a page has {count} values for {rows} rows")
            });
        }
        let mut bits = Bits::new(page.buffer());
        let (deepest, most) = (column.max_rep_level(), column.max_def_level());
        let (nested, levels) = match &page {
            Page::DataPageV2 {
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => (
                bits.take(*rep_levels_byte_len as usize)?,
                bits.take(*def_levels_byte_len as usize)?,
            ),
            Page::DataPage {
                def_level_encoding,
                rep_level_encoding,
                ..
            } => (
                counted(&mut bits, deepest, *rep_level_encoding)?,
                counted(&mut bits, most, *def_level_encoding)?,
            ),
            Page::DictionaryPage { .. } => return Err("a second dictionary".into()),
        };
        if deepest > 0
            && hybrid(nested, width(deepest), count)?
                .iter()
                .any(|&level| level > 0)
        {
            return Err("a row has several pictures".into());
        }
        let present = if most == 0 {
            vec![true; count]
        } else {
            let levels = hybrid(levels, width(most), count)?;
            levels.iter().map(|&level| level == most as u32).collect()
        };
        let start = page.buffer().len() - bits.rest().len();
        Ok(Self {
            page,
            present,
            start,
        })
    }

    fn values(&self) -> Bits<'_> {
        Bits::new(&self.page.buffer()[self.start..])
    }

    /// Number of values that are there.
    fn count(&self) -> usize {
        self.present.iter().filter(|&&there| there).count()
    }

    /// The numbers of the entries of the dictionary that the values are.
    fn entries(&self) -> Result<Vec<usize>, String> {
        let count = self.count();
        let mut bits = self.values();
        if count == 0 {
            return Ok(Vec::new());
        }
        let width = bits.take(1)?[0];
        let entries = hybrid(bits.rest(), width, count)?;
        Ok(entries.into_iter().map(|entry| entry as usize).collect())
    }

    /// The texts or bytes that are there, in order.
    pub(super) fn texts<'a>(&'a self, dictionary: &'a Dictionary) -> Result<Vec<&'a [u8]>, String> {
        let count = self.count();
        let mut bits = self.values();
        match self.page.encoding() {
            Encoding::PLAIN => (0..count).map(|_| text(&mut bits)).collect(),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                let lengths = differences(&mut bits, count)?;
                let wrong = || "a text with a length below 0".to_owned();
                let take = |length: i64| bits.take(usize::try_from(length).map_err(|_| wrong())?);
                whole(
                    lengths.into_iter().map(take).collect::<Result<_, _>>()?,
                    count,
                )
            }
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let buffer: &[u8] = dictionary.page.as_ref().map_or(&[], |page| page.buffer());
                let entry = |entry: usize| {
                    dictionary
                        .texts
                        .get(entry)
                        .map(|&(start, end)| &buffer[start..end])
                };
                self.entries()?
                    .into_iter()
                    .map(|number| entry(number).ok_or_else(|| no_entry(number)))
                    .collect()
            }
            other => Err(unread(other)),
        }
    }

    /// The whole numbers that are there, in order.
    pub(super) fn numbers(&self, kind: Type, dictionary: &Dictionary) -> Result<Vec<i64>, String> {
        let count = self.count();
        let mut bits = self.values();
        match self.page.encoding() {
            Encoding::PLAIN => (0..count).map(|_| number(&mut bits, kind)).collect(),
            Encoding::DELTA_BINARY_PACKED => whole(differences(&mut bits, count)?, count),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let entry = |number: usize| dictionary.numbers.get(number).copied();
                self.entries()?
                    .into_iter()
                    .map(|number| entry(number).ok_or_else(|| no_entry(number)))
                    .collect()
            }
            other => Err(unread(other)),
        }
    }
}

impl Dictionary {
    /// The entries of a dictionary of values of this kind.
    pub(super) fn of(page: Page, kind: Type) -> Result<Self, String> {
        let count = page.num_values();
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        let length = page.buffer().len();
        let mut bits = Bits::new(page.buffer());
        for _ in 0..count {
            if kind == Type::BYTE_ARRAY {
                let found = text(&mut bits)?;
                let end = length - bits.rest().len();
                texts.push((end - found.len(), end));
            } else {
                numbers.push(number(&mut bits, kind)?);
            }
        }
        let page = Some(page);
        Ok(Self {
            page,
            texts,
            numbers,
        })
    }
}

fn text<'a>(bits: &mut Bits<'a>) -> Result<&'a [u8], String> {
    let length = bits.four()?;
    bits.take(length)
}

fn number(bits: &mut Bits<'_>, kind: Type) -> Result<i64, String> {
    if kind == Type::INT32 {
        return Ok((bits.four()? as u32 as i32).into());
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(bits.take(8)?);
    Ok(i64::from_le_bytes(bytes))
}

fn whole<T>(values: Vec<T>, count: usize) -> Result<Vec<T>, String> {
    if values.len() == count {
        return Ok(values);
    }
    Err(format!(
        "a page has {} values, expected {count}",
        values.len()
    ))
}

fn no_entry(number: usize) -> String {
    format!("a page refers to entry {number} of a dictionary that is shorter")
}

fn unread(encoding: Encoding) -> String {
    format!("a page has the encoding {encoding}, which is not read")
}

/// Levels behind their length, where there are any.
fn counted<'a>(bits: &mut Bits<'a>, most: i16, encoding: Encoding) -> Result<&'a [u8], String> {
    if most == 0 {
        return Ok(&[]);
    }
    if encoding != Encoding::RLE {
        return Err(format!(
            "a page has levels in the encoding {encoding}, expected RLE"
        ));
    }
    text(bits)
}

/// Bits of a level up to `most`.
fn width(most: i16) -> u8 {
    (16 - (most as u16).leading_zeros()) as u8
}
