//! The instruction set of our CPU kernels, for programs that show it or let it be chosen.

use thiserror::Error;

/// An instruction set that cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{0}")]
pub struct CpuLevelError(String);

/// Environment variable that caps the instruction set of a process.
pub const VARIABLE: &str = "CD_CPU_LEVEL";

/// Names of the instruction sets that this machine has and our kernels know, the widest first; none in builds without
/// the CPU backend.
pub fn available() -> Vec<&'static str> {
    #[cfg(feature = "flex")]
    return cd_conv::Level::available()
        .into_iter()
        .map(cd_conv::Level::name)
        .collect();
    #[cfg(not(feature = "flex"))]
    Vec::new()
}

/// The one that the kernels of this process use; `none` in builds without the CPU backend.
pub fn current() -> &'static str {
    #[cfg(feature = "flex")]
    return cd_conv::level().name();
    #[cfg(not(feature = "flex"))]
    "none"
}

/// Has the kernels of this process use the instruction set of this name: `avx512`, `avx2`, `sse`, `neon` or `scalar`. Burn's
/// own matrix product, which serves fully connected layers, chooses by itself.
///
/// # Errors
///
/// When there is none of this name, the machine lacks it, or the build has no CPU backend.
pub fn set(name: &str) -> Result<(), CpuLevelError> {
    #[cfg(feature = "flex")]
    return name
        .parse()
        .and_then(cd_conv::set_level)
        .map_err(|error| CpuLevelError(error.to_string()));
    #[cfg(not(feature = "flex"))]
    Err(CpuLevelError(format!(
        "instruction set `{name}`: this build has no CPU backend; rebuild with `--features flex`"
    )))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn the_current_one_is_available_and_a_wrong_name_lists_them() {
        assert!(available().contains(&current()));
        let error = set("mmx").expect_err("no such set").to_string();
        assert!(
            error.contains("`mmx`") && error.contains("scalar"),
            "{error}"
        );
        assert_eq!(VARIABLE, cd_conv::LEVEL_VARIABLE);
    }
}
