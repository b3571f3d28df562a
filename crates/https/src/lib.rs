//! HTTP clients whose TLS is OpenSSL's on every platform.
//!
//! OpenSSL is linked for SSH already. So HTTPS adds no second TLS implementation to the program,
//! and on macOS no framework of Apple's.

mod authorities;
mod connector;
mod error;
mod transport;

use ureq::Agent;
use ureq::config::Config;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};

pub use authorities::Authorities;
pub use error::{TlsError, reason};

/// An HTTP client that takes certificates of these authorities.
pub fn agent(config: Config, authorities: Authorities, resolver: impl Resolver) -> Agent {
    let tls = connector::TlsConnector::new(authorities);
    Agent::with_parts(config, DefaultConnector::default().chain(tls), resolver)
}
