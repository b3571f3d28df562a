//! A throw-away OpenSSH server on loopback.
//!
//! Everything it needs is in one temporary directory: host keys, a client's key, both
//! configurations, a home for its sessions. It runs as the account that starts it, root or not. A
//! missing program is an [`Error`] that names the package to install.

mod builder;
mod config;
mod error;
mod keys;
mod launch;
mod login_script;
pub mod process;
mod route;
mod server;

pub use builder::SshdBuilder;
pub use error::{Error, Result};
pub use keys::KeyType;
pub use route::Route;
pub use server::Sshd;

#[cfg(test)]
mod tests;
