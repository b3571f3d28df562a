//! One push to one destination, from connecting to publishing.

pub mod attempt;
pub mod report;
pub mod staged;
