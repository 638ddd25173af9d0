//! The binary from outside: exit codes, messages, files.

mod attacks;
mod attacks_golden;
mod bench;
mod common;
mod content;
mod cure;
mod figures;
mod folders;
mod formats;
mod full_disk;
mod killed;
mod lists;
mod messages;
mod models;
mod own_folder;
mod pipeline;
mod pipeline_files;
mod planted;
mod recomputed;
mod reproduce;
mod resume;
mod sets;
mod stages;
mod together;
mod transfer;
mod weights;
