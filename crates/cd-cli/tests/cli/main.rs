//! The binary from outside: exit codes, messages, files.

mod common;
mod messages;
mod own_folder;
mod resume;
