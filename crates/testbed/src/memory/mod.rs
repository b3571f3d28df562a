//! Peak memory of a process, and a cgroup with a memory limit.

mod cgroup;
mod controller;
mod rss;

pub use cgroup::{Cgroup, Limited};
pub use rss::peak_rss_of;
