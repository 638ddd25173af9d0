//! Where pictures lie, as URIs.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::ImageFinding;

/// The folder that platforms take for the root of what they show.
const BASE: &str = "%SRCROOT%";

/// Turns paths into places: relative to the current folder where they lie inside it, absolute elsewhere.
pub(super) struct Places {
    root: PathBuf,
    /// The current folder, when the pictures lie inside.
    base: Option<PathBuf>,
}

impl Places {
    /// For pictures in `root`.
    pub(super) fn of(root: &Path) -> Self {
        let here = std::env::current_dir().ok();
        Self::seen_from(root, here)
    }

    fn seen_from(root: &Path, here: Option<PathBuf>) -> Self {
        let absolute = match &here {
            Some(here) => here.join(root),
            None => root.to_owned(),
        };
        Self {
            base: here.filter(|here| absolute.starts_with(here)),
            root: absolute,
        }
    }

    /// `originalUriBaseIds`, where places are relative.
    pub(super) fn base(&self) -> Option<Value> {
        let folder = self.base.as_ref()?;
        let uri = format!("{}/", file_uri(folder).trim_end_matches('/'));
        Some(json!({ BASE: { "uri": uri } }))
    }

    /// The place of all pictures.
    pub(super) fn root(&self) -> Value {
        self.place(&self.root)
    }

    /// The place of a picture.
    pub(super) fn picture(&self, image: &ImageFinding) -> Value {
        if self.root.is_dir() {
            self.place(&self.root.join(&image.file))
        } else {
            self.root()
        }
    }

    fn place(&self, path: &Path) -> Value {
        let inside = self
            .base
            .as_ref()
            .and_then(|base| path.strip_prefix(base).ok());
        let artifact = match inside {
            Some(inside) => json!({ "uri": relative_uri(inside), "uriBaseId": BASE }),
            None => json!({ "uri": file_uri(path) }),
        };
        json!({ "physicalLocation": { "artifactLocation": artifact, "region": { "startLine": 1 } } })
    }
}

/// A path as a relative reference; `./` for the folder itself.
fn relative_uri(path: &Path) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::CurDir => None,
        part => Some(escaped(&part.as_os_str().to_string_lossy())),
    });
    let parts: Vec<String> = parts.collect();
    match parts.first() {
        None => "./".to_owned(),
        // What stands before a colon would be taken for a scheme; escaping has left none.
        Some(_) => parts.join("/"),
    }
}

/// An absolute path as a URI of the scheme `file`.
fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for part in path.components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            part => {
                uri.push('/');
                uri += &escaped(&part.as_os_str().to_string_lossy());
            }
        }
    }
    uri
}

/// One part of a path with everything escaped that has a meaning in URIs (RFC 3986, unreserved characters).
fn escaped(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => write!(text, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths_are_escaped() {
        assert_eq!(
            relative_uri(Path::new("./a b/\u{fc}:#%.png")),
            "a%20b/%C3%BC%3A%23%25.png"
        );
        assert_eq!(relative_uri(Path::new("")), "./");
    }

    #[cfg(unix)]
    #[test]
    fn places_inside_the_current_folder_are_relative() {
        let here = || Some(PathBuf::from("/photos/my data"));
        let places = Places::seen_from(Path::new("pictures"), here());
        let artifact = &places.root()["physicalLocation"]["artifactLocation"];
        assert_eq!(artifact["uri"], "pictures");
        let base = places.base().expect("inside");
        assert_eq!(base["%SRCROOT%"]["uri"], "file:///photos/my%20data/");

        let places = Places::seen_from(Path::new("/elsewhere"), here());
        let artifact = &places.root()["physicalLocation"]["artifactLocation"];
        assert_eq!(artifact["uri"], "file:///elsewhere");
        assert!(places.base().is_none());
    }
}
