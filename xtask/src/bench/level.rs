//! Instruction sets: what this machine has, and how both sides are capped to one.

/// A cap of vector instructions, by the name that `--cpu-level` takes, and what caps the peer alike.
pub(super) struct Level {
    pub(super) name: &'static str,
    peer: &'static [(&'static str, &'static str)],
}

pub(super) const LEVELS: &[Level] = &[
    Level {
        name: "avx512",
        peer: &[],
    },
    Level {
        name: "avx2",
        peer: &[
            ("ATEN_CPU_CAPABILITY", "avx2"),
            ("ONEDNN_MAX_CPU_ISA", "AVX2"),
            ("DNNL_MAX_CPU_ISA", "AVX2"),
            ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
        ],
    },
    Level {
        name: "sse",
        peer: &[
            ("ATEN_CPU_CAPABILITY", "default"),
            ("ONEDNN_MAX_CPU_ISA", "SSE41"),
            ("DNNL_MAX_CPU_ISA", "SSE41"),
            ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
        ],
    },
    Level {
        name: "neon",
        peer: &[],
    },
];

impl Level {
    /// The levels called so; without names those of the machine.
    pub(super) fn chosen(
        names: &[String],
        machine: &[String],
    ) -> anyhow::Result<Vec<&'static Self>> {
        let wanted = if names.is_empty() { machine } else { names };
        let named = |name: &String| {
            let known = LEVELS.iter().find(|level| level.name == name);
            known.ok_or_else(|| {
                let known: Vec<_> = LEVELS.iter().map(|level| level.name).collect();
                anyhow::anyhow!("there is no level `{name}`; known: {}", known.join(", "))
            })
        };
        wanted.iter().map(named).collect()
    }

    /// Environment of our side.
    pub(super) fn ours(&self) -> [(&'static str, &'static str); 1] {
        [("CD_CPU_LEVEL", self.name)]
    }

    /// Environment of PyTorch and its libraries.
    pub(super) fn theirs(&self) -> &'static [(&'static str, &'static str)] {
        self.peer
    }
}

/// The processor's own vector levels of interest, widest first.
pub(super) fn of_the_machine() -> Vec<String> {
    let flags = flags();
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    let mut levels = Vec::new();
    if has("avx512f") && has("avx512vl") && has("avx512bw") {
        levels.push("avx512");
    }
    if has("avx2") && has("fma") {
        levels.push("avx2");
    }
    if levels.is_empty() {
        levels.push(if cfg!(target_arch = "aarch64") {
            "neon"
        } else {
            "sse"
        });
    }
    levels.into_iter().map(str::to_owned).collect()
}

/// The processor's flags, where Linux tells.
fn flags() -> String {
    line_of_cpuinfo(&["flags", "Features"]).unwrap_or_default()
}

/// The processor, its cores and its vector extensions in words.
pub(super) fn machine() -> String {
    let model = line_of_cpuinfo(&["model name"])
        .unwrap_or_else(|| "a processor of unknown kind".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = |flag: &&str| {
        ["avx", "fma", "f16c", "sse4", "asimd", "sve"]
            .iter()
            .any(|kind| flag.starts_with(kind))
    };
    let flags = flags();
    let flags: Vec<&str> = flags.split_whitespace().filter(wanted).collect();
    format!("{model}, {cores} cores ({})", flags.join(" "))
}

fn line_of_cpuinfo(names: &[&str]) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        names
            .contains(&name.trim())
            .then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_named_or_all_of_the_machine() {
        let machine = ["avx512".to_owned(), "avx2".to_owned()];
        let names = |chosen: &[&str]| {
            let chosen: Vec<String> = chosen.iter().map(|&name| name.to_owned()).collect();
            let levels = Level::chosen(&chosen, &machine);
            levels.map(|levels| levels.iter().map(|level| level.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).expect("known"), ["avx512", "avx2"]);
        assert_eq!(names(&["avx2"]).expect("known"), ["avx2"]);
        let error = names(&["avx1024"]).expect_err("unknown").to_string();
        assert!(
            error.contains("`avx1024`") && error.contains("sse"),
            "{error}"
        );
        assert!(!of_the_machine().is_empty());
    }
}
