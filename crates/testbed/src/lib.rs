//! Real parts for tests and benchmarks: a throw-away sshd, a link, trees and referees.
//!
//! A test that pushes over a mock proves little about a push. What is here is the real thing,
//! made small enough to start hundreds of times:
//!
//! - [`Sshd`]: OpenSSH on a free loopback port, with its own keys, home and configuration;
//! - [`Link`]: a forwarder in front of any port that counts bytes, limits latency and rate, and breaks
//!   on demand, from its own crate;
//! - [`tree`]: trees to push, and the comparison that says whether a push was right;
//! - [`rsync`]: the real rsync, as referee and as rival;
//! - [`memory`]: what a process took, and a cgroup that kills what takes too much;
//! - [`rails`]: a Rails application, and a server laid out as Capistrano does it, with puma and rbenv;
//! - [`corpora`]: published web bundles, for measurements that are about something.
//!
//! What a machine lacks is an [`Error`] that names the package to install.

pub mod corpora;
mod error;
pub mod memory;
mod process;
pub mod rails;
pub mod rsync;
pub mod sshd;
pub mod tree;

pub use assetsync_link::{Counts, Direction, Link, LinkSpec};
pub use error::{Error, Result};
pub use process::find;
pub use sshd::{Route, Sshd};
