//! The `cd-cli` binary that the commands drive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds the binary and says where it is.
pub(crate) fn binary() -> Result<PathBuf> {
    with_feature("flex")
}

/// The same with one more cargo feature.
pub(crate) fn with_feature(feature: &str) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "cd-cli"])
        .args(["--features", feature])
        .current_dir(crate::root())
        .status()
        .context("cargo could not be started")?;
    if !status.success() {
        bail!("cd-cli does not build");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    Ok(crate::root().join(target).join("release/cd-cli"))
}
