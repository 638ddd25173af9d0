//! The sizes that the pages of a column claim, looked at before anything is unpacked.
//!
//! A page header is a structure in Thrift's compact protocol (parquet-format, `PageHeader`): kind, unpacked size and packed size as
//! fields 1 to 3, and the number of values and the encoding in field 5, 7 or 8, by the kind.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

/// What a page may unpack to in any case.
const ALWAYS: u64 = 64 << 20;
/// How many times larger than packed a page above that may be; encoded pictures hardly shrink.
const MOST_UNPACKED: u64 = 4;
/// Most entries of a dictionary.
const MOST_ENTRIES: i64 = 1 << 20;
/// Deepest nesting of a header.
const DEEPEST: usize = 16;
/// Encodings that are read: plain, by dictionary (two numbers), differences of numbers, texts with differences of their lengths.
const ENCODINGS: [i64; 5] = [0, 2, 8, 5, 6];

/// Fails when a page of `chunk` claims more than a page of pictures or labels has, so that reading it takes no more memory than it
/// should. Errors name the byte of the file.
pub(super) fn check(file: &impl ChunkReader, chunk: &ColumnChunkMetaData) -> Result<(), String> {
    let length = file.len();
    let first = chunk.dictionary_page_offset();
    let first = first.unwrap_or_else(|| chunk.data_page_offset());
    let (start, bytes) = (u64::try_from(first), u64::try_from(chunk.compressed_size()));
    let (Ok(mut at), Ok(bytes)) = (start, bytes) else {
        return Err("its column has an offset or size below 0".into());
    };
    let end = at.checked_add(bytes).filter(|&end| end <= length);
    let end = end.ok_or_else(|| {
        format!("it is cut short: a column ends behind byte {at}, the file at byte {length}")
    })?;
    while at < end {
        let wrong = |reason: &str| format!("byte {at}: {reason}");
        let input = file.get_read(at).map_err(|error| error.to_string())?;
        let mut walk = Walk {
            input: input.take(end - at),
            read: 0,
        };
        let mut page = Page::default();
        let walked = walk.structure(&mut Vec::new(), &mut |path, value| page.note(path, value));
        walked.map_err(|error| wrong(&format!("a page header is damaged: {error}")))?;
        let body = at + walk.read;
        page.check(end - body).map_err(|reason| wrong(&reason))?;
        if matches!(chunk.compression(), Compression::GZIP(_)) {
            let packed = file.get_read(body).map_err(|error| error.to_string())?;
            page.check_gzip(packed).map_err(|reason| wrong(&reason))?;
        }
        at = body + page.packed as u64;
    }
    Ok(())
}

/// What a header says.
#[derive(Debug, Default)]
struct Page {
    kind: i64,
    unpacked: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    /// Bytes that are not packed: levels of a page of the second version.
    levels: [i64; 2],
}

impl Page {
    fn note(&mut self, path: &[i64], value: i64) {
        match path {
            [1] => self.kind = value,
            [2] => self.unpacked = value,
            [3] => self.packed = value,
            [5 | 7 | 8, 1] => self.values = value,
            [5 | 7, 2] | [8, 4] => self.encoding = value,
            [8, 5] => self.levels[0] = value,
            [8, 6] => self.levels[1] = value,
            _ => {}
        }
    }

    fn check(&self, left: u64) -> Result<(), String> {
        const DICTIONARY: i64 = 2;
        let (Ok(packed), Ok(unpacked)) = (u64::try_from(self.packed), u64::try_from(self.unpacked))
        else {
            return Err("a page has a size below 0".into());
        };
        if packed > left {
            return Err(format!(
                "a page of {packed} bytes, of which {left} are there: it is cut short"
            ));
        }
        if unpacked > ALWAYS.max(packed.saturating_mul(MOST_UNPACKED)) {
            return Err(format!(
                "a page of {packed} bytes claims to unpack to {unpacked}, which pages of pictures do not"
            ));
        }
        let most = if self.kind == DICTIONARY {
            MOST_ENTRIES.min(self.unpacked)
        } else {
            i64::from(i32::MAX)
        };
        if !(0..=most).contains(&self.values) {
            return Err(format!(
                "a page claims {} values in {unpacked} bytes",
                self.values
            ));
        }
        if !ENCODINGS.contains(&self.encoding) {
            return Err(format!(
                "a page has encoding {}, which is not read; write the file again with the defaults of pyarrow",
                self.encoding
            ));
        }
        let levels = self.levels.iter().try_fold(0_i64, |sum, &bytes| {
            sum.checked_add(bytes).filter(|_| bytes >= 0)
        });
        if levels.is_none_or(|levels| levels > self.packed.min(self.unpacked)) {
            return Err("a page has levels longer than itself".into());
        }
        Ok(())
    }

    /// The decoder unpacks gzip to its end, whatever that comes to.
    fn check_gzip(&self, mut packed: impl Read) -> Result<(), String> {
        let levels: i64 = self.levels.iter().sum();
        let failed = |error: io::Error| format!("a page's gzip layer is damaged: {error}");
        io::copy(&mut (&mut packed).take(levels as u64), &mut io::sink()).map_err(failed)?;
        let expected = (self.unpacked - levels) as u64;
        let mut content =
            MultiGzDecoder::new(packed.take((self.packed - levels) as u64)).take(expected + 1);
        // Pages of the second version may say that they are not packed after all; those do not begin like gzip, and unpack to nothing.
        match io::copy(&mut content, &mut io::sink()) {
            Ok(bytes) if bytes > expected => Err(format!(
                "a page unpacks to more than the {expected} bytes that it claims"
            )),
            _ => Ok(()),
        }
    }
}

/// A structure in Thrift's compact protocol, passed through.
struct Walk<R> {
    input: R,
    read: u64,
}

impl<R: Read> Walk<R> {
    /// Tells `visit` every whole number, with the numbers of the fields that lead to it.
    fn structure(
        &mut self,
        path: &mut Vec<i64>,
        visit: &mut dyn FnMut(&[i64], i64),
    ) -> Result<(), String> {
        if path.len() == DEEPEST {
            return Err("it is nested too deeply".into());
        }
        let mut field = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            field = match head >> 4 {
                0 => self.signed()?,
                step => field.saturating_add(step.into()),
            };
            path.push(field);
            self.value(head & 15, path, visit)?;
            path.pop();
        }
    }

    fn value(
        &mut self,
        kind: u8,
        path: &mut Vec<i64>,
        visit: &mut dyn FnMut(&[i64], i64),
    ) -> Result<(), String> {
        match kind {
            // Truth lies in the kind itself.
            1 | 2 => {}
            3 => self.skip(1)?,
            4..=6 => {
                let value = self.signed()?;
                visit(path, value);
            }
            7 => self.skip(8)?,
            8 => {
                let length = self.unsigned()?;
                self.skip(length)?;
            }
            12 => self.structure(path, visit)?,
            // Page headers have no lists, sets and maps.
            other => return Err(format!("it has a field of kind {other}")),
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, String> {
        let mut byte = [0];
        self.input
            .read_exact(&mut byte)
            .map_err(|error| error.to_string())?;
        self.read += 1;
        Ok(byte[0])
    }

    fn unsigned(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number does not end".into())
    }

    fn signed(&mut self) -> Result<i64, String> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        let skipped = io::copy(&mut (&mut self.input).take(bytes), &mut io::sink());
        let skipped = skipped.map_err(|error| error.to_string())?;
        self.read += skipped;
        if skipped == bytes {
            return Ok(());
        }
        Err("it ends early".into())
    }
}
