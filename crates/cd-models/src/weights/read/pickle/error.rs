//! Why a pickle cannot be read.

use std::io;

use thiserror::Error;

/// Why a pickle cannot be read.
#[derive(Debug, Error)]
pub(in crate::weights::read) enum PickleError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the pickle ends too early")]
    End,
    #[error("byte {at}: {opcode:#04x} is no instruction of a pickle")]
    Opcode { opcode: u8, at: u64 },
    #[error("byte {at}: an instruction of the pickle finds nothing that it could work on")]
    Stack { at: u64 },
    #[error("a name in the pickle is no text")]
    Text,
    #[error("the pickle unpacks to too many objects to be weights; save the `state_dict` alone")]
    TooLarge,
}
