//! Lists of indices in files: text, JSON or an npy array of whole numbers.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_core::npy::{Header, MAGIC};

/// Most bytes of a list.
const MOST_BYTES: u64 = 64 << 20;

/// The indices in all files, or nothing where there is no file.
pub(super) fn read(files: &[PathBuf]) -> Result<Option<Vec<usize>>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for file in files {
        let list =
            of_file(file).with_context(|| format!("list of indices `{}`", file.display()))?;
        all.extend(list);
    }
    Ok(Some(all))
}

fn of_file(path: &Path) -> Result<Vec<usize>> {
    let length = fs::metadata(path)?.len();
    if length > MOST_BYTES {
        bail!("it has {length} bytes, at most {MOST_BYTES} are read");
    }
    let bytes = fs::read(path)?;
    if bytes.starts_with(MAGIC) {
        return of_array(path);
    }
    let text = String::from_utf8(bytes).context("it is neither text nor an npy array")?;
    let mut indices = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        let words = words.split(|letter: char| letter.is_whitespace() || "[],;".contains(letter));
        for word in words.filter(|word| !word.is_empty()) {
            let index = word.parse();
            indices.push(index.with_context(|| {
                format!("line {line}: `{word}` is no index, expected whole numbers from 0")
            })?);
        }
    }
    Ok(indices)
}

fn of_array(path: &Path) -> Result<Vec<usize>> {
    let mut input = BufReader::new(File::open(path)?);
    let header = Header::read(&mut input)?;
    if header.kind.is_float() {
        bail!("it holds fractions, expected whole numbers");
    }
    let mut bytes = Vec::new();
    input.take(MOST_BYTES).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != header.bytes() {
        bail!(
            "its shape {:?} needs {} bytes, there are {}",
            header.shape,
            header.bytes(),
            bytes.len()
        );
    }
    let index = |value: f64| {
        if value < 0.0 {
            bail!("{value} is no index, expected whole numbers from 0");
        }
        Ok(value as usize)
    };
    header.numbers(&bytes).map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_json_and_arrays_are_read_and_mistakes_named() {
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("list");
        let read_text = |text: &str| {
            fs::write(&path, text).expect("writes");
            read(std::slice::from_ref(&path))
        };
        for text in ["3\n1\n2\n", "[3, 1,\n2]", "3 1;2"] {
            assert_eq!(read_text(text).expect("reads"), Some(vec![3, 1, 2]));
        }
        let error = format!("{:#}", read_text("3\n-1").expect_err("negative"));
        assert!(
            error.contains("line 2") && error.contains("`-1`"),
            "{error}"
        );
        cd_core::npy::save(&path, &[2], &[7_i64, 4]).expect("writes");
        assert_eq!(
            read(std::slice::from_ref(&path)).expect("reads"),
            Some(vec![7, 4])
        );
        cd_core::npy::save(&path, &[1], &[0.5_f32]).expect("writes");
        let error = format!(
            "{:#}",
            read(std::slice::from_ref(&path)).expect_err("fractions")
        );
        assert!(error.contains("fractions"), "{error}");
        assert_eq!(read(&[]).expect("nothing"), None);
    }
}
