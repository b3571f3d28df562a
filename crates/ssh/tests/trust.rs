//! Host keys and user keys against a real sshd.

mod common;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use assetsync_ssh::{NoPrompt, Prompt, SshOptions, TransportError, connect};
use common::{Sshd, keygen};

fn refusal(sshd: &Sshd, options: &SshOptions) -> TransportError {
    match connect(&sshd.target(), options, &NoPrompt, "true", Ok) {
        Ok(connected) => panic!("let in by {}", connected.how),
        Err(error) => error,
    }
}

fn assert_let_in(sshd: &Sshd, options: &SshOptions, prompt: &dyn Prompt) {
    let connected = connect(&sshd.target(), options, prompt, "true", Ok).unwrap();
    assert!(connected.how.starts_with("libssh2 "), "{}", connected.how);
    assert_eq!(connected.channel.finish().unwrap().status, Some(0));
}

fn shown_fingerprint(path: &Path) -> String {
    let output = Command::new("ssh-keygen").arg("-lf").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn an_unknown_host_is_refused_with_fingerprint_and_way_out() {
    let sshd = Sshd::start();
    fs::remove_file(sshd.at("known_hosts")).unwrap();
    let text = refusal(&sshd, &sshd.options()).to_string();
    let fingerprint = shown_fingerprint(&sshd.at("host_ed25519.pub"));
    let command =
        format!("ssh-keyscan -p {} 127.0.0.1 >> {}", sshd.port, sshd.at("known_hosts").display());
    assert!(text.contains(&fingerprint) && text.contains(&command), "{text}");
}

#[test]
fn a_changed_key_is_refused_naming_the_line() {
    let sshd = Sshd::start();
    keygen(&sshd.at("host_other"), "ed25519", "");
    let lines = format!("# mine\n{}", sshd.known_line("other"));
    fs::write(sshd.at("known_hosts"), lines).unwrap();
    let text = refusal(&sshd, &sshd.options()).to_string();
    let entry = format!("{}:2 holds another key", sshd.at("known_hosts").display());
    let command = format!("ssh-keygen -R '[127.0.0.1]:{}'", sshd.port);
    assert!(text.contains(&entry) && text.contains(&command), "{text}");
    assert!(text.contains(&shown_fingerprint(&sshd.at("host_ed25519.pub"))), "{text}");
}

#[test]
fn a_key_of_another_type_than_the_known_one_is_a_changed_key() {
    let sshd = Sshd::start();
    keygen(&sshd.at("host_ecdsa"), "ecdsa", "");
    sshd.trust(&["ecdsa"]);
    let error = refusal(&sshd, &sshd.options());
    assert!(matches!(error, TransportError::ChangedHostKey { .. }), "{error}");
}

#[test]
fn the_known_type_is_asked_for_first() {
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let sshd = Sshd::with("", &["ed25519", "ecdsa", "rsa"]);
        sshd.trust(&[kind]);
        assert_let_in(&sshd, &sshd.options(), &NoPrompt);
    }
}

#[test]
fn hashed_names_wildcards_and_the_name_without_port_are_known() {
    let sshd = Sshd::start();
    let hash = Command::new("ssh-keygen").arg("-Hf").arg(sshd.at("known_hosts")).output().unwrap();
    assert!(hash.status.success());
    assert!(fs::read_to_string(sshd.at("known_hosts")).unwrap().starts_with("|1|"));
    assert_let_in(&sshd, &sshd.options(), &NoPrompt);
    let key = fs::read_to_string(sshd.at("host_ed25519.pub")).unwrap();
    for names in ["[127.0.0.*]:*", "127.0.0.1", "other,127.0.0.?"] {
        fs::write(sshd.at("known_hosts"), format!("{names} {key}")).unwrap();
        assert_let_in(&sshd, &sshd.options(), &NoPrompt);
    }
}

#[test]
fn a_revoked_key_never_lets_in() {
    let sshd = Sshd::start();
    let revoked = format!("{0}@revoked {0}", sshd.known_line("ed25519"));
    fs::write(sshd.at("known_hosts"), revoked).unwrap();
    let by_ssh = connect(&sshd.target(), &sshd.options(), &NoPrompt, "true", Ok).unwrap();
    assert!(by_ssh.how.contains("@revoked"), "{}", by_ssh.how);
    let exit = by_ssh.channel.finish().unwrap();
    assert_eq!(exit.status, Some(255), "{}", exit.stderr);
    let kind = Some(assetsync_ssh::TransportKind::Ssh2);
    let error = refusal(&sshd, &SshOptions { transport: kind, ..sshd.options() });
    assert!(matches!(error, TransportError::RevokedHostKey { .. }), "{error}");
}

#[test]
fn a_key_the_host_does_not_know_is_refused_and_named() {
    let sshd = Sshd::start();
    let stranger = keygen(&sshd.at("stranger"), "ed25519", "");
    let options = SshOptions { identities: vec![stranger.clone()], ..sshd.options() };
    let text = refusal(&sshd, &options).to_string();
    assert!(text.starts_with("127.0.0.1 refused the login of root; tried: "), "{text}");
    assert!(text.contains(&stranger.display().to_string()), "{text}");
}

#[test]
fn every_key_type_logs_in() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::start();
        let key = keygen(&sshd.at(kind), kind, "");
        fs::copy(sshd.at(&format!("{kind}.pub")), sshd.at("authorized")).unwrap();
        let options = SshOptions { identities: vec![key], ..sshd.options() };
        assert_let_in(&sshd, &options, &NoPrompt);
    }
}

struct TerminalPrompt {
    response_times: Cell<&'static [&'static str]>,
}

impl Prompt for TerminalPrompt {
    fn passphrase(&self, _key: &Path) -> Option<String> {
        let (first, rest) = self.response_times.get().split_first()?;
        self.response_times.set(rest);
        Some((*first).to_owned())
    }
}

#[test]
fn an_encrypted_key_asks_a_person_or_names_ssh_add() {
    let sshd = Sshd::start();
    let key = keygen(&sshd.at("locked"), "ed25519", "secret");
    fs::copy(sshd.at("locked.pub"), sshd.at("authorized")).unwrap();
    let options = SshOptions { identities: vec![key.clone()], ..sshd.options() };
    let text = refusal(&sshd, &options).to_string();
    assert!(text.contains(&format!("ssh-add {}", key.display())), "{text}");
    let options = SshOptions { interactive: true, ..options };
    let person = TerminalPrompt { response_times: Cell::new(&["wrong", "secret"]) };
    assert_let_in(&sshd, &options, &person);
    let error = refusal(&sshd, &options);
    assert!(matches!(error, TransportError::Auth { .. }), "{error}");
}

#[test]
fn an_agent_key_logs_in_without_its_passphrase() {
    let sshd = Sshd::start();
    let key = keygen(&sshd.at("held"), "ed25519", "");
    fs::copy(sshd.at("held.pub"), sshd.at("authorized")).unwrap();
    let socket = sshd.at("agent.sock");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).spawn().unwrap();
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let added = Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).status();
    assert!(added.unwrap().success());
    fs::remove_file(&key).unwrap();
    let config = sshd
        .config("")
        .replace("IdentityAgent none", &format!("IdentityAgent {}", socket.display()));
    fs::write(sshd.at("ssh_config"), config).unwrap();
    assert_let_in(&sshd, &sshd.options(), &NoPrompt);
    let public_only = SshOptions { identities: vec![sshd.at("held.pub")], ..sshd.options() };
    assert_let_in(&sshd, &public_only, &NoPrompt);
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn a_key_file_others_can_read_is_refused() {
    let sshd = Sshd::start();
    fs::set_permissions(sshd.at("user"), fs::Permissions::from_mode(0o644)).unwrap();
    let options = SshOptions { identities: vec![sshd.at("user")], ..sshd.options() };
    let text = refusal(&sshd, &options).to_string();
    assert!(text.contains("chmod 600"), "{text}");
    let text = refusal(&sshd, &sshd.options()).to_string();
    assert!(text.contains("chmod 600"), "{text}");
}

#[test]
fn a_missing_key_given_by_the_caller_is_an_error() {
    let sshd = Sshd::start();
    let options = SshOptions { identities: vec!["/nonexistent/key".into()], ..sshd.options() };
    let text = refusal(&sshd, &options).to_string();
    assert!(text.starts_with("Cannot read /nonexistent/key"), "{text}");
}
