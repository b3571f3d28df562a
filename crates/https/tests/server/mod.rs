//! A server with TLS on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// A certificate that is its own authority, and its key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    key: PKey<Private>,
}

impl Identity {
    /// One that is valid now, for these names and addresses.
    pub fn new(names: &[&str], addresses: &[&str]) -> Identity {
        Identity::until(names, addresses, &Asn1Time::days_from_now(2).unwrap())
    }

    /// One that is valid no more.
    pub fn expired(names: &[&str]) -> Identity {
        Identity::until(names, &[], &Asn1Time::from_unix(86_400).unwrap())
    }

    fn until(names: &[&str], addresses: &[&str], end: &Asn1Time) -> Identity {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, "server").unwrap();
        let subject = subject.build();
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            alternatives.dns(name);
        }
        for address in addresses {
            alternatives.ip(address);
        }
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(&subject).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(end).unwrap();
        let alternatives = alternatives.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(alternatives).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Identity { certificate: builder.build(), key }
    }
}

/// Answers every request with `ok`; returns the port.
pub fn serve(identity: Identity, address: &str) -> u16 {
    serve_with(identity, address, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

/// Answers every request with `answer`, and ends the connection; returns the port.
pub fn serve_with(identity: Identity, address: &str, answer: &'static [u8]) -> u16 {
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&identity.certificate).unwrap();
    acceptor.set_private_key(&identity.key).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that refuses the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else { continue };
            let mut lines = BufReader::new(&mut stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = stream.write_all(answer);
            let _ = stream.shutdown();
        }
    });
    port
}
