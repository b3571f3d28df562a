use std::fs;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use assetsync_link::{Link, LinkSpec};

use super::*;

fn ssh(sshd: &Sshd, command: &str) -> Output {
    sshd.route().ssh().unwrap().arg(command).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn commands_run_with_a_home_of_their_own() {
    let sshd = Sshd::builder().env("MARK", "a b").start().unwrap();
    let output = ssh(&sshd, "echo \"$HOME|$XDG_CACHE_HOME|$MARK\"");
    let home = sshd.home().display().to_string();
    assert_eq!(said(&output), format!("{home}|{home}/.cache|a b\n"));
    assert!(sshd.log().contains("Accepted publickey"));
}

#[test]
fn a_home_that_is_set_wins() {
    let sshd = Sshd::builder().env("HOME", "/nowhere").start().unwrap();
    assert_eq!(said(&ssh(&sshd, "echo $HOME")), "/nowhere\n");
}

#[test]
fn the_session_is_the_accounts() {
    let sshd = Sshd::start().unwrap();
    assert_eq!(said(&ssh(&sshd, "id -un")).trim(), sshd.user());
}

#[test]
fn the_host_key_line_is_what_the_clients_know() {
    let sshd = Sshd::builder().host_key(KeyType::Ecdsa).host_key(KeyType::Rsa).start().unwrap();
    let known = fs::read_to_string(sshd.known_hosts()).unwrap();
    assert_eq!(known.lines().next(), Some(&*sshd.host_key_line()));
    assert!(sshd.host_key_line().contains(" ecdsa-sha2-nistp256 "));
    assert_eq!(known.lines().count(), 2);
    said(&ssh(&sshd, "true"));
}

#[test]
fn an_unknown_host_key_is_refused() {
    let sshd = Sshd::start().unwrap();
    let other = Sshd::start().unwrap();
    fs::copy(other.known_hosts(), sshd.known_hosts()).unwrap();
    assert_eq!(ssh(&sshd, "true").status.code(), Some(255));
}

#[test]
fn another_port_is_another_route() {
    let sshd = Sshd::start().unwrap();
    let link = Link::to(sshd.port(), LinkSpec::UNSHAPED).unwrap();
    let route = sshd.via(link.port()).unwrap();
    assert_eq!(said(&route.ssh().unwrap().arg("echo there").output().unwrap()), "there\n");
    assert!(link.wait_idle(std::time::Duration::from_secs(300)));
    let counts = link.counts();
    assert_eq!(counts.connections, 1);
    assert!(counts.sent > 1000 && counts.received > 1000, "{counts:?}");
}

#[test]
fn a_noisy_login_prints_before_the_command() {
    let sshd = Sshd::builder().noise(70_000).start().unwrap();
    let output = said(&ssh(&sshd, "echo after"));
    assert_eq!(output.len(), 70_000 + "after\n".len());
    assert!(output.ends_with("##after\n"));
}

#[test]
fn any_shell_can_be_the_login_shell() {
    let sshd = Sshd::builder().shell("/bin/bash").prelude("umask 0077").in_home().start().unwrap();
    let output = said(&ssh(&sshd, "echo ${BASH:+bash} $(umask) $(pwd -P)"));
    let home = sshd.home().canonicalize().unwrap();
    assert_eq!(output, format!("bash 0077 {}\n", home.display()));
}

/// Runs sftp with `commands` on its input.
fn sftp(sshd: &Sshd, commands: &str) -> Output {
    let mut command = sshd.route().sftp().unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_sftp_only_account_runs_no_commands() {
    let sshd = Sshd::builder().config("ForceCommand internal-sftp").start().unwrap();
    let target = sshd.dir().join("made");
    said(&sftp(&sshd, &format!("mkdir {}\n", target.display())));
    assert!(target.is_dir());
    let output = sshd.route().ssh().unwrap().arg("echo x").stdin(Stdio::null()).output().unwrap();
    assert_ne!(String::from_utf8_lossy(&output.stdout), "x\n");
}

#[test]
fn a_noisy_account_still_has_sftp() {
    let sshd = Sshd::builder().noise(10).start().unwrap();
    let target = sshd.dir().join("made");
    said(&sftp(&sshd, &format!("mkdir {}\n", target.display())));
    assert!(target.is_dir());
}

/// A session that stays open until its server ends it, known to have begun.
fn open_session(sshd: &Sshd) -> Child {
    use std::io::Read;
    let mut command = sshd.route().ssh().unwrap();
    command.arg("echo up; exec sleep 600").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut session = command.spawn().unwrap();
    session.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    session
}

#[test]
fn sessions_can_be_killed_and_the_server_goes_on() {
    let sshd = Sshd::start().unwrap();
    let mut session = open_session(&sshd);
    sshd.kill_sessions();
    assert!(!session.wait().unwrap().success());
    said(&ssh(&sshd, "true"));
}

#[test]
fn dropping_it_ends_sessions_and_leaves_nothing() {
    let sshd = Sshd::start().unwrap();
    let mut session = open_session(&sshd);
    let (dir, pids) = (sshd.dir().to_path_buf(), sshd.session_pids());
    assert!(!pids.is_empty());
    drop(sshd);
    assert!(!session.wait().unwrap().success());
    assert!(!dir.exists());
}

#[test]
fn a_configuration_sshd_rejects_is_quoted() {
    let error = Sshd::builder().config("NoSuchKeyword yes").start().unwrap_err();
    assert!(error.to_string().contains("NoSuchKeyword"), "{error}");
}

#[test]
fn a_match_block_applies() {
    let sshd = Sshd::builder().config("Match User *\n  ForceCommand echo forced").start().unwrap();
    assert_eq!(said(&ssh(&sshd, "echo asked")), "forced\n");
}

#[test]
fn the_config_file_serves_any_program() {
    let sshd = Sshd::start().unwrap();
    let mut command = Command::new("ssh");
    let output = command.arg("-F").arg(sshd.ssh_config()).arg("-G").arg(Route::ALIAS);
    let text = said(&output.output().unwrap());
    assert!(text.contains(&format!("port {}\n", sshd.port())));
    assert!(text.contains(&format!("identityfile {}\n", sshd.client_key().display())));
}
