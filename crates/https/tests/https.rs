//! Promise: a client takes the certificates of the given authorities for the server that it asks,
//! and no others; and says why there is no answer.

mod server;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use assetsync_https::{Authorities, TlsError, agent, reason};
use server::{Identity, serve, serve_with};
use tempfile::TempDir;
use ureq::config::{Config, ConfigBuilder};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Proxy};

/// A file with the certificate of `identity`.
fn file_of(identity: &Identity) -> (TempDir, Authorities) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, identity.certificate.to_pem().unwrap()).unwrap();
    let authorities = Authorities::of_file(&file).unwrap();
    (folder, authorities)
}

fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().proxy(None).http_status_as_error(false)
}

fn ask_with(config: Config, authorities: Authorities, url: &str) -> Result<String, ureq::Error> {
    let agent = agent(config, authorities, DefaultResolver::default());
    agent.get(url).call()?.body_mut().read_to_string()
}

fn ask(authorities: Authorities, url: &str) -> Result<String, ureq::Error> {
    ask_with(config().build(), authorities, url)
}

/// Why a certificate was refused.
fn refusal(error: &ureq::Error) -> &'static str {
    let ureq::Error::Other(inner) = error else { panic!("{error:?}") };
    match inner.downcast_ref() {
        Some(TlsError::Certificate { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_and_addresses_of_the_certificate_are_trusted() {
    let identity = Identity::new(&["localhost"], &["127.0.0.1", "::1"]);
    let (_folder, authorities) = file_of(&identity);
    let port = serve(identity.clone(), "127.0.0.1:0");
    for host in ["localhost", "127.0.0.1"] {
        let answer = ask(authorities.clone(), &format!("https://{host}:{port}/"));
        assert_eq!(answer.unwrap(), "ok", "{host}");
    }
    let port = serve(identity, "[::1]:0");
    assert_eq!(ask(authorities, &format!("https://[::1]:{port}/")).unwrap(), "ok");
}

#[test]
fn a_certificate_for_another_server_is_refused() {
    let identity = Identity::new(&["shop.example.com"], &["127.0.0.2", "::1"]);
    let (_folder, authorities) = file_of(&identity);
    let port = serve(identity, "127.0.0.1:0");
    let error = ask(authorities.clone(), &format!("https://localhost:{port}/")).unwrap_err();
    assert_eq!(refusal(&error).to_lowercase(), "hostname mismatch");
    let error = ask(authorities, &format!("https://127.0.0.1:{port}/")).unwrap_err();
    assert_eq!(refusal(&error), "IP address mismatch");
}

#[test]
fn a_certificate_of_another_authority_is_refused_and_the_file_is_named() {
    let (folder, authorities) = file_of(&Identity::new(&["localhost"], &[]));
    let port = serve(Identity::new(&["localhost"], &[]), "127.0.0.1:0");
    let url = format!("https://localhost:{port}/");
    let error = ask(authorities, &url).unwrap_err();
    assert!(refusal(&error).contains("self"), "{error}");
    let file = folder.path().join("ca.pem");
    let text = reason(&error);
    assert!(text.starts_with("the server's certificate was refused: self"), "{text}");
    let named = format!("(the trusted authorities are those in {})", file.display());
    assert!(text.ends_with(&named), "{text}");
    // Nor does the system know it.
    refusal(&ask(Authorities::System, &url).unwrap_err());
}

#[test]
fn an_expired_certificate_is_refused() {
    let identity = Identity::expired(&["localhost"]);
    let (_folder, authorities) = file_of(&identity);
    let port = serve(identity, "127.0.0.1:0");
    let error = ask(authorities, &format!("https://localhost:{port}/")).unwrap_err();
    assert_eq!(refusal(&error), "certificate has expired");
}

/// Gives every connection to `answer`.
fn listen(answer: impl Fn(TcpStream) -> io::Result<()> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap());
        }
    });
    port
}

#[test]
fn a_server_without_tls_is_said_to_have_none() {
    let port = listen(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = ask(Authorities::System, &format!("https://127.0.0.1:{port}/")).unwrap_err();
    let text = reason(&error);
    assert!(text.starts_with("the TLS handshake failed: "), "{text}");
    assert!(!text.contains(".c:"), "no source files of OpenSSL: {text}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (keep, kept) = std::sync::mpsc::channel();
    let port = listen(move |stream| keep.send(stream).map_err(io::Error::other));
    let config = config().timeout_connect(Some(Duration::from_millis(50))).build();
    let url = format!("https://127.0.0.1:{port}/");
    let error = ask_with(config, Authorities::System, &url).unwrap_err();
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");
    drop(kept);
}

#[test]
fn an_answer_that_ends_early_is_an_error() {
    let identity = Identity::new(&["localhost"], &[]);
    let (_folder, authorities) = file_of(&identity);
    let port =
        serve_with(identity, "127.0.0.1:0", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    assert!(ask(authorities, &format!("https://localhost:{port}/")).is_err());
}

/// A proxy that connects to whatever it is asked for, and the first line of what it is asked.
fn proxy(asked: std::sync::mpsc::Sender<String>) -> u16 {
    listen(move |mut client| {
        let mut lines = BufReader::new(client.try_clone()?).lines();
        let line = lines.next().unwrap()?;
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let server = TcpStream::connect(line.split(' ').nth(1).unwrap())?;
        asked.send(line).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || io::copy(&mut from_client, &mut to_server));
        io::copy(&mut &server, &mut client).map(drop)
    })
}

#[test]
fn through_a_proxy_the_certificate_is_that_of_the_server() {
    let identity = Identity::new(&["localhost"], &[]);
    let (_folder, authorities) = file_of(&identity);
    let port = serve(identity, "127.0.0.1:0");
    let (asked, lines) = std::sync::mpsc::channel();
    let proxy = Proxy::new(&format!("http://127.0.0.1:{}", proxy(asked))).unwrap();
    let config = config().proxy(Some(proxy)).build();
    let answer = ask_with(config, authorities, &format!("https://localhost:{port}/"));
    assert_eq!(answer.unwrap(), "ok");
    assert_eq!(lines.recv().unwrap(), format!("CONNECT localhost:{port} HTTP/1.1"));
}

#[test]
fn what_has_no_certificates_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let error = |path: &Path| Authorities::of_file(path).unwrap_err();
    let missing = error(&file);
    assert!(missing.starts_with("can't read the certificate authorities in "), "{missing}");
    std::fs::write(&file, "no certificate").unwrap();
    assert_eq!(error(&file), format!("there is no certificate in {}", file.display()));
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert!(error(&file).contains("ca.pem: "), "{}", error(&file));
}
