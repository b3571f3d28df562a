//! Requests to a server: signed, sent, and sent again.

pub mod client;
pub mod error;
pub mod sign;
pub mod xml;
