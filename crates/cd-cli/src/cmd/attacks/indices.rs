//! Lists of indices that options name.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cd_data::poison::index_list;

/// The indices in all files, or nothing where there is no file.
pub(super) fn read(files: &[PathBuf]) -> Result<Option<Vec<usize>>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for file in files {
        let list = index_list(file);
        all.extend(list.with_context(|| format!("list of indices `{}`", file.display()))?);
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lists_follow_each_other_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().expect("scratch");
        let paths = ["first", "second"].map(|name| folder.path().join(name));
        fs::write(&paths[0], "3\n1").expect("writes");
        fs::write(&paths[1], "[2]").expect("writes");
        assert_eq!(read(&paths).expect("reads"), Some(vec![3, 1, 2]));
        assert_eq!(read(&[]).expect("nothing"), None);
        fs::write(&paths[1], "two").expect("writes");
        let error = format!("{:#}", read(&paths).expect_err("no number"));
        assert!(
            error.contains("second") && error.contains("`two`"),
            "{error}"
        );
    }
}
