//! The forms that findings are written in.

use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use cd_models::atomic;

use super::{Findings, FindingsError, columns, io_error, sarif, table};

/// A form of a file of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Everything, also what `--baseline` reads.
    Json,
    /// A table with the columns `filepath`, `label`, `score` and `tags`, which stand between commas in one field.
    Csv,
    /// The same table, with tags as lists.
    Parquet,
    /// SARIF 2.1.0: findings about the set and its classes.
    Sarif,
}

impl Format {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("parquet", Self::Parquet),
        ("sarif", Self::Sarif),
    ];

    /// Its name, which files of it end with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Sarif => "sarif",
        }
    }

    /// The form that the ending of `path` tells, such as `json` of `scan.sarif.json`.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if name.ends_with(".sarif.json") {
            return Some(Self::Sarif);
        }
        let (_, ending) = name.rsplit_once('.')?;
        ending.parse().ok()
    }

    pub(super) fn write(self, path: &Path, findings: &Findings) -> Result<(), FindingsError> {
        let fill = |file: &mut dyn Write| match self {
            Self::Json => json(file, findings),
            Self::Csv => table::write(file, findings),
            Self::Parquet => columns::write(file, findings),
            Self::Sarif => json(file, &sarif::log(findings)),
        };
        atomic::write_with(path, fill).map_err(io_error(path))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|&(_, format)| format)
            .ok_or_else(|| "expected json, csv, parquet or sarif".to_owned())
    }
}

fn json(file: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *file, value)?;
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use cd_detect::Standing;

    use super::super::testing::{findings, verdict};
    use super::*;

    #[test]
    fn endings_tell_the_form() {
        for (name, format) in Format::ALL {
            assert_eq!(
                Format::of_path(Path::new(&format!("a/x.{name}"))),
                Some(format)
            );
            assert_eq!(format.name().parse(), Ok(format));
        }
        let of = |path: &str| Format::of_path(Path::new(path));
        assert_eq!(of("x.sarif.json"), Some(Format::Sarif));
        assert_eq!(of("x.CSV"), Some(Format::Csv));
        assert_eq!((of("x.txt"), of("json"), of("")), (None, None, None));
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("deep/findings.json");
        let all = findings(verdict(Standing::Backdoored));
        all.write(&path, Format::Json).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        let back: Findings = serde_json::from_str(&text).expect("json");
        assert_eq!(back, all);
        let error = all.write(folder.path(), Format::Csv).expect_err("a folder");
        assert!(error.to_string().contains("plain file"), "{error}");
    }
}
