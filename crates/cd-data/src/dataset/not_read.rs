//! What a data set left out, and why.

use std::borrow::Cow;

/// How many files a line names.
const NAMED: usize = 3;

/// Files that lie where the pictures were looked for and were not read, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotRead {
    groups: Vec<LeftOut>,
}

/// Files that were not read for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Why, in words that follow "not read:".
    pub reason: Cow<'static, str>,
    /// Their names, relative to the data set where they lie in it.
    pub files: Vec<String>,
}

impl NotRead {
    /// Adds a file.
    pub fn add(&mut self, reason: impl Into<Cow<'static, str>>, file: String) {
        self.add_all(reason.into(), vec![file]);
    }

    /// Adds what another part of the data set left out.
    pub fn append(&mut self, other: Self) {
        for group in other.groups {
            self.add_all(group.reason, group.files);
        }
    }

    fn add_all(&mut self, reason: Cow<'static, str>, files: Vec<String>) {
        match self.groups.iter_mut().find(|group| group.reason == reason) {
            Some(group) => group.files.extend(files),
            None => self.groups.push(LeftOut { reason, files }),
        }
    }

    /// Forgets the files that are not to be kept, for what belongs to a layout.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        for group in &mut self.groups {
            group.files.retain(|file| keep(file));
        }
        self.groups.retain(|group| !group.files.is_empty());
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The reasons with their files, in the order in which they came up.
    pub fn groups(&self) -> &[LeftOut] {
        &self.groups
    }

    /// One line for each reason: how many files, why, and the first of them.
    pub fn lines(&self) -> Vec<String> {
        self.groups.iter().map(LeftOut::line).collect()
    }
}

impl LeftOut {
    fn line(&self) -> String {
        let count = self.files.len();
        let files = if count == 1 { "file" } else { "files" };
        // A name may hold line breaks, and a line is one line.
        let named: Vec<String> = self
            .files
            .iter()
            .take(NAMED)
            .map(|file| format!("{file:?}"))
            .collect();
        let more = match count.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "{count} {files} not read: {} ({}{more})",
            self.reason,
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_by_reason_and_the_first_are_named() {
        let mut not_read = NotRead::default();
        assert!(not_read.is_empty());
        for number in 0..5 {
            not_read.add("hidden", format!(".{number}.png"));
        }
        let mut other = NotRead::default();
        other.add("no pictures", "two\nlines.txt".into());
        other.add("hidden", ".5.png".into());
        not_read.append(other);
        assert_eq!(
            not_read.lines(),
            [
                r#"6 files not read: hidden (".0.png", ".1.png", ".2.png" and 3 more)"#,
                r#"1 file not read: no pictures ("two\nlines.txt")"#,
            ]
        );
        not_read.retain(|file| file == ".3.png");
        assert_eq!(not_read.lines(), [r#"1 file not read: hidden (".3.png")"#]);
    }
}
