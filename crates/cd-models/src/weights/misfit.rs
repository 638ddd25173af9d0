//! Why weights do not fit a network.

use thiserror::Error;

/// Weights that do not fit a network.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("the weights do not fit {network}: {}", list(.missing, .extra, .misshaped))]
pub struct StateError {
    /// The network that was to be filled.
    pub network: String,
    /// Parameters of the network that the weights lack.
    pub missing: Vec<String>,
    /// Weights that the network has no place for.
    pub extra: Vec<String>,
    /// Weights of another shape: name, expected, got.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

fn list(
    missing: &[String],
    extra: &[String],
    misshaped: &[(String, Vec<usize>, Vec<usize>)],
) -> String {
    let shapes: Vec<String> = misshaped
        .iter()
        .map(|(name, expected, got)| format!("{name} is {got:?}, expected {expected:?}"))
        .collect();
    [
        ("missing", missing),
        ("unexpected", extra),
        ("of another shape", &shapes),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(kind, names)| format!("{} {kind} ({})", names.len(), first(names)))
    .collect::<Vec<_>>()
    .join("; ")
}

fn first(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
