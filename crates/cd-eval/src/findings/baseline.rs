//! An earlier scan, against which only what is new counts.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use cd_detect::Standing;

use super::{
    Findings, FindingsError, ImageFinding, SCHEMA_VERSION, Since, contents, format_error, io_error,
};

/// What an earlier scan found.
///
/// A flagged picture is known when the earlier scan flagged a picture of equal pixels under the same label. Where pixels cannot be
/// compared, because one of the scans kept no keys or read the pictures at another size, its name and label decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Content and label of flagged pictures.
    contents: HashSet<(String, String)>,
    /// Sizes at which pictures have keys.
    sizes: HashSet<String>,
    /// Name and label of flagged pictures.
    names: HashSet<(String, String)>,
    standing: Standing,
    /// Classes that stood out.
    classes: HashMap<String, Standing>,
}

impl Baseline {
    /// The findings of the run in the folder at `path`, or of the JSON file that was written for one.
    ///
    /// # Errors
    ///
    /// When there is no complete run, or the file holds other things.
    pub fn read(path: &Path) -> Result<Self, FindingsError> {
        if path.is_dir() {
            return Ok(Self::of(&Findings::read(path, path)?));
        }
        let text = fs::read_to_string(path).map_err(io_error(path))?;
        let findings: Findings = serde_json::from_str(&text).map_err(|error| {
            let reason = format!(
                "is no baseline ({error}): name the folder of a scan, or what one wrote with `--format json`"
            );
            format_error(path, reason)
        })?;
        if findings.schema_version != SCHEMA_VERSION {
            let reason = format!(
                "has version {}, and only {SCHEMA_VERSION} is supported: scan again with this program",
                findings.schema_version
            );
            return Err(format_error(path, reason));
        }
        Ok(Self::of(&findings))
    }

    /// What `findings` found.
    pub fn of(findings: &Findings) -> Self {
        let flagged = || findings.images.iter().filter(|image| image.flagged);
        let keys = |image: &ImageFinding| image.content.clone();
        let classes = findings.verdict.iter().flat_map(|verdict| &verdict.classes);
        Self {
            contents: flagged()
                .filter_map(|image| Some((keys(image)?, image.label.clone())))
                .collect(),
            sizes: findings
                .images
                .iter()
                .filter_map(|image| Some(contents::size(image.content.as_ref()?).to_owned()))
                .collect(),
            names: flagged()
                .map(|image| (image.file.clone(), image.label.clone()))
                .collect(),
            standing: findings.standing(),
            classes: classes
                .map(|class| (class.name.clone(), class.standing))
                .collect(),
        }
    }

    /// Says what of `findings` is new.
    pub(super) fn mark(&self, findings: &mut Findings) {
        for image in &mut findings.images {
            image.new = image.flagged.then(|| !self.knows(image));
        }
        let of_new = |class: &str| {
            let mut images = findings.images.iter();
            images.any(|image| image.new == Some(true) && image.label == class)
        };
        let verdict = findings.verdict.iter();
        let new: Vec<_> = verdict
            .flat_map(|verdict| &verdict.classes)
            .filter(|class| {
                let before = self.classes.get(&class.name);
                before.is_none_or(|&before| before < class.standing) || of_new(&class.name)
            })
            .collect();
        let flagged = findings
            .images
            .iter()
            .filter(|image| image.new == Some(true));
        let flagged = flagged.count();
        let whole = match findings.standing() {
            _ if findings.verdict.is_none() && flagged == 0 => Standing::Clean,
            now if findings.verdict.is_none() || now > self.standing => now,
            _ => Standing::Clean,
        };
        let worst = new.iter().map(|class| class.standing).max();
        findings.since = Some(Since {
            flagged,
            classes: new.iter().map(|class| class.name.clone()).collect(),
            standing: worst.map_or(whole, |worst| worst.max(whole)),
        });
    }

    fn knows(&self, image: &ImageFinding) -> bool {
        match &image.content {
            Some(key) if self.sizes.contains(contents::size(key)) => {
                self.contents.contains(&(key.clone(), image.label.clone()))
            }
            _ => {
                let name = (image.file.clone(), image.label.clone());
                self.names.contains(&name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ruling;
    use super::super::testing::{findings, image, verdict};
    use super::*;

    fn compared(now: &mut Findings, before: &Findings) -> Since {
        now.compare(&Baseline::of(before));
        now.since.clone().expect("compared")
    }

    #[test]
    fn the_same_scan_again_has_nothing_new() {
        let before = findings(verdict(Standing::Backdoored));
        let mut now = before.clone();
        let since = compared(&mut now, &before);
        assert_eq!((since.flagged, since.standing), (0, Standing::Clean));
        assert!(since.classes.is_empty());
        assert_eq!(now.rule(Standing::Suspicious), Ruling::Passed);
        assert!(now.images.iter().all(|image| image.new != Some(true)));
    }

    #[test]
    fn a_picture_is_known_by_content_and_label_under_any_name() {
        let before = findings(verdict(Standing::Backdoored));
        let mut now = before.clone();
        now.images[0].file = "cat/renamed.png".into();
        assert_eq!(compared(&mut now, &before).flagged, 0);
        now.images[0].label = "dog".into();
        assert_eq!(compared(&mut now, &before).flagged, 1, "another label");
        now.images[0].label = "cat".into();
        now.images[0].content = Some("2x2-other".into());
        now.images[0].file.clone_from(&before.images[0].file);
        let since = compared(&mut now, &before);
        assert_eq!(since.flagged, 1, "other pixels under the old name");
        assert_eq!(since.classes, ["cat"]);
        assert_eq!(since.standing, Standing::Backdoored);
    }

    #[test]
    fn names_decide_where_pixels_cannot_be_compared() {
        let before = findings(verdict(Standing::Backdoored));
        let mut now = before.clone();
        now.images[0].content = Some("9x9-other".into());
        assert_eq!(compared(&mut now, &before).flagged, 0, "another size");
        now.images[0].content = None;
        assert_eq!(compared(&mut now, &before).flagged, 0, "no key");
        now.images[0].file = "cat/new.png".into();
        assert_eq!(compared(&mut now, &before).flagged, 1);
    }

    #[test]
    fn what_has_become_worse_is_new() {
        let before = findings(verdict(Standing::Suspicious));
        let mut now = findings(verdict(Standing::Backdoored));
        let since = compared(&mut now, &before);
        assert_eq!((since.flagged, since.standing), (0, Standing::Backdoored));
        let mut better = before.clone();
        let since = compared(&mut better, &now);
        assert_eq!(since.standing, Standing::Clean);
    }

    #[test]
    fn without_a_verdict_new_flags_count() {
        let mut before = findings(verdict(Standing::Suspicious));
        before.verdict = None;
        let mut now = before.clone();
        assert_eq!(compared(&mut now, &before).standing, Standing::Clean);
        now.images.push(image("cat/9.png", "cat", true, "2x2-nine"));
        assert_eq!(compared(&mut now, &before).standing, Standing::Suspicious);
    }

    #[test]
    fn other_files_are_no_baseline() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("x.json");
        let read = || Baseline::read(&path).expect_err("no baseline").to_string();
        assert!(read().contains("x.json"));
        fs::write(&path, "{}").expect("written");
        assert!(read().contains("--format json"), "{}", read());
        let mut odd = findings(None);
        odd.schema_version = 7;
        let text = serde_json::to_string(&odd).expect("json");
        fs::write(&path, text).expect("written");
        assert!(read().contains("version 7"), "{}", read());
        let error = Baseline::read(folder.path())
            .expect_err("no run")
            .to_string();
        assert!(error.contains("config.toml"), "{error}");
    }
}
