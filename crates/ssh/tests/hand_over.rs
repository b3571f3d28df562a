//! Hosts that the `ssh` program reaches and libssh2 does not: other algorithms, and passwords.

mod common;

use std::fs;

use assetsync_ssh::{NoPrompt, SshOptions, TransportError, TransportKind, connect};
use common::{Sshd, keygen};

/// Connects and runs `true`; returns how.
fn run_true(sshd: &Sshd, options: &SshOptions) -> Result<String, TransportError> {
    let connected = connect(&sshd.target(), options, &NoPrompt, "true", Ok)?;
    let exit = connected.channel.finish()?;
    assert_eq!(exit.status, Some(0), "{}: {}", connected.how, exit.stderr);
    Ok(connected.how)
}

/// One line for each kind of algorithm, of those that libssh2 does not have.
const ONLY: [&str; 3] = [
    "KexAlgorithms sntrup761x25519-sha512@openssh.com\n",
    "Ciphers aes256-ctr\nMACs umac-128-etm@openssh.com\n",
    "Ciphers aes256-ctr\nMACs umac-64@openssh.com\n",
];

#[test]
fn a_host_without_common_algorithms_is_reached_by_the_ssh_program() {
    for only in ONLY {
        let sshd = Sshd::with(only, &["ed25519"]);
        let how = run_true(&sshd, &sshd.options()).unwrap();
        assert!(how.starts_with("the ssh program, because libssh2"), "{only}: {how}");
        let chosen = Some(TransportKind::Ssh2);
        let error = run_true(&sshd, &SshOptions { transport: chosen, ..sshd.options() });
        assert!(matches!(error, Err(TransportError::Negotiation { .. })), "{only}: {error:?}");
    }
}

#[test]
fn an_unknown_host_is_refused_whatever_its_algorithms_are() {
    for only in ONLY.iter().chain(&[""]) {
        let sshd = Sshd::with(only, &["ed25519"]);
        fs::write(sshd.at("known_hosts"), "").unwrap();
        match connect(&sshd.target(), &sshd.options(), &NoPrompt, "true", Ok) {
            Err(TransportError::UnknownHostKey { .. }) => assert_eq!(*only, ""),
            Err(error) => panic!("{only}: {error}"),
            Ok(by_ssh) => {
                let exit = by_ssh.channel.finish().unwrap();
                assert_eq!(exit.status, Some(255), "{only}");
                assert!(exit.stderr.contains("Host key verification failed"), "{}", exit.stderr);
            }
        }
    }
}

/// Logging in needs something beyond the key, which only the `ssh` program can ask for.
fn asks_for_a_password(methods: &str) -> Sshd {
    let extra = format!("PasswordAuthentication yes\nAuthenticationMethods {methods}\n");
    Sshd::with(&extra, &["ed25519"])
}

#[test]
fn a_host_that_asks_for_a_password_is_left_to_the_ssh_program_if_it_may_ask() {
    for methods in ["password", "publickey,password"] {
        let sshd = asks_for_a_password(methods);
        match run_true(&sshd, &sshd.options()) {
            Err(error @ TransportError::Auth { .. }) => {
                assert!(error.to_string().contains("asks for passwords"), "{error}");
            }
            other => panic!("{methods}: {other:?}"),
        }
        // Nobody answers here: the program's own error shows that it was asked.
        let options = SshOptions { ssh_may_ask: true, ..sshd.options() };
        let by_ssh = connect(&sshd.target(), &options, &NoPrompt, "true", Ok).unwrap();
        assert!(by_ssh.how.contains("ways to log in"), "{}", by_ssh.how);
    }
}

#[test]
fn a_refused_key_alone_is_not_tried_again() {
    let sshd = Sshd::with("KbdInteractiveAuthentication no\n", &["ed25519"]);
    let stranger = keygen(&sshd.at("stranger"), "ed25519", "");
    let options = SshOptions { identities: vec![stranger], ssh_may_ask: true, ..sshd.options() };
    let error = run_true(&sshd, &options);
    assert!(matches!(error, Err(TransportError::Auth { .. })), "{error:?}");
}
