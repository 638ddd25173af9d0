//! The numbers of a finished detection on disk: `raw.json`.

use std::path::Path;

use cd_detect::{ClassFinding, Decision, Detection, Measure};
use serde::{Deserialize, Serialize};

use crate::store::{StoreError, read_json, write_json};

/// The file of the numbers.
pub(super) const NAME: &str = "raw.json";

/// Numbers of a detector without their masks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    measure: Measure,
    raw: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clean: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<Decision>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<ClassFinding>,
}

/// Writes everything of `detection` but its masks into `folder`.
pub(super) fn write(folder: &Path, detection: &Detection) -> Result<(), StoreError> {
    let numbers = Numbers {
        measure: detection.measure.clone(),
        raw: detection.raw.clone(),
        clean: detection.clean.clone(),
        own: detection.own.clone(),
        classes: detection.classes.clone(),
    };
    write_json(&folder.join(NAME), &numbers)
}

/// The detection in `folder`, without masks; of `count` images.
pub(super) fn read(folder: &Path, count: usize) -> Result<Detection, StoreError> {
    let path = folder.join(NAME);
    let Numbers {
        measure,
        raw,
        clean,
        own,
        classes,
    } = read_json(&path)?;
    if raw.len() != count {
        return Err(StoreError::Damaged {
            path,
            reason: format!("{} numbers for {count} images", raw.len()),
        });
    }
    if let Some(flags) = own.as_ref().map(|own| own.flagged.len())
        && flags != count
    {
        return Err(StoreError::Damaged {
            path,
            reason: format!("{flags} flags for {count} images"),
        });
    }
    Ok(Detection {
        measure,
        raw,
        clean,
        masks: None,
        own,
        classes,
    })
}

#[cfg(test)]
mod tests {
    use cd_detect::{Direction, Scale};

    use super::*;

    #[test]
    fn numbers_come_back_to_the_last_bit_and_a_wrong_count_is_named() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let detection = Detection {
            measure: Measure {
                title: "length".into(),
                direction: Direction::Low,
                scale: Scale::Ratio,
            },
            raw: vec![0.1 + 0.2, f64::MIN_POSITIVE, 1e300],
            clean: Some(vec![1.0 / 3.0]),
            masks: None,
            own: Some(Decision {
                explanation: "longer than 1".to_owned(),
                cutoff: Some(0.1 + 0.2),
                flagged: vec![false, false, true],
            }),
            classes: Vec::new(),
        };
        write(scratch.path(), &detection).expect("written");
        assert_eq!(read(scratch.path(), 3).expect("readable"), detection);
        let error = read(scratch.path(), 4).expect_err("another count");
        assert!(
            error.to_string().contains("3 numbers for 4 images"),
            "{error}"
        );
    }
}
