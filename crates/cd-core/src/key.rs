//! Keys: what a result depends on, as one hash.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::images::ImageSet;
use crate::labels::Labels;
use crate::source::StorageError;

/// Collects what a result depends on; equal inputs give equal keys, on every machine.
///
/// Every part has a name and its length goes in first, so no two lists of parts run into each other.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// A key of the kind `what`, such as the name of a stage with the version of its numbers.
    pub fn of(what: &str) -> Self {
        Self(Sha256::new()).text("of", what)
    }

    /// Adds a setting, or several: anything that serde writes.
    ///
    /// # Panics
    ///
    /// When `value` has no JSON form: a map with keys that are no text.
    #[must_use]
    pub fn with(self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        let json = serde_json::to_string(value).expect("settings have string keys");
        self.text(name, &json)
    }

    /// Adds text as it is, such as the key of an input.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        self.bytes(name, text.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        for part in [name.as_bytes(), bytes] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// The key: 64 hexadecimal digits.
    pub fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}

/// The key of what a set holds: size, pixels, labels, names and names of classes, in order.
///
/// # Errors
///
/// When pixels cannot be read.
pub fn content_key(set: &ImageSet) -> Result<String, StorageError> {
    let mut key = Key::of("images")
        .with("size", &[set.height(), set.width()])
        .with("classes", set.class_names())
        .with("names", set.names());
    key = match set.annotations() {
        Labels::Class(labels) => key.with("labels", labels),
        Labels::Attributes(attributes) => key.with("attributes", attributes),
        Labels::None => key.text("labels", "none"),
    };
    let mut pixels = Sha256::new();
    for index in 0..set.len() {
        pixels.update(set.digest(index)?);
    }
    Ok(key.bytes("pixels", &pixels.finalize()).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_names_values_and_their_borders() {
        let key = |name: &str, text: &str| Key::of("k").text(name, text).finish();
        assert_eq!(key("a", "bc"), key("a", "bc"));
        assert_ne!(key("a", "bc"), key("ab", "c"));
        assert_ne!(key("a", "bc"), Key::of("l").text("a", "bc").finish());
        let two = Key::of("k").text("a", "b").text("c", "d").finish();
        assert_ne!(two, Key::of("k").text("a", "bc").text("", "d").finish());
    }

    #[test]
    fn content_counts_pixels_labels_and_names() {
        let set = |name: &str, pixel: u8, label| {
            let mut set = ImageSet::new(1, 1, vec!["a".into(), "b".into()]);
            set.push(name.into(), &[pixel; 3], label).expect("fits");
            content_key(&set).expect("in memory")
        };
        let first = set("x", 1, 0);
        assert_eq!(first, set("x", 1, 0));
        for other in [set("y", 1, 0), set("x", 2, 0), set("x", 1, 1)] {
            assert_ne!(first, other);
        }
    }
}
