//! Puts TLS over connections for `https`.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslVersion};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, Either, LazyBuffers, Transport, TransportAdapter,
};

use crate::authorities::Authorities;
use crate::error::{self, TlsError};
use crate::transport::TlsTransport;

/// Puts TLS over connections for `https`, and leaves others as they are.
pub(crate) struct TlsConnector {
    authorities: Authorities,
    /// Made at the first connection, as reading all authorities takes a while.
    client: OnceLock<Result<Client, ErrorStack>>,
}

struct Client {
    connector: SslConnector,
    /// Where the trusted authorities are.
    trusted: Vec<PathBuf>,
}

impl Client {
    fn new(authorities: &Authorities) -> Result<Client, ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        let trusted = authorities.trust(&mut builder)?;
        Ok(Client { connector: builder.build(), trusted })
    }
}

impl TlsConnector {
    pub(crate) fn new(authorities: Authorities) -> TlsConnector {
        TlsConnector { authorities, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client, TlsError> {
        let client = self.client.get_or_init(|| Client::new(&self.authorities));
        client.as_ref().map_err(|error| TlsError::Setup(error.clone()))
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(below) = chained else { return Ok(None) };
        if !details.needs_tls() || below.is_tls() {
            return Ok(Some(Either::A(below)));
        }
        let client = self.client().map_err(|error| ureq::Error::Other(error.into()))?;
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let below: Box<dyn Transport> = Box::new(below);
        let mut below = TransportAdapter::new(below, details.current_time.clone());
        below.set_timeout(details.timeout);
        let stream = client.connector.connect(host, below).map_err(|error| match error {
            HandshakeError::SetupFailure(error) => {
                ureq::Error::Other(TlsError::Setup(error).into())
            }
            HandshakeError::Failure(ended) | HandshakeError::WouldBlock(ended) => {
                error::of_handshake(ended, &client.trusted)
            }
        })?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport::new(buffers, stream))))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}
