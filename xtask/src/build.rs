//! The `cd-cli` binary that the commands drive.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds the binary with the backends of `devices` and says where it is.
pub(crate) fn binary(devices: &[&str]) -> Result<PathBuf> {
    let features: Vec<String> = devices.iter().map(|d| feature(d)).collect::<Result<_>>()?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "cd-cli"])
        .args(["--features", &features.join(",")])
        .current_dir(crate::root())
        .status()
        .context("cargo could not be started")?;
    if !status.success() {
        bail!(
            "cd-cli does not build with the features {}",
            features.join(", ")
        );
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    Ok(crate::root().join(target).join("release/cd-cli"))
}

/// The cargo feature of a device's backend, as cd-cli declares it: `cpu` is `flex`, all others are called like their
/// device.
pub(crate) fn feature(device: &str) -> Result<String> {
    let backend = device.split(':').next().unwrap_or(device);
    let known = features()?;
    let wanted = if backend == CPU.0 { CPU.1 } else { backend };
    if backend != CPU.1 && known.iter().any(|feature| feature == wanted) {
        return Ok(wanted.to_owned());
    }
    let devices = known.iter().map(String::as_str);
    let devices = devices.map(|feature| if feature == CPU.1 { CPU.0 } else { feature });
    let devices: Vec<&str> = devices.collect();
    bail!(
        "there is no device `{device}`; known: {}",
        devices.join(", ")
    )
}

/// The one device whose feature has another name.
const CPU: (&str, &str) = ("cpu", "flex");

/// The backends that cd-cli can be built with.
fn features() -> Result<Vec<String>> {
    let path = crate::root().join("crates/cd-cli/Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: toml::Table =
        toml::from_str(&text).with_context(|| path.display().to_string())?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.with_context(|| format!("{} has no features", path.display()))?;
    // `tuned` goes beside a backend.
    let names = features
        .keys()
        .filter(|name| !["default", "tuned"].contains(&name.as_str()));
    Ok(names.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_name_their_feature() {
        for (device, expected) in [("cpu", "flex"), ("cuda:1", "cuda"), ("vulkan", "vulkan")] {
            assert_eq!(feature(device).expect("known"), expected);
        }
        for unknown in ["gpu", "flex", "default", ""] {
            let error = feature(unknown).expect_err("unknown").to_string();
            assert!(error.contains(&format!("`{unknown}`")), "{error}");
            assert!(error.contains("cpu") && error.contains("rocm"), "{error}");
        }
    }

    /// The names that cd-cli takes for its devices and the features that it says they need.
    #[test]
    fn features_are_those_of_the_device_names() {
        let source = crate::root().join("crates/cd-models/src/device.rs");
        let source = fs::read_to_string(source).expect("part of the repository");
        for name in features().expect("readable") {
            let device = if name == CPU.1 { CPU.0 } else { &name };
            let pair = format!("(\"{device}\", \"{name}\")");
            assert!(source.contains(&pair), "{pair}");
        }
    }
}
