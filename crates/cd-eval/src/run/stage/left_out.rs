//! What of a data set was not read, as a table in the folder of the run.

use std::fs;
use std::io;
use std::path::Path;

use cd_data::NotRead;

use crate::pipeline::PipelineError;
use crate::run_dir::{NOT_READ, RunDir, RunDirError};

/// Writes the files with their reasons to the run; when everything was read, there is no such table.
pub(super) fn write(run: &RunDir, not_read: &NotRead) -> Result<(), PipelineError> {
    let path = run.join(NOT_READ);
    let failed = |source| RunDirError::Io {
        path: path.clone(),
        source,
    };
    if not_read.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error).into()),
            _ => Ok(()),
        };
    }
    let bytes = table(not_read).map_err(failed)?;
    Ok(run.write(Path::new(NOT_READ), &bytes)?)
}

fn table(not_read: &NotRead) -> io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["file", "reason"])?;
    for group in not_read.groups() {
        for file in &group.files {
            rows.write_record([file.as_str(), &group.reason])?;
        }
    }
    rows.into_inner().map_err(csv::IntoInnerError::into_error)
}
