//! Decides what is done with every path.

pub mod decide;
pub mod decision;
pub mod guards;
pub mod planner;
pub mod state_after;
