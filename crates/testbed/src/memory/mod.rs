//! What a process took, and a cgroup that kills what takes too much.

mod cgroup;
mod controller;
mod rss;

pub use cgroup::{Cgroup, Limited};
pub use rss::peak_rss_of;
