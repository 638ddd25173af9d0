//! `contents.csv`: the key of the content of every picture, by which a later scan knows it again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use cd_data::table::Table;
use cd_models::{ImageSet, StorageError, atomic};

use super::{FindingsError, format_error};

/// The file in the folder of a run.
const NAME: &str = "contents.csv";

/// Writes the keys of the pictures of `set` into `folder`.
pub(crate) fn write(folder: &Path, set: &ImageSet) -> Result<(), StorageError> {
    let path = folder.join(NAME);
    let failed = |reason: String| StorageError::Source {
        path: path.clone(),
        reason,
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut row = |fields: [&str; 2]| {
        let written = writer.write_record(fields);
        written.map_err(|error| failed(error.to_string()))
    };
    row(["file", "content"])?;
    for index in 0..set.len() {
        row([set.name(index), &key(set, index)?])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| failed(error.to_string()))?;
    atomic::write(&path, &bytes).map_err(|error| failed(error.to_string()))
}

/// The key of a picture: the size at which it was read, and the SHA-256 of its pixels. Keys of one size can be compared.
fn key(set: &ImageSet, index: usize) -> Result<String, StorageError> {
    let mut key = format!("{}x{}-", set.width(), set.height());
    for byte in set.digest(index)? {
        write!(key, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Ok(key)
}

/// The size in a key.
pub(super) fn size(key: &str) -> &str {
    key.split_once('-').map_or("", |(size, _)| size)
}

/// The keys in `folder` by name; none in a run from before they were kept. Of names that occur twice none is known.
pub(super) fn read(folder: &Path) -> Result<HashMap<String, String>, FindingsError> {
    let path = folder.join(NAME);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        _ => {}
    }
    let table = Table::read(&path, ["file", "content"]);
    let table = table.map_err(|error| format_error(&path, error.to_string()))?;
    let mut keys: HashMap<String, Option<String>> = HashMap::new();
    for row in table.rows() {
        let [file, content] = &row.fields;
        keys.entry(file.clone())
            .and_modify(|known| *known = None)
            .or_insert_with(|| Some(content.clone()));
    }
    let known = keys.into_iter();
    Ok(known
        .filter_map(|(file, content)| Some((file, content?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_pixels_and_survive_odd_names() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut set = ImageSet::new(1, 2, vec!["a".into()]);
        let pictures = [
            ("x, \"1\"\n.png", 1),
            ("y.png", 1),
            ("z.png", 2),
            ("z.png", 3),
        ];
        for (name, pixel) in pictures {
            set.push(name.into(), &[pixel; 6], 0).expect("fits");
        }
        write(folder.path(), &set).expect("written");
        let keys = read(folder.path()).expect("read");
        assert_eq!(keys.len(), 2, "a name that occurs twice has no key");
        assert_eq!(keys["x, \"1\"\n.png"], keys["y.png"]);
        assert_eq!(size(&keys["y.png"]), "2x1");
        assert!(
            read(&folder.path().join("none"))
                .expect("no file")
                .is_empty()
        );
    }
}
