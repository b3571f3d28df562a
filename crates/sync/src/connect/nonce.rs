//! Random numbers of the system.

pub use assetsync_ssh::{nonce, random};
