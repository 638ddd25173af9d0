//! The lists of CelebA: attributes and parts of every picture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::INFO;
use crate::dataset::archives;
use crate::dataset::files::{self, FilesError};
use crate::zipped;

/// Largest list that is read; the official one has 26 MB.
const MOST_BYTES: u64 = 256 << 20;
/// Most attributes of an image.
const MOST_ATTRIBUTES: usize = 1000;

/// Which part of the data set an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Valid,
    Test,
}

/// All images with what the lists say of them.
#[derive(Debug)]
pub(super) struct Faces {
    /// Folder of the pictures.
    pub(super) folder: PathBuf,
    pub(super) files: Vec<String>,
    pub(super) parts: Vec<Part>,
    /// Names of the attributes.
    pub(super) names: Vec<String>,
    /// `[images][names]`.
    present: Vec<bool>,
}

impl Faces {
    /// Which attributes image `at` has, one value for each name.
    pub(super) fn attributes(&self, at: usize) -> &[bool] {
        &self.present[at * self.names.len()..(at + 1) * self.names.len()]
    }
}

/// Reads the lists in `root` and finds the pictures.
pub(super) fn read(root: &Path) -> Result<Faces, FilesError> {
    let not_found = || FilesError::NotFound {
        dataset: INFO.title,
        path: root.into(),
        expected: "`list_attr_celeba.txt` (or `.csv`), `list_eval_partition.txt` (or `.csv`) and the folder `img_align_celeba`",
    };
    let roots = roots(root)?;
    let attributes = find(&roots, "list_attr_celeba").ok_or_else(not_found)?;
    let partition = find(&roots, "list_eval_partition").ok_or_else(|| FilesError::Missing {
        dataset: INFO.title,
        path: root.into(),
        missing: "`list_eval_partition.txt` (or `.csv`), which says what is trained on".into(),
    })?;
    let parts = partition_of(&partition, &files::text(&partition, MOST_BYTES)?)?;
    let mut faces = attributes_of(&attributes, &files::text(&attributes, MOST_BYTES)?)?;
    faces.folder = pictures(root, &roots)?;
    for file in &faces.files {
        let part = parts.get(file.as_str()).ok_or_else(|| {
            FilesError::content(
                &partition,
                format!("it does not name `{file}`, which has attributes"),
            )
        })?;
        faces.parts.push(*part);
    }
    Ok(faces)
}

/// Where the files may lie: `root`, or the archive that it is or holds.
fn roots(root: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut roots = vec![root.to_path_buf()];
    if root.is_file() {
        roots = archives::in_folders(root, &[])?;
    } else if find(&roots, "list_attr_celeba").is_none() && root.is_dir() {
        roots.extend(archives::in_folders(root, &roots.clone())?);
    }
    Ok(roots)
}

fn find(roots: &[PathBuf], stem: &str) -> Option<PathBuf> {
    let folders = roots
        .iter()
        .flat_map(|root| [root.clone(), root.join("Anno"), root.join("Eval")]);
    let folders: Vec<PathBuf> = folders.collect();
    let names = ["txt", "csv"].map(|ending| format!("{stem}.{ending}"));
    let paths = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)));
    paths.into_iter().find(|path| zipped::is_file(path))
}

/// The folder of the pictures, which some archives nest in one of the same name.
fn pictures(root: &Path, roots: &[PathBuf]) -> Result<PathBuf, FilesError> {
    const FOLDER: &str = "img_align_celeba";
    let outer = roots
        .iter()
        .flat_map(|root| [root.clone(), root.join("Img")]);
    let outer: Vec<PathBuf> = outer.collect();
    let nested = |folder: PathBuf| [folder.join(FOLDER), folder];
    let folders = outer.iter().flat_map(|outer| nested(outer.join(FOLDER)));
    if let Some(found) = folders.into_iter().find(|place| zipped::is_dir(place)) {
        return Ok(found);
    }
    let archives = outer
        .iter()
        .map(|outer| outer.join(format!("{FOLDER}.zip")));
    let Some(archive) = archives.into_iter().find(|archive| archive.is_file()) else {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: root.into(),
            missing: format!("the folder `{FOLDER}` or `{FOLDER}.zip`"),
        });
    };
    zipped::folder(&archive).map_err(|error| {
        let advice = "fetch it again, by hand where a quota stops it";
        FilesError::content(&archive, format!("{error}; {advice}"))
    })?;
    let inside = nested(archive.join(FOLDER))
        .into_iter()
        .chain([archive.clone()]);
    let found = inside.into_iter().find(|place| zipped::is_dir(place));
    found.ok_or_else(|| FilesError::content(&archive, "it is no zip archive, or an empty one"))
}

/// The fields of a line, between commas or runs of blanks.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([',', ' ', '\t'])
        .map(str::trim)
        .filter(|field| !field.is_empty())
}

/// Everything but parts and folder.
pub(super) fn attributes_of(path: &Path, text: &str) -> Result<Faces, FilesError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .peekable();
    // The official list begins with the number of images, the one with commas does not.
    let count = lines
        .peek()
        .and_then(|(_, line)| line.trim().parse::<usize>().ok());
    if count.is_some() {
        lines.next();
    }
    let header = lines.next().map_or("", |(_, line)| line);
    let names: Vec<String> = fields(header)
        .filter(|name| *name != "image_id")
        .map(String::from)
        .collect();
    if names.is_empty() || names.len() > MOST_ATTRIBUTES {
        return Err(FilesError::content(
            path,
            format!("it names {} attributes", names.len()),
        ));
    }
    let mut faces = Faces {
        folder: PathBuf::new(),
        files: Vec::new(),
        parts: Vec::new(),
        present: Vec::new(),
        names,
    };
    for (number, line) in lines {
        let read = add(&mut faces, line);
        read.map_err(|reason| FilesError::content(path, format!("line {number}: {reason}")))?;
    }
    match count {
        Some(count) if count != faces.files.len() => {
            let reason = format!(
                "it has {} lines, and its first one says {count}: it is cut short",
                faces.files.len()
            );
            Err(FilesError::content(path, reason))
        }
        _ => Ok(faces),
    }
}

/// Adds the picture of one line: its file, then 1 or -1 for each attribute.
fn add(faces: &mut Faces, line: &str) -> Result<(), String> {
    let mut fields = fields(line);
    let file = fields.next().unwrap_or_default();
    let name = plain(file).ok_or_else(|| format!("`{file}` is no name of a picture"))?;
    faces.files.push(name);
    let before = faces.present.len();
    for field in fields {
        faces.present.push(match field {
            "1" => true,
            "-1" | "0" => false,
            other => return Err(format!("`{other}` is neither 1 nor -1")),
        });
    }
    let (got, expected) = (faces.present.len() - before, faces.names.len());
    if got != expected {
        return Err(format!("{got} values for {expected} attributes"));
    }
    Ok(())
}

pub(super) fn partition_of(path: &Path, text: &str) -> Result<HashMap<String, Part>, FilesError> {
    let mut parts = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut fields = fields(line);
        let (Some(file), Some(part)) = (fields.next(), fields.next()) else {
            continue;
        };
        let part = match part {
            "0" => Part::Train,
            "1" => Part::Valid,
            "2" => Part::Test,
            "partition" if number == 1 => continue,
            other => {
                let reason = format!("line {number}: the part is `{other}`, expected 0, 1 or 2");
                return Err(FilesError::content(path, reason));
            }
        };
        parts.insert(file.to_owned(), part);
    }
    Ok(parts)
}

/// A name without folders.
fn plain(file: &str) -> Option<String> {
    let plain = !file.is_empty() && !file.contains(['/', '\\']) && !file.starts_with('.');
    plain.then(|| file.to_owned())
}
