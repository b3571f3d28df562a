//! Decides what is done with every path.

pub mod decide;
pub mod decision;
pub mod guards;
pub mod planner;
pub mod source_maps;
pub mod state_after;
