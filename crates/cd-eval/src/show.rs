//! What people look at.

pub mod picture;
pub mod plot;
pub mod report;
