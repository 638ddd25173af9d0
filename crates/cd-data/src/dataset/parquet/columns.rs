//! Which columns hold the pictures and the labels.

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use serde_json::Value;

/// Columns that tell a class by their names.
const LABELS: [&str; 6] = ["label", "labels", "class", "target", "category", "cls"];

/// What the user chose.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) image: Option<&'a str>,
    pub(super) label: Option<&'a str>,
    /// Whether labels do not matter.
    pub(super) unlabelled: bool,
}

/// The columns of a file that are read; numbers count the leaves of its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) image: Image,
    pub(super) label: Option<usize>,
    /// Names of the classes, where the file has them.
    pub(super) names: Option<Vec<String>>,
}

/// A column of pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    name: String,
    pub(super) bytes: usize,
    /// Where the path of a picture stands that lies in a file of its own.
    pub(super) path: Option<usize>,
}

impl Columns {
    /// The columns of a file.
    pub(super) fn of(file: &FileMetaData, wanted: Wanted<'_>) -> Result<Self, String> {
        let schema = file.schema_descr();
        let features = features(file);
        let image = image(schema, &features, wanted.image)?;
        if wanted.unlabelled {
            let (label, names) = (None, None);
            return Ok(Self {
                image,
                label,
                names,
            });
        }
        let (name, label) = label(schema, &features, wanted.label)?;
        let names = features
            .get(&name)
            .and_then(|feature| feature.get("names"))
            .and_then(Value::as_array)
            .map(|names| {
                names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            });
        let label = Some(label);
        Ok(Self {
            image,
            label,
            names,
        })
    }
}

/// What the hub's library notes about each column.
fn features(file: &FileMetaData) -> Value {
    let entries = file.key_value_metadata().into_iter().flatten();
    let text = entries
        .filter(|entry| entry.key == "huggingface")
        .find_map(|entry| entry.value.as_deref());
    let noted: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
    let features = noted.and_then(|noted| noted.pointer("/info/features").cloned());
    features.unwrap_or(Value::Null)
}

/// Whether the hub's library notes that column `name` is of this kind.
fn is_noted(features: &Value, name: &str, kind: &str) -> bool {
    let noted = features.get(name).and_then(|feature| feature.get("_type"));
    noted.and_then(Value::as_str) == Some(kind)
}

fn image(
    schema: &SchemaDescriptor,
    features: &Value,
    wanted: Option<&str>,
) -> Result<Image, String> {
    let mut all: Vec<Image> = (0..schema.num_columns())
        .filter_map(|leaf| as_image(schema, leaf))
        .filter(|image| !is_noted(features, &image.name, "Audio"))
        .collect();
    let is_image = |image: &Image| is_noted(features, &image.name, "Image");
    if wanted.is_none() && all.iter().any(is_image) {
        all.retain(is_image);
    }
    let names: Vec<String> = all.iter().map(|image| image.name.clone()).collect();
    let at = chosen(schema, &names, wanted, ("pictures", "image_column"))?;
    Ok(all.swap_remove(at))
}

/// Leaf `leaf` as the bytes of a column of pictures: a column of bytes, or one of structures with `bytes` and perhaps `path`.
fn as_image(schema: &SchemaDescriptor, leaf: usize) -> Option<Image> {
    let column = schema.column(leaf);
    let parts = column.path().parts();
    let (last, before) = parts.split_last()?;
    if column.physical_type() != Type::BYTE_ARRAY || column.max_rep_level() > 1 {
        return None;
    }
    let name = parts.first()?.clone();
    if before.is_empty() {
        let (bytes, path) = (leaf, None);
        return (!is_text(&column)).then_some(Image { name, bytes, path });
    }
    if last != "bytes" {
        return None;
    }
    let is_path = |other: &usize| {
        let column = schema.column(*other);
        let other = column.path().parts();
        let beside = other
            .split_last()
            .is_some_and(|(last, start)| last == "path" && start == before);
        beside && column.physical_type() == Type::BYTE_ARRAY
    };
    let path = (0..schema.num_columns()).find(is_path);
    Some(Image {
        name,
        bytes: leaf,
        path,
    })
}

fn label(
    schema: &SchemaDescriptor,
    features: &Value,
    wanted: Option<&str>,
) -> Result<(String, usize), String> {
    let mut all: Vec<(String, usize)> = (0..schema.num_columns())
        .filter(|&leaf| may_label(&schema.column(leaf)))
        .map(|leaf| (schema.column(leaf).name().to_owned(), leaf))
        .collect();
    if wanted.is_none() {
        let noted = |(name, _): &(String, usize)| is_noted(features, name, "ClassLabel");
        let common =
            |(name, _): &(String, usize)| LABELS.contains(&name.to_ascii_lowercase().as_str());
        if all.iter().any(noted) {
            all.retain(noted);
        } else if all.iter().any(common) {
            all.retain(common);
        }
    }
    let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let at = chosen(schema, &names, wanted, ("labels", "label_column"))?;
    Ok(all.swap_remove(at))
}

fn may_label(column: &ColumnDescriptor) -> bool {
    let is_plain = column.path().parts().len() == 1 && column.max_rep_level() == 0;
    is_plain
        && match column.physical_type() {
            Type::INT32 | Type::INT64 => is_integer(column),
            Type::BYTE_ARRAY => is_text(column),
            _ => false,
        }
}

fn is_integer(column: &ColumnDescriptor) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(
        column.converted_type(),
        NONE | INT_8 | INT_16 | INT_32 | INT_64 | UINT_8 | UINT_16 | UINT_32 | UINT_64
    ) && matches!(
        column.logical_type_ref(),
        None | Some(LogicalType::Integer(..))
    )
}

fn is_text(column: &ColumnDescriptor) -> bool {
    matches!(
        column.converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM
    ) || matches!(column.logical_type_ref(), Some(LogicalType::String))
}

/// Position of the column that is meant among `names`.
fn chosen(
    schema: &SchemaDescriptor,
    names: &[String],
    wanted: Option<&str>,
    (what, option): (&str, &str),
) -> Result<usize, String> {
    let listed = |names: &[String]| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(wanted) = wanted {
        let found = names.iter().position(|name| name == wanted);
        return found.ok_or_else(|| {
            format!(
                "`{option}` is `{wanted}`, but the columns that can hold {what} are: {}",
                listed(names)
            )
        });
    }
    match names.len() {
        1 => Ok(0),
        0 => {
            let roots = schema.root_schema().get_fields();
            let all: Vec<String> = roots.iter().map(|field| field.name().to_owned()).collect();
            Err(format!(
                "no column can hold {what}; its columns are: {}",
                listed(&all)
            ))
        }
        _ => Err(format!(
            "several columns can hold {what}: {}; choose one with `{option}`",
            listed(names)
        )),
    }
}
