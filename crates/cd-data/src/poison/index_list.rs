//! Lists of indices in files: text, JSON or an npy array of whole numbers.

use std::fs;
use std::io;
use std::path::Path;

use cd_core::npy::{Header, Kind, MAGIC, NpyError};
use thiserror::Error;

/// Most bytes of a list.
const MOST_BYTES: u64 = 64 << 20;
/// Whole numbers up to this one are exact in 64-bit floats.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a file is no list of indices.
#[derive(Debug, Error)]
pub enum IndexListError {
    /// The system cannot read the file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is longer than any list.
    #[error("it has {0} bytes, at most {MOST_BYTES} are read")]
    TooLarge(u64),
    /// The bytes are of another format.
    #[error("it is neither text nor an npy array of whole numbers")]
    Format,
    /// A word in a text is no index.
    #[error("line {line}: `{word}` is no index, expected whole numbers from 0")]
    Word {
        /// Line of the text, from 1.
        line: usize,
        /// The word, cut after 40 characters.
        word: String,
    },
    /// The array cannot be read.
    #[error(transparent)]
    Array(#[from] NpyError),
    /// The array holds no indices.
    #[error("it holds {0}, expected whole numbers")]
    Kind(&'static str),
    /// A number in the array is no index.
    #[error("{0} is no index, expected whole numbers from 0")]
    Number(f64),
}

/// The indices that the file at `path` lists, in its order: words of a text or of JSON, or an npy array.
///
/// # Errors
///
/// When it cannot be read, or lists something else than whole numbers from 0.
pub fn index_list(path: &Path) -> Result<Vec<usize>, IndexListError> {
    let length = fs::metadata(path)?.len();
    if length > MOST_BYTES {
        return Err(IndexListError::TooLarge(length));
    }
    parse_index_list(&fs::read(path)?)
}

/// [`index_list`] of the bytes of a file.
///
/// # Errors
///
/// As there.
pub fn parse_index_list(bytes: &[u8]) -> Result<Vec<usize>, IndexListError> {
    if bytes.starts_with(MAGIC) {
        return of_array(bytes);
    }
    let text = str::from_utf8(bytes).map_err(|_| IndexListError::Format)?;
    let mut indices = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        let words = words.split(|letter: char| letter.is_whitespace() || "[],;".contains(letter));
        for word in words.filter(|word| !word.is_empty()) {
            indices.push(word.parse().map_err(|_| IndexListError::Word {
                line,
                word: word.chars().take(40).collect(),
            })?);
        }
    }
    Ok(indices)
}

fn of_array(bytes: &[u8]) -> Result<Vec<usize>, IndexListError> {
    let mut rest = bytes;
    let header = Header::read(&mut rest)?;
    if header.kind.is_float() {
        return Err(IndexListError::Kind("fractions"));
    }
    if header.kind == Kind::Bool {
        return Err(IndexListError::Kind(
            "truth values (numpy.flatnonzero gives the indices of those that are true)",
        ));
    }
    if rest.len() as u64 != header.bytes() {
        return Err(IndexListError::Array(NpyError::Length {
            got: rest.len() as u64,
            expected: header.bytes(),
            shape: header.shape,
        }));
    }
    let index = |value: f64| {
        if (0.0..=MOST_EXACT).contains(&value) {
            Ok(value as usize)
        } else {
            Err(IndexListError::Number(value))
        }
    };
    header.numbers(rest).map(index).collect()
}

#[cfg(test)]
mod tests {
    use cd_core::npy::save;

    use super::*;
    use crate::testing::{mutations, write_npy};

    #[test]
    fn text_json_and_arrays_are_read() {
        for text in ["3\n1\n2\n", "[3, 1,\n2]", "3 1;2"] {
            assert_eq!(parse_index_list(text.as_bytes()).expect("reads"), [3, 1, 2]);
        }
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("list.npy");
        save(&path, &[2], &[7_i64, 4]).expect("writes");
        assert_eq!(index_list(&path).expect("reads"), [7, 4]);
        assert!(parse_index_list(b"").expect("nothing").is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("list.npy");
        let of_file = || index_list(&path).expect_err("no list").to_string();
        let error = parse_index_list(b"3\n-1")
            .expect_err("negative")
            .to_string();
        assert!(
            error.contains("line 2") && error.contains("`-1`"),
            "{error}"
        );
        assert!(parse_index_list(b"\xff\xfe").is_err());
        save(&path, &[1], &[0.5_f32]).expect("writes");
        assert!(of_file().contains("fractions"));
        write_npy(&path, "|b1", "(2,)", &[1, 0]);
        assert!(of_file().contains("flatnonzero"));
        write_npy(&path, "<i8", "(1,)", &(-4_i64).to_le_bytes());
        assert!(of_file().contains("-4 is no index"));
        write_npy(&path, "<u8", "(1,)", &u64::MAX.to_le_bytes());
        assert!(of_file().contains("is no index"));
        write_npy(&path, "<i8", "(9223372036854775807,)", &[0; 8]);
        assert!(of_file().contains("9223372036854775807"));
        write_npy(&path, "|O", "(1,)", &[0; 8]);
        assert!(of_file().contains("Python objects"));
    }

    #[test]
    fn damaged_lists_never_panic() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("list.npy");
        save(&path, &[3], &[7_i64, 4, 2]).expect("writes");
        let array = fs::read(&path).expect("reads");
        let good = [array, b"[3, 1,\n2]".to_vec(), b"12\n7\n19\n".to_vec()];
        let survivors = mutations(&good, |bytes| {
            parse_index_list(bytes).is_ok_and(|list| !list.is_empty())
        });
        assert!(survivors > 0.01, "{survivors}");
    }
}
