//! The binary from outside: exit codes, messages, files.

mod bench;
mod common;
mod folders;
mod full_disk;
mod lists;
mod messages;
mod models;
mod own_folder;
mod reproduce;
mod resume;
mod stages;
