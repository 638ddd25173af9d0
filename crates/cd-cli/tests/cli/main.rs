//! The binary from outside: exit codes, messages, files.

mod common;
mod full_disk;
mod messages;
mod own_folder;
mod resume;
