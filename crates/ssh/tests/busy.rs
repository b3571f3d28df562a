//! Servers that let few log in at a time: everybody gets through, by every way.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use assetsync_ssh::sftp::{SftpOpenError, sftp_session};
use assetsync_ssh::{
    Channel, Connected, NoPrompt, SshOptions, TimedReader, TransportError, TransportKind, connect,
};
use common::Sshd;

const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(300);

fn strict() -> Vec<Sshd> {
    let settings = ["MaxStartups 1:100:1\n", "PerSourceMaxStartups 1\n"];
    let start =
        |setting| Sshd::with(&format!("{setting}Subsystem sftp internal-sftp\n"), &["ed25519"]);
    settings.map(start).into()
}

fn way(sshd: &Sshd, transport: TransportKind) -> SshOptions {
    SshOptions { transport: Some(transport), ..sshd.options() }
}

/// The command's complete output.
fn printed(connected: Connected) -> Result<String, TransportError> {
    let Channel { reader, writer, end } = connected.channel;
    drop(writer);
    let (mut text, host) = (String::new(), end.host().to_owned());
    let mut reader = TimedReader::new(reader, PATIENCE).unwrap();
    reader.read_to_string(&mut text).unwrap();
    let exit = end.finish()?;
    match exit.is_before_login() {
        true => Err(TransportError::Busy { host, said: exit.stderr }),
        false => Ok(text),
    }
}

#[test]
fn all_get_through_to_a_server_that_lets_one_in_at_a_time() {
    for sshd in strict() {
        for transport in [TransportKind::Ssh2, TransportKind::OpenSsh] {
            let options = &way(&sshd, transport);
            let run = || connect(&sshd.target(), options, &NoPrompt, "echo in", printed);
            let said = all(run);
            assert!(
                said.iter().all(|said| said.as_deref().is_ok_and(|said| said == "in\n")),
                "{said:?}"
            );
        }
        for transport in [TransportKind::Sftp, TransportKind::OpenSsh] {
            let options = &way(&sshd, transport);
            let opened = all(|| sftp_session(&sshd.target(), options, &NoPrompt).map(drop));
            assert!(opened.iter().all(Result::is_ok), "{opened:?}");
        }
    }
}

fn all<R: Send>(run: impl Fn() -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(&run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_server_that_stays_busy_is_named_after_a_few_tries() {
    let sshd = Sshd::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let counted = thread::spawn(move || {
        // Whoever connects is sent away; the last one is this test itself.
        let mut clients = 0;
        for client in listener.incoming() {
            clients += 1;
            drop(client);
            if clients == 15 {
                return;
            }
        }
    });
    let mut target = sshd.target();
    target.port = Some(port);
    let fails = |transport| {
        let options = way(&sshd, transport);
        connect(&target, &options, &NoPrompt, "true", printed).unwrap_err()
    };
    let fails = &fails;
    let errors = thread::scope(|scope| {
        [TransportKind::Ssh2, TransportKind::OpenSsh]
            .map(|transport| scope.spawn(move || fails(transport)))
            .map(|thread| thread.join().unwrap())
    });
    for error in errors {
        let text = error.to_string();
        assert!(error.is_busy() && text.contains("7 times"), "{text}");
    }
    drop(std::net::TcpStream::connect(("127.0.0.1", port)));
    counted.join().unwrap();
}

#[test]
fn a_host_that_refuses_the_key_is_tried_once() {
    let sshd = Sshd::start();
    std::fs::write(sshd.at("authorized"), "").unwrap();
    let mut tries = 0;
    let options = way(&sshd, TransportKind::OpenSsh);
    let ended = connect(&sshd.target(), &options, &NoPrompt, "true", |connected| {
        tries += 1;
        printed(connected)
    });
    assert_eq!(ended.unwrap(), "");
    assert_eq!(tries, 1);
    let error = sftp_session(&sshd.target(), &sshd.options(), &NoPrompt).map(drop).unwrap_err();
    assert!(matches!(error, SftpOpenError::Transport(TransportError::Auth { .. })), "{error}");
}
