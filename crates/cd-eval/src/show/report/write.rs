//! The report as a file.

use std::path::Path;

use cd_models::atomic;

use super::{Report, ReportError, render};

/// Renders the report and writes it to `path` in one step: readers see the old file or the whole new
/// one, never a part.
///
/// # Errors
/// As [`render`], and [`ReportError::Write`].
pub fn write_report(path: &Path, report: &Report) -> Result<(), ReportError> {
    let page = render(report)?;
    atomic::write(path, page.as_bytes()).map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(title: &str) -> Report {
        Report {
            title: title.to_owned(),
            ..Report::default()
        }
    }

    #[test]
    fn a_report_replaces_the_one_before_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("report.html");
        write_report(&path, &report("first")).expect("writes");
        write_report(&path, &report("second")).expect("writes");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.contains("<title>second") && !text.contains("<title>first"));
        let files = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("writes");
        let error = write_report(&file.join("report.html"), &report("x")).expect_err("no folder");
        assert!(error.to_string().contains("report.html"), "{error}");
    }
}
