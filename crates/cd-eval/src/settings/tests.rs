use cd_data::{AttackConfig, DatasetConfig};
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Whole {
    count: Option<u8>,
    name: Option<String>,
    inner: Option<Inner>,
    list: Option<Vec<Inner>>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    rate: f64,
}

fn read(settings: &[&str]) -> Result<Whole, String> {
    let base = "list = [{ rate = 1.0 }]".parse().map(Value::Table);
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    with(base.expect("valid"), &settings).map_err(|error| error.to_string())
}

#[test]
fn values_are_toml_or_text_and_tables_are_made() {
    let whole = read(&[
        "count = 3",
        "name=two words ",
        "inner.rate=0.5",
        "list.0.rate=2.0",
    ]);
    let whole = whole.expect("valid");
    assert_eq!(
        (whole.count, whole.name.as_deref()),
        (Some(3), Some("two words"))
    );
    assert_eq!(whole.inner, Some(Inner { rate: 0.5 }));
    assert_eq!(whole.list, Some(vec![Inner { rate: 2.0 }]));
    let quoted = read(&["name=\"3\"", "inner={ rate = 1.5 }"]).expect("valid");
    assert_eq!(quoted.name.as_deref(), Some("3"));
    let two_lines = read(&["name=1\ncount=2"]).expect("text");
    assert_eq!(
        (two_lines.count, two_lines.name.as_deref()),
        (None, Some("1\ncount=2"))
    );
}

#[test]
fn the_setting_to_blame_is_named() {
    for (settings, parts) in [
        (&["count"][..], &["`count`: ", "KEY=VALUE"][..]),
        (&["=1"], &["`=1`: ", "key is empty"]),
        (&["inner..rate=1"], &["key is empty"]),
        (&["name=x", "count=300"], &["`count=300`: ", "expected u8"]),
        (
            &["count=1", "nmae=x"],
            &["`nmae=x`: ", "did you mean `name`?"],
        ),
        (
            &["iner.rate=1.0"],
            &["`iner.rate=1.0`: ", "did you mean `inner`?"],
        ),
        (
            &["inner.rat=1.0"],
            &["`inner.rat=1.0`: ", "did you mean `rate`?"],
        ),
        (&["list.1.rate=1.0"], &["`list` has no element `1`"]),
        (&["count=1", "count.x=2"], &["`count` is no table"]),
        (
            &["count=1", "count=2"],
            &["`count=2`: `count` is set already"],
        ),
        (&["count=x", "name=[]"], &["invalid type"]),
    ] {
        let error = read(settings).expect_err("wrong");
        for part in parts {
            assert!(error.contains(part), "{settings:?}: {error}");
        }
    }
}

#[test]
fn later_settings_refine_earlier_ones() {
    let whole = read(&["inner={ rate = 1.0 }", "inner.rate=2.0"]).expect("valid");
    assert_eq!(whole.inner, Some(Inner { rate: 2.0 }));
}

#[test]
fn components_tell_their_keys() {
    assert_eq!(
        keys::<AttackConfig>("blend"),
        ["alpha", "pattern", "pattern_seed", "rounding"]
    );
    assert!(keys::<DatasetConfig>("folder").contains(&"path".to_owned()));
}
