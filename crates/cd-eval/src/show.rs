//! What people look at.

pub mod cure;
pub mod picture;
pub mod plot;
pub mod report;
pub mod trigger;
