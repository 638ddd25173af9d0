//! Which file of a sample tells its class, and what it says.

use serde_json::Value;

use crate::dataset::classes::Label;

/// Fields that tell a class, the first that a sample has counts.
pub(super) const FIELDS: [&str; 3] = ["cls", "json", "txt"];
/// Keys of a JSON field that tell a class, likewise.
const KEYS: [&str; 5] = ["label", "cls", "class", "target", "class_id"];
/// Longest field that is read for a label.
pub(super) const LONGEST: u64 = 1 << 20;

/// Where the samples of a data set say their class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Telling {
    /// Ending of the file.
    pub(super) field: String,
    /// Key in it, where it is JSON.
    pub(super) key: Option<String>,
}

impl Telling {
    /// Whether `field` of these contents can tell classes, and how; `key` is the user's choice.
    pub(super) fn of(field: &str, content: &[u8], key: Option<&str>) -> Option<Self> {
        let field = field.to_owned();
        if !is_json(&field) {
            return Some(Self { field, key: None });
        }
        let value: Value = serde_json::from_slice(content).ok()?;
        let known = KEYS.into_iter();
        let found = match key {
            Some(key) => Some(key),
            None => known.into_iter().find(|key| value.get(key).is_some()),
        };
        let key = Some(found?.to_owned());
        Some(Self { field, key })
    }

    /// What a field of these contents says; nothing where it says none.
    pub(super) fn read(&self, content: &[u8]) -> Result<Option<Label>, String> {
        let Some(key) = &self.key else {
            let text = str::from_utf8(content).map_err(|_| "its label is no text".to_owned())?;
            return Ok(Label::of_text(text));
        };
        let value: Value = serde_json::from_slice(content)
            .map_err(|error| format!("its JSON is damaged: {error}"))?;
        match value.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Label::of_text(text)),
            Some(Value::Number(number)) => {
                let whole = number.as_i64().map(Label::Number);
                let label = whole.or_else(|| Label::of_number(number.as_f64()?));
                label
                    .map(Some)
                    .ok_or_else(|| format!("`{key}` is {number}, expected a whole number"))
            }
            Some(_) => Err(format!("`{key}` is neither a number nor a text")),
        }
    }
}

fn is_json(field: &str) -> bool {
    field.rsplit('.').next() == Some("json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str, content: &str) -> Result<Option<Label>, String> {
        let telling = Telling::of(field, content.as_bytes(), None).expect("tells");
        telling.read(content.as_bytes())
    }

    #[test]
    fn numbers_and_names_are_told() {
        for (field, content, label) in [
            ("cls", "7\n", Some(Label::Number(7))),
            ("cls", "tabby cat", Some(Label::Name("tabby cat".into()))),
            ("cls", "", None),
            ("json", r#"{"label": 3}"#, Some(Label::Number(3))),
            (
                "json",
                r#"{"cls": "a", "class": 5}"#,
                Some(Label::Name("a".into())),
            ),
            ("meta.json", r#"{"class": 2.0}"#, Some(Label::Number(2))),
            ("json", r#"{"label": null}"#, None),
        ] {
            assert_eq!(read(field, content), Ok(label), "{field} {content}");
        }
        assert!(Telling::of("json", b"{\"caption\": \"a\"}", None).is_none());
        assert!(Telling::of("json", b"{", None).is_none());
        assert!(read("json", r#"{"label": 0.5}"#).is_err());
        assert!(read("json", r#"{"label": [1]}"#).is_err());
    }
}
