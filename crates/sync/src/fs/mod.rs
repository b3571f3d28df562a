//! The destination's file system: the only place where the agent touches it.

pub mod alias;
pub mod asides;
pub mod clone;
pub mod exchange;
pub mod history;
pub mod index;
pub mod preflight;
pub mod publish;
pub mod record;
pub mod scan;
pub mod spool;
pub mod stage;
pub mod tree;
pub mod work;
