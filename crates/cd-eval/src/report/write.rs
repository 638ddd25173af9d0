//! The report as a file.

use std::io::Write;
use std::path::Path;

use super::{Report, ReportError, render};

/// Renders the report and writes it to `path` in one step: readers see the old file or the whole new
/// one, never a part.
///
/// # Errors
/// As [`render`], and [`ReportError::Write`].
pub fn write_report(path: &Path, report: &Report) -> Result<(), ReportError> {
    let page = render(report)?;
    write_atomic(path, page.as_bytes()).map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

fn write_atomic(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Renaming is atomic only within one file system, hence the same folder.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report-").suffix(".tmp");
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; a report is as readable as any other new file.
        std::fs::Permissions::from_mode(0o666)
    };
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
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
        assert!(text.contains("second") && !text.contains("first"));
        let files = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("absent").join("report.html");
        let error = write_report(&path, &report("x")).expect_err("no folder");
        assert!(error.to_string().contains("absent"), "{error}");
    }
}
