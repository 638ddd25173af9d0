//! State dicts wrapped in other things.

use super::state::StateDict;

/// Nests that public checkpoints wrap around a state dict.
const NESTS: [&str; 5] = ["model_state_dict", "state_dict", "netC", "model", "net"];

/// Strips nests and the `module.` prefix; what lies outside the nest (optimiser state) is left.
pub(super) fn unnest(state: StateDict) -> StateDict {
    /// A checkpoint of a wrapped model has two.
    const DEEPEST: usize = 3;
    (0..DEEPEST).fold(state, |state, _| strip_nest(state))
}

fn strip_nest(state: StateDict) -> StateDict {
    let nest = NESTS.iter().map(|nest| format!("{nest}.")).find(|prefix| {
        state
            .iter()
            .any(|(name, _)| name.starts_with(prefix.as_str()))
    });
    let state = match nest {
        Some(prefix) => state.under(&prefix),
        None => state,
    };
    state.renamed(|name| name.strip_prefix("module.").unwrap_or(name).to_owned())
}
