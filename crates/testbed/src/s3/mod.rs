//! Real servers of object storage, and what tests ask of them.
//!
//! [`S3Server`] is SeaweedFS, which checks signatures, checksums and conditions, or moto, which
//! checks less. `scripts/test-deps` installs both. Whoever asks without a signature may do
//! anything: so tests look at objects by plain HTTP.

mod http;
mod proxy;
mod server;

pub use http::{Reply, ask};
pub use proxy::{HttpProxy, Verdict};
pub use server::{KEY, S3Kind, S3Server, SECRET};
