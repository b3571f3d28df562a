//! Fixtures for tests: real programs, small enough to start hundreds of times.
//!
//! A test that pushes over a mock proves little about a push, so these are the real parts:
//!
//! - [`Sshd`]: OpenSSH on a free loopback port, with its own keys, home and configuration;
//! - [`Link`]: a forwarder in front of any port that counts bytes, limits latency and rate, and breaks on demand;
//! - [`tree`]: trees to push, and the comparison that tells whether a push was right;
//! - [`rsync`]: the real rsync, as the reference and as a competitor;
//! - [`memory`]: peak memory of a process, and a cgroup with a memory limit;
//! - [`OneName`]: a file system that ignores case and how Unicode is composed;
//! - [`rails`]: a Rails application, and a server laid out as Capistrano does it, with puma and rbenv;
//! - [`s3`]: servers of object storage, and a proxy that counts requests and lets them fail;
//! - [`corpora`]: published web bundles, for realistic measurements.
//!
//! Only tests and `xtask` depend on this crate. A missing program is an [`Error`] that names the
//! package to install.

pub mod corpora;
mod error;
mod fuse;
mod limited;
pub mod memory;
mod one_name;
pub mod rails;
pub mod rsync;
pub mod s3;
pub mod tree;

pub use assetsync_link::{Direction, Link, LinkSpec};
pub use assetsync_loopback_sshd::{Route, Sshd};
pub use error::{Error, Result};
pub use limited::{Limit, Limited};
pub use one_name::{Inodes, OneName};
