//! Files that a data set is divided into, and which part each belongs to by its name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::NotRead;
use super::files::FilesError;
use super::folder::HIDDEN;
use crate::picture::kind;

/// Most files that a pattern stands for.
const MOST: usize = 100_000;
const OTHER_FILES: &str = "no shards by their endings";
const OTHER_SPLIT: &str = "shards of a split that is neither for training nor for testing";

/// A file with pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    /// Path relative to the data set, `/` between folders.
    pub(super) name: String,
}

/// The files of a data set, each list in the order of the names.
#[derive(Debug, Default)]
pub(super) struct Shards {
    pub(super) train: Vec<Shard>,
    pub(super) test: Vec<Shard>,
    pub(super) validation: Vec<Shard>,
    pub(super) not_read: NotRead,
}

/// What a name says about the use of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Train,
    Test,
    Validation,
}

/// What is looked for, for messages and by ending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) dataset: &'static str,
    pub(super) expected: &'static str,
    /// With the dot.
    pub(super) endings: &'static [&'static str],
}

impl Wanted {
    fn fits(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.endings.iter().any(|ending| name.ends_with(ending))
    }

    /// The shards at `path`: one file, a folder, or a pattern such as `train-{000..012}.tar`.
    pub(super) fn find(self, path: &Path) -> Result<Shards, FilesError> {
        let mut shards = Shards::default();
        if path.is_dir() {
            self.in_folder(path, &mut shards)?;
        } else if path.is_file() {
            shards.train.push(shard(path.into(), path.parent()));
        } else if let Some(paths) = path
            .to_str()
            .filter(|text| text.contains('{'))
            .map(expanded)
        {
            let paths = paths.map_err(|reason| FilesError::content(path, reason))?;
            shards.train = paths
                .into_iter()
                .map(|path| shard(path.clone(), path.parent()))
                .collect();
            if let Some(missing) = shards.train.iter().find(|shard| !shard.path.is_file()) {
                return Err(FilesError::Missing {
                    dataset: self.dataset,
                    path: path.into(),
                    missing: format!("`{}`", missing.path.display()),
                });
            }
        }
        self.check_series(path, &shards)?;
        if shards.train.is_empty() {
            return Err(FilesError::NotFound {
                dataset: self.dataset,
                path: path.into(),
                expected: self.expected,
            });
        }
        Ok(shards)
    }

    fn in_folder(self, root: &Path, shards: &mut Shards) -> Result<(), FilesError> {
        for entry in WalkDir::new(root).sort_by_file_name().follow_links(true) {
            let entry = entry.map_err(|error| FilesError::io(root)(error.into()))?;
            if entry.file_type().is_dir() {
                continue;
            }
            let shard = shard(entry.path().into(), Some(root));
            if shard.name.split('/').any(|part| part.starts_with('.')) {
                shards.not_read.add(HIDDEN, shard.name);
            } else if !self.fits(&shard.name) {
                shards.not_read.add(OTHER_FILES, shard.name);
            } else {
                match meant(&shard.name) {
                    Use::Train => shards.train.push(shard),
                    Use::Test => shards.test.push(shard),
                    Use::Validation => shards.validation.push(shard),
                }
            }
        }
        Ok(())
    }

    /// Fails when one of `name-00000-of-00005` is not there.
    fn check_series(self, root: &Path, shards: &Shards) -> Result<(), FilesError> {
        if !root.is_dir() {
            return Ok(());
        }
        let all = [&shards.train, &shards.test, &shards.validation];
        let mut series: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
        for shard in all.into_iter().flatten() {
            if let Some((name, number, count)) = numbered(&shard.name) {
                series.entry((name, count)).or_default().push(number);
            }
        }
        for ((name, count), numbers) in series {
            let expected: u64 = count.parse().unwrap_or(0);
            // A hostile name may claim any number of files.
            let first = (0..expected.min(MOST as u64)).find(|number| !numbers.contains(number));
            if let Some(number) = first {
                let width = count.len();
                return Err(FilesError::Missing {
                    dataset: self.dataset,
                    path: root.into(),
                    missing: format!(
                        "`{name}-{number:0width$}-of-{count}`: {} of {expected} shards are there; name a single file to read no other",
                        numbers.len()
                    ),
                });
            }
        }
        Ok(())
    }
}

impl Shards {
    /// Test shards in the order in which they are to be tried: an official test split may be without labels.
    pub(super) fn tests(&mut self) -> Vec<Vec<Shard>> {
        [&mut self.test, &mut self.validation]
            .into_iter()
            .map(std::mem::take)
            .filter(|shards| !shards.is_empty())
            .collect()
    }

    /// Notes shards of a split that is not used.
    pub(super) fn leave_out(&mut self, shards: Vec<Shard>) {
        for shard in shards {
            self.not_read.add(OTHER_SPLIT, shard.name);
        }
    }
}

fn shard(path: PathBuf, root: Option<&Path>) -> Shard {
    let below = root.and_then(|root| path.strip_prefix(root).ok());
    let parts = below
        .unwrap_or(&path)
        .iter()
        .map(|part| part.to_string_lossy());
    let name = parts.collect::<Vec<_>>().join("/");
    Shard { path, name }
}

/// What the words of a name say; training when they say nothing.
fn meant(name: &str) -> Use {
    let name = name.to_ascii_lowercase();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    // The word nearest to the end counts: `train/test-extra` is a test file.
    words
        .rev()
        .find_map(|word| match word {
            "train" | "training" => Some(Use::Train),
            "test" | "testing" => Some(Use::Test),
            "val" | "valid" | "validation" | "dev" => Some(Use::Validation),
            _ => None,
        })
        .unwrap_or(Use::Train)
}

/// `name-00003-of-00005.parquet` as its name, number and count.
fn numbered(name: &str) -> Option<(&str, u64, &str)> {
    let stem = &name[..name.rfind('/').map_or(0, |at| at + 1) + file_stem(name).len()];
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let all_digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    Some((name, number.parse().ok()?, count)).filter(|_| all_digits)
}

fn file_stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.split('.').next().unwrap_or(file)
}

/// The paths that a pattern with `{000..012}` or `{a,b}` stands for.
fn expanded(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut done = Vec::new();
    let mut waiting = vec![pattern.to_owned()];
    while let Some(next) = waiting.pop() {
        let Some((before, rest)) = next.split_once('{') else {
            done.push(PathBuf::from(next));
            continue;
        };
        let (inner, after) = rest.split_once('}').ok_or("a `{` without `}`")?;
        let choices = choices(inner)?;
        if waiting.len() + done.len() + choices.len() > MOST {
            return Err(format!("it stands for more than {MOST} files"));
        }
        waiting.extend(
            choices
                .iter()
                .rev()
                .map(|choice| format!("{before}{choice}{after}")),
        );
    }
    Ok(done)
}

fn choices(inner: &str) -> Result<Vec<String>, String> {
    let Some((from, to)) = inner.split_once("..") else {
        return Ok(inner.split(',').map(str::to_owned).collect());
    };
    let width = from.len();
    let wrong = || format!("`{{{inner}}}` is no range such as {{000..012}}");
    let [from, to]: [u64; 2] = [
        from.parse().map_err(|_| wrong())?,
        to.parse().map_err(|_| wrong())?,
    ];
    if from > to || to - from >= MOST as u64 {
        return Err(wrong());
    }
    Ok((from..=to)
        .map(|number| format!("{number:0width$}"))
        .collect())
}

/// What the file at `path` is instead of what it should be, where its first bytes tell.
pub(super) fn foreign(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    File::open(path)
        .ok()?
        .take(kind::LOOKED_AT)
        .read_to_end(&mut start)
        .ok()?;
    match &start[..] {
        [] => Some("an empty file"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("a zstd file; unpack it"),
        [b'B', b'Z', b'h', ..] => Some("a bzip2 file; unpack it"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("an xz file; unpack it"),
        start => kind::foreign(start),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;

    const WANTED: Wanted = Wanted {
        dataset: "shards",
        expected: "shards",
        endings: &[".parquet"],
    };

    fn names(shards: &[Shard]) -> Vec<&str> {
        shards.iter().map(|shard| shard.name.as_str()).collect()
    }

    #[test]
    fn names_say_what_shards_are_for() {
        let folder = tempdir().expect("scratch");
        for name in [
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
            "data/validation-00000-of-00001.parquet",
            "default/test/0000.parquet",
            "more.PARQUET",
            "README.md",
            ".cache/x.parquet",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("makes");
            fs::write(path, "x").expect("writes");
        }
        let mut shards = WANTED.find(folder.path()).expect("finds");
        assert_eq!(
            names(&shards.train),
            [
                "data/train-00000-of-00002.parquet",
                "data/train-00001-of-00002.parquet",
                "more.PARQUET",
            ]
        );
        let tests = shards.tests();
        assert_eq!(names(&tests[0]), ["default/test/0000.parquet"]);
        assert_eq!(names(&tests[1]), ["data/validation-00000-of-00001.parquet"]);
        assert_eq!(shards.not_read.lines().len(), 2);
        fs::remove_file(folder.path().join("data/train-00000-of-00002.parquet")).expect("removes");
        let error = WANTED
            .find(folder.path())
            .expect_err("incomplete")
            .to_string();
        assert!(
            error.contains("`data/train-00000-of-00002`: 1 of 2"),
            "{error}"
        );
    }

    #[test]
    fn patterns_name_every_shard() {
        let paths = |pattern| -> Vec<String> {
            let paths = expanded(pattern).expect("good");
            paths
                .iter()
                .map(|path| path.display().to_string())
                .collect()
        };
        assert_eq!(
            paths("a-{08..11}.tar"),
            ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
        );
        assert_eq!(paths("{x,y}-{0..1}"), ["x-0", "x-1", "y-0", "y-1"]);
        for wrong in [
            "a{0..",
            "{a..b}",
            "{5..1}",
            "{0..99999999}",
            "{0..999}{0..999}",
        ] {
            assert!(expanded(wrong).is_err(), "{wrong}");
        }
        let folder = tempdir().expect("scratch");
        for number in 0..3 {
            fs::write(folder.path().join(format!("a-{number}.parquet")), "x").expect("writes");
        }
        let find = |pattern| WANTED.find(&folder.path().join(pattern));
        assert_eq!(find("a-{0..2}.parquet").expect("finds").train.len(), 3);
        let error = find("a-{0..3}.parquet").expect_err("one lacks").to_string();
        assert!(error.contains("a-3.parquet"), "{error}");
        assert!(matches!(
            find("b.parquet"),
            Err(FilesError::NotFound { .. })
        ));
    }
}
