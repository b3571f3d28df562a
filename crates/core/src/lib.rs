//! What every part of assetsync shares.
//!
//! Pure: nothing here touches a file, a socket, the clock, the environment or a process.

pub mod text;
