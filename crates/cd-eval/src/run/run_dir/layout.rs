//! What is in the folder of a run before this program writes to it.

use std::fs;
use std::path::Path;

use super::{BAD_LIST, LAYOUT_VERSION, META, Meta, OWN_STORE, RunDirError};
use crate::experiment::Experiment;

/// `meta.json` of the run at `path`, of the layout that this program continues.
pub(super) fn meta(path: &Path) -> Result<Meta, RunDirError> {
    let file = path.join(META);
    let text = fs::read_to_string(&file).map_err(|source| RunDirError::Io {
        path: file.clone(),
        source,
    })?;
    let meta: Meta = serde_json::from_str(&text).map_err(|error| RunDirError::Damaged {
        path: file,
        reason: error.to_string(),
    })?;
    if meta.schema_version != LAYOUT_VERSION {
        return Err(RunDirError::Layout {
            path: path.to_owned(),
            found: meta.schema_version,
        });
    }
    Ok(meta)
}

/// Whether `experiment` is the one in `text` with detectors added to it, so that nothing that was shown becomes wrong.
pub(super) fn is_extended(text: &str, experiment: &Experiment) -> bool {
    let Ok(former) = toml::from_str::<Experiment>(text) else {
        return false;
    };
    let mut without = experiment.clone();
    without
        .detect
        .detectors
        .clone_from(&former.detect.detectors);
    let (labels, former_labels) = (experiment.detector_labels(), former.detector_labels());
    let kept = former_labels
        .iter()
        .zip(&former.detect.detectors)
        .all(|(label, detector)| {
            let now = labels.iter().position(|now| now == label);
            now.is_some_and(|at| experiment.detect.detectors[at].detector == detector.detector)
        });
    kept && without == former
}

/// Whether there is anything but a store, a list of bad pictures and leftovers of an interrupted first write.
pub(super) fn is_occupied(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        ![META, OWN_STORE, BAD_LIST].contains(&&*name) && !name.starts_with(".writing-")
    })
}
