//! Which of the tensors of a file are the network, and what becomes of the others.
//!
//! A network is found by its first layer under any name in front, so wrappers need no list. What was saved as one thing with it
//! is its input normalisation, a counter, or a reason to refuse; what stands elsewhere in the file is left out and said.

mod beside;
mod choose;
mod names;
mod network;
mod networks;

pub(super) use beside::Beside;
pub(super) use choose::{Choice, Problem, choose};
pub(super) use names::Names;
pub(super) use network::Wanted;
pub(super) use networks::networks;
