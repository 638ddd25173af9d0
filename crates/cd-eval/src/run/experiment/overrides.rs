//! `--set a.b.c=value` on the text of an experiment.

use cd_models::names;

use super::ExperimentError;

/// Sets `a.b.c` of `value` to the right side of `a.b.c=...`, read as a TOML value or else as text.
pub(super) fn apply_override(value: &mut toml::Value, text: &str) -> Result<(), ExperimentError> {
    let wrong = |reason: String| ExperimentError::Override {
        text: text.to_owned(),
        reason,
    };
    let (path, right) = text
        .split_once('=')
        .ok_or_else(|| wrong("expected `key.path=value`".into()))?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {right}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(right.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    let (last, parents) = keys
        .split_last()
        .ok_or_else(|| wrong("the key is empty".into()))?;
    let mut at = value;
    for key in parents {
        let hint = nearest_key(at, key);
        at = descend(at, key).ok_or_else(|| wrong(format!("there is no table `{key}`{hint}")))?;
    }
    if let Ok(index) = last.parse::<usize>()
        && let Some(list) = at.as_array_mut()
    {
        let slot = list
            .get_mut(index)
            .ok_or_else(|| wrong(format!("there is no element {index}")))?;
        *slot = parsed;
        return Ok(());
    }
    let table = at
        .as_table_mut()
        .ok_or_else(|| wrong(format!("`{}` is no table", parents.join("."))))?;
    table.insert((*last).to_owned(), parsed);
    Ok(())
}

fn descend<'a>(value: &'a mut toml::Value, key: &str) -> Option<&'a mut toml::Value> {
    match value {
        toml::Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        other => other.get_mut(key),
    }
}

/// The key of `value` that `key` may be a slip of, ready to append; empty when there is none.
fn nearest_key(value: &toml::Value, key: &str) -> String {
    let known = value.as_table().into_iter().flat_map(toml::Table::keys);
    names::nearest(key, known.map(String::as_str)).map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    })
}
