//! The user's ssh_config binds libssh2, too: what a real sshd agreed on says its log.

mod common;

use std::fs;
use std::process::Command;

use assetsync_ssh::{NoPrompt, SshOptions, TransportError, connect};
use common::{Sshd, keygen};

fn sshd() -> Sshd {
    Sshd::with("LogLevel DEBUG1\n", &["ed25519", "ecdsa", "rsa"])
}

/// Connects with these lines in ssh_config; returns how, and what sshd logged of it.
fn agreed(
    sshd: &Sshd,
    lines: &str,
    options: &SshOptions,
) -> Result<(String, String), TransportError> {
    fs::write(sshd.at("ssh_config"), sshd.config(lines)).unwrap();
    let before = log(sshd).len();
    let connected = connect(&sshd.target(), options, &NoPrompt, "true", Ok)?;
    let exit = connected.channel.finish()?;
    assert_eq!(exit.status, Some(0), "{lines}: {}", exit.stderr);
    Ok((connected.how, log(sshd)[before..].to_owned()))
}

fn log(sshd: &Sshd) -> String {
    fs::read_to_string(sshd.at("sshd.log")).unwrap()
}

#[test]
fn libssh2_agrees_only_on_what_ssh_config_allows() {
    let sshd = sshd();
    sshd.trust(&["ed25519", "ecdsa", "rsa"]);
    for (lines, expected) in [
        ("Ciphers aes256-ctr\n", "kex: client->server cipher: aes256-ctr"),
        ("Ciphers aes192-ctr,aes128-ctr\n", "kex: server->client cipher: aes192-ctr"),
        ("KexAlgorithms ecdh-sha2-nistp384\n", "kex: algorithm: ecdh-sha2-nistp384"),
        ("Ciphers aes128-ctr\nMACs hmac-sha2-512\n", "MAC: hmac-sha2-512 "),
        ("HostKeyAlgorithms ecdsa-sha2-nistp256\n", "kex: host key algorithm: ecdsa-sha2-nistp256"),
        ("HostKeyAlgorithms rsa-sha2-256\n", "kex: host key algorithm: rsa-sha2-256"),
        ("PreferredAuthentications publickey\n", "Accepted publickey for root"),
        ("PreferredAuthentications gssapi-with-mic,publickey,password\n", "Accepted publickey"),
    ] {
        let (how, log) = agreed(&sshd, lines, &sshd.options()).unwrap();
        assert!(how.starts_with("libssh2"), "{lines}: {how}");
        assert!(log.contains(expected), "{lines}: {log}");
    }
}

#[test]
fn what_libssh2_can_not_follow_is_left_to_the_ssh_program() {
    let sshd = sshd();
    for (lines, expected) in [
        ("Ciphers aes128-ctr\nMACs umac-64@openssh.com\n", "MACs"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com\n", "KexAlgorithms"),
        ("PreferredAuthentications password,publickey\n", "preferredauthentications"),
        ("PreferredAuthentications keyboard-interactive,publickey\n", "preferredauthentications"),
        ("RequiredRSASize 2048\n", "requiredrsasize"),
        ("HostbasedAuthentication yes\n", "hostbasedauthentication"),
    ] {
        let (how, _) = agreed(&sshd, lines, &sshd.options()).unwrap();
        let is_by_ssh = how.starts_with("the ssh program, because") && how.contains(expected);
        assert!(is_by_ssh, "{lines}: {how}");
    }
}

#[test]
fn keys_that_ssh_config_does_not_allow_are_not_offered() {
    let sshd = sshd();
    let key = keygen(&sshd.at("rsa_user"), "rsa", "");
    fs::copy(sshd.at("rsa_user.pub"), sshd.at("authorized")).unwrap();
    let options = SshOptions { identities: vec![key], ..sshd.options() };
    let before = log(&sshd).len();
    let error = agreed(&sshd, "PubkeyAcceptedAlgorithms ssh-ed25519\n", &options).unwrap_err();
    assert!(matches!(error, TransportError::Auth { .. }), "{error}");
    assert!(error.to_string().contains("PubkeyAcceptedAlgorithms does not allow it"), "{error}");
    assert!(!log(&sshd)[before..].contains("publickey for root"), "{}", log(&sshd));
    for algorithm in ["rsa-sha2-512", "rsa-sha2-256"] {
        let lines = format!("PubkeyAcceptedAlgorithms ssh-ed25519,{algorithm}\n");
        let (how, _) = agreed(&sshd, &lines, &options).unwrap();
        assert!(how.starts_with("libssh2"), "{how}");
    }
}

#[test]
fn an_authority_for_the_plain_name_counts_on_any_port() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (ca, key) = (keygen(&at("ca"), "ed25519", ""), keygen(&at("key"), "ed25519", ""));
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-h", "-I", "id", "-n", "127.0.0.1", "-s"]).arg(ca);
    assert!(sign.arg(at("key.pub")).status().unwrap().success());
    let (key, certificate) = (key.display(), at("key-cert.pub").display().to_string());
    let extra = format!("HostKey {key}\nHostCertificate {certificate}\n");
    let sshd = Sshd::with(&extra, &["ed25519"]);
    let authority = fs::read_to_string(at("ca.pub")).unwrap();
    fs::write(sshd.at("known_hosts"), format!("@cert-authority 127.0.0.1 {authority}")).unwrap();
    let connected = connect(&sshd.target(), &sshd.options(), &NoPrompt, "true", Ok).unwrap();
    assert!(connected.how.contains("@cert-authority"), "{}", connected.how);
    let exit = connected.channel.finish().unwrap();
    assert_eq!(exit.status, Some(0), "{}", exit.stderr);
}
