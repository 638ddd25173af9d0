//! `--device` names: which backends this build has, and how a name becomes a [`Device`].

use burn::tensor::Device;
use thiserror::Error;

/// A device name that this build cannot serve.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// The backend is unknown, or was not compiled in.
    #[error("no device `{name}` in this build; compiled in: {}{hint}", compiled().join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What to do, ready to append.
        hint: String,
    },
    /// The part behind the colon is not an index.
    #[error("device `{name}`: `{index}` is not a device index; write for example `cuda:0`")]
    Index {
        /// What was asked for.
        name: String,
        /// The part behind the colon.
        index: String,
    },
    /// The backend takes no index, or has fewer devices.
    #[error("device `{name}`: {reason}")]
    Missing {
        /// What was asked for.
        name: String,
        /// Why there is no such device.
        reason: String,
    },
}

/// Every backend name that `--device` understands when it is compiled in, with its cargo feature.
pub const BACKENDS: [(&str, &str); 6] = [
    ("cpu", "flex"),
    ("cuda", "cuda"),
    ("vulkan", "vulkan"),
    ("metal", "metal"),
    ("wgpu", "wgpu"),
    ("rocm", "rocm"),
];

/// Names of the backends compiled into this build.
pub fn compiled() -> Vec<&'static str> {
    BACKENDS
        .iter()
        .filter(|(_, feature)| is_compiled(feature))
        .map(|(name, _)| *name)
        .collect()
}

/// The device that a command uses when none is named: the first compiled backend.
pub fn default_name() -> &'static str {
    compiled().first().copied().unwrap_or("cpu")
}

/// How many batches the device of this name computes best at the same time: one per thread on the
/// CPU, whose kernels leave threads idle on small images, one on a GPU.
pub fn workers(name: &str) -> usize {
    if name.split(':').next() != Some("cpu") {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Turns `cpu`, `cuda`, `cuda:1`, `vulkan`, `metal`, `wgpu` or `rocm:0` into a device.
///
/// # Errors
///
/// When the name is unknown, its backend not compiled in, or its index absent.
pub fn parse(name: &str) -> Result<Device, DeviceError> {
    let (backend, index) = match name.split_once(':') {
        Some((backend, index)) => {
            let parsed = index.parse::<usize>().map_err(|_| DeviceError::Index {
                name: name.to_owned(),
                index: index.to_owned(),
            })?;
            (backend, Some(parsed))
        }
        None => (name, None),
    };
    let known = BACKENDS.iter().find(|(known, _)| *known == backend);
    match known {
        Some((_, feature)) if is_compiled(feature) => open(name, backend, index),
        Some((_, feature)) => Err(DeviceError::Unknown {
            name: name.to_owned(),
            hint: format!(" (rebuild with `--features {feature}` for `{backend}`)"),
        }),
        None => Err(DeviceError::Unknown {
            name: name.to_owned(),
            hint: nearest_hint(backend),
        }),
    }
}

/// Whether tensors of `device`, with autodiff or without, lie on the CPU, where our own kernels work on them.
pub fn is_cpu(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return device.clone().without_autodiff() == Device::flex();
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}

fn nearest_hint(backend: &str) -> String {
    cd_core::names::nearest(backend, compiled())
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

fn is_compiled(feature: &str) -> bool {
    match feature {
        "flex" => cfg!(feature = "flex"),
        "cuda" => cfg!(feature = "cuda"),
        "vulkan" => cfg!(feature = "vulkan"),
        "metal" => cfg!(feature = "metal"),
        "wgpu" => cfg!(feature = "wgpu"),
        "rocm" => cfg!(feature = "rocm"),
        _ => false,
    }
}

#[allow(
    unused_variables,
    reason = "which arms exist depends on the compiled features"
)]
fn open(name: &str, backend: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    match backend {
        #[cfg(feature = "flex")]
        "cpu" => match index {
            None | Some(0) => Ok(Device::flex()),
            Some(_) => Err(DeviceError::Missing {
                name: name.to_owned(),
                reason: "the CPU is one device; write `cpu`".to_owned(),
            }),
        },
        #[cfg(feature = "cuda")]
        "cuda" => pick(name, burn::tensor::DeviceType::Cuda, index),
        #[cfg(feature = "rocm")]
        "rocm" => pick(name, burn::tensor::DeviceType::Rocm, index),
        #[cfg(feature = "vulkan")]
        "vulkan" => pick(name, burn::tensor::DeviceType::Vulkan, index),
        #[cfg(feature = "metal")]
        "metal" => pick(name, burn::tensor::DeviceType::Metal, index),
        #[cfg(feature = "wgpu")]
        "wgpu" => pick(name, burn::tensor::DeviceType::Wgpu, index),
        other => Err(DeviceError::Unknown {
            name: other.to_owned(),
            hint: String::new(),
        }),
    }
}

/// Picks from the devices that the backend finds on this machine, so that a missing driver or a
/// too large index is an error here and not a panic at the first tensor.
#[cfg(any(
    feature = "cuda",
    feature = "rocm",
    feature = "vulkan",
    feature = "metal",
    feature = "wgpu"
))]
fn pick(
    name: &str,
    kind: burn::tensor::DeviceType,
    index: Option<usize>,
) -> Result<Device, DeviceError> {
    let missing = |reason: String| DeviceError::Missing {
        name: name.to_owned(),
        reason,
    };
    // A driver that cannot be loaded panics inside the backend.
    let listed = std::panic::catch_unwind(|| Device::enumerate(kind).into_vec())
        .map_err(|_| missing("its driver could not be opened on this machine".to_owned()))?;
    let found = listed.len();
    listed
        .into_iter()
        .nth(index.unwrap_or(0))
        .ok_or_else(|| missing(format!("{found} such devices were found on this machine")))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_lists_what_is_compiled_in() {
        let error = parse("cpuu").expect_err("no such device").to_string();
        assert!(error.contains("compiled in: cpu"), "{error}");
        assert!(error.contains("did you mean `cpu`"), "{error}");
    }

    #[test]
    fn indices_are_checked() {
        assert!(parse("cpu:0").is_ok());
        assert!(matches!(parse("cpu:3"), Err(DeviceError::Missing { .. })));
        assert!(matches!(parse("cpu:x"), Err(DeviceError::Index { .. })));
    }
}
