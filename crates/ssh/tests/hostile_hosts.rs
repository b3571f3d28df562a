//! Hosts that flood, trickle, stall or close before anybody is logged in: each ends as an error,
//! with a bound on bytes and on time.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use assetsync_ssh::{NoPrompt, Phase, SshOptions, TransportError, TransportKind, connect};
use common::Sshd;

const LIMIT: Duration = Duration::from_millis(700);
/// For what ends without it.
const LONG: Duration = Duration::from_secs(120);
const BANNER: &[u8] = b"SSH-2.0-hostile\r\n";

/// The error of connecting to a host that serves the connection by `serve`. Whatever that still
/// does then is not waited for: a system may go on for minutes to offer bytes to who has left.
fn refusal(limit: Duration, serve: impl FnOnce(TcpStream) + Send + 'static) -> TransportError {
    let sshd = Sshd::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    let mut target = sshd.target();
    target.port = Some(port);
    let options = SshOptions {
        transport: Some(TransportKind::Ssh2),
        connect_timeout: Some(limit),
        ..sshd.options()
    };
    connect(&target, &options, &NoPrompt, "true", Ok).unwrap_err()
}

/// Sends `start`, then `piece` for ever, until the client has closed.
fn flood(mut client: TcpStream, start: &[u8], piece: &[u8], pause: Duration) {
    let mut next = start;
    while client.write_all(next).is_ok() {
        next = piece;
        if piece.is_empty() {
            let _ = client.read_to_end(&mut Vec::new());
            break;
        }
        thread::sleep(pause);
    }
}

fn assert_timed_out(error: &TransportError, phase: Phase, what: &str) {
    let timed_out = matches!(error, TransportError::Timeout { phase: at, .. } if *at == phase);
    assert!(timed_out, "{what}: {error:?}");
}

#[test]
fn a_host_that_floods_is_left_after_a_few_kilobytes() {
    for piece in [&[b'x'; 4096][..], &[b'\n'; 4096], b"no banner\r\n"] {
        let piece = piece.to_vec();
        let error = refusal(LONG, move |client| flood(client, b"", &piece, Duration::ZERO));
        let text = error.to_string();
        assert!(text.contains("it sends no SSH banner"), "{text}");
    }
}

#[test]
fn a_host_that_never_ends_its_banner_is_left() {
    let error = refusal(LONG, |client| flood(client, b"SSH-2.0-", b"xxxxxxxx", Duration::ZERO));
    assert!(!error.is_busy() && error.to_string().contains("(the handshake)"), "{error}");
}

#[test]
fn a_host_that_trickles_is_left_at_the_deadline() {
    let pause = Duration::from_millis(5);
    for (start, piece) in [
        (&b""[..], &b"x"[..]),
        (b"SS", b""),
        (b"S", b"S"),
        (b"SSH-2.0-x", b""),
        // A packet that grows byte by byte.
        (b"SSH-2.0-x\r\n\0\0\x7f\0", b"\0"),
    ] {
        let error = refusal(LIMIT, move |client| flood(client, start, piece, pause));
        assert_timed_out(&error, Phase::Handshake, &format!("{start:?} {piece:?}"));
    }
}

#[test]
fn a_host_that_floods_the_key_exchange_is_left_at_the_deadline() {
    // SSH_MSG_IGNORE without a text, as often as it goes.
    let ignore = [0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let packets = ignore.repeat(1000);
    let error = refusal(LIMIT, move |client| flood(client, BANNER, &packets, Duration::ZERO));
    assert_timed_out(&error, Phase::Handshake, "ignored packets");
}

#[test]
fn a_host_that_is_silent_or_closes_is_named() {
    for start in [&b""[..], BANNER] {
        let error = refusal(LIMIT, move |mut client| {
            client.write_all(start).unwrap();
            let mut sink = Vec::new();
            let _ = client.read_to_end(&mut sink);
        });
        assert_timed_out(&error, Phase::Handshake, "silent");
    }
    let error = refusal(LONG, |mut client| {
        client.write_all(BANNER).unwrap();
    });
    assert!(!error.is_busy() && error.to_string().contains("(the handshake)"), "{error}");
}

#[test]
fn a_host_that_stalls_the_login_is_left_at_the_deadline() {
    let settings = "AuthorizedKeysCommand /bin/sleep 30\nAuthorizedKeysCommandUser root\n";
    let sshd = Sshd::with(settings, &["ed25519"]);
    std::fs::write(sshd.at("authorized"), "").unwrap();
    let options = SshOptions {
        transport: Some(TransportKind::Ssh2),
        connect_timeout: Some(Duration::from_secs(2)),
        ..sshd.options()
    };
    let error = connect(&sshd.target(), &options, &NoPrompt, "true", Ok).unwrap_err();
    assert_timed_out(&error, Phase::Login, "login");
}

#[test]
fn a_host_may_say_something_before_its_banner() {
    let sshd = Sshd::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), sshd.port);
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        client.write_all(b"Welcome\r\nSSH is next\nSS\n").unwrap();
        let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut back));
        let _ = std::io::copy(&mut server, &mut client);
    });
    let line = sshd.known_line("ed25519").replace(&sshd.port.to_string(), &port.to_string());
    std::fs::write(sshd.at("known_hosts"), line).unwrap();
    let mut target = sshd.target();
    target.port = Some(port);
    let connected = connect(&target, &sshd.options(), &NoPrompt, "true", Ok).unwrap();
    assert!(connected.how.starts_with("libssh2"), "{}", connected.how);
    assert_eq!(connected.channel.finish().unwrap().status, Some(0));
}

#[test]
fn the_time_limit_of_ssh_config_counts_unless_another_is_given() {
    let sshd = Sshd::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = sshd.target();
    target.port = Some(silent.local_addr().unwrap().port());
    std::fs::write(sshd.at("ssh_config"), sshd.config("ConnectTimeout 1\n")).unwrap();
    for (given, expected) in [(None, Duration::from_secs(1)), (Some(LIMIT), LIMIT)] {
        let options = SshOptions { connect_timeout: given, ..sshd.options() };
        let error = connect(&target, &options, &NoPrompt, "true", Ok).unwrap_err();
        let TransportError::Timeout { after, .. } = error else { panic!("{error}") };
        assert_eq!(after, expected);
    }
}
