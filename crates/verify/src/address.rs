//! The address that is connected to, whatever the URL says.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// At most as many addresses of a name are tried as the result can hold.
const MOST: usize = 16;

/// Resolves every URL to one server: a name or an address, with a port if it is not the URL's.
#[derive(Debug)]
pub(crate) struct ConnectTo(pub String);

impl Resolver for ConnectTo {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let default = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("http") => 80,
            _ => 443,
        });
        let mut addresses = self.empty();
        for address in resolve(&self.0, default)?.into_iter().take(MOST) {
            addresses.push(address);
        }
        match addresses.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(addresses),
        }
    }

    fn empty(&self) -> ResolvedSocketAddrs {
        DefaultResolver::default().empty()
    }
}

/// The addresses of `NAME`, `NAME:PORT`, `[IPV6]:PORT`, or an address without a port.
fn resolve(text: &str, default: u16) -> std::io::Result<Vec<SocketAddr>> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, default)]);
    }
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let found = match has_port {
        true => text.to_socket_addrs()?,
        false => (text, default).to_socket_addrs()?,
    };
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:443"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("::1", "[::1]:443"),
            ("[::1]", "[::1]:443"),
            ("[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(resolve(text, 443).unwrap(), [address.parse::<SocketAddr>().unwrap()]);
        }
        assert!(resolve("localhost", 80).unwrap().iter().all(|address| address.port() == 80));
        assert!(resolve("localhost:81", 80).unwrap().iter().all(|address| address.port() == 81));
    }
}
