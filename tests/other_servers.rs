//! Servers that are not OpenSSH: where a command can be run the agent is used, where the server
//! refuses to run one it is SFTP by itself, with one warning, and where neither works both reasons
//! are told. By libssh2 and by the `ssh` program.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assetsync_testbed::{Route, Sshd};
use tempfile::TempDir;

use crate::interruptions::faults::until;
use crate::support::{Machine, OrFail, Way, scratch, text};

/// Nobody's user and group.
const NOBODY: u32 = 65534;

/// The ways to connect.
const TRANSPORTS: [&[&str]; 2] = [&[], &["--transport", "openssh"]];

/// A running server and its `ssh_config`.
struct Server {
    process: Child,
    dir: TempDir,
    /// Where paths of destinations start as this machine sees them.
    root: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the program that `command` gives for a directory with the keys `host`, `client` and
    /// `client.pub`, and a port.
    fn start(user: &str, root: PathBuf, command: impl Fn(&Path, u16) -> Command) -> Server {
        let dir = scratch();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).or_fail();
        for name in ["host", "client"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.path().join(name));
            assert!(keygen.status().or_fail().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").or_fail().local_addr().or_fail().port();
        let mut command = command(dir.path(), port);
        let log = fs::File::create(dir.path().join("log")).or_fail();
        command.stdin(Stdio::null()).stdout(log.try_clone().or_fail()).stderr(log);
        let process = command.spawn().expect("run scripts/test-deps, as root");
        let mut server = Server { process, dir, root };
        server.write_ssh_config(user, port);
        until("the server listens", || {
            let ended = server.process.try_wait().or_fail();
            let log = || fs::read_to_string(server.dir.path().join("log")).or_fail();
            assert!(ended.is_none(), "the server ended: {}", log());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        server
    }

    fn write_ssh_config(&self, user: &str, port: u16) {
        let at = |name: &str| text(&self.dir.path().join(name));
        let key = fs::read_to_string(at("host.pub")).or_fail();
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {key}")).or_fail();
        let config = format!(
            "Host {}\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {}\n \
             IdentitiesOnly yes\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n \
             StrictHostKeyChecking yes\n",
            Route::ALIAS,
            at("client"),
            at("known_hosts")
        );
        fs::write(at("ssh_config"), config).or_fail();
    }

    /// Dropbear for root, in a mount namespace in which root's home has the key; `mount` is run in
    /// it first.
    fn dropbear(mount: &str, options: &[&str]) -> Server {
        Server::start("root", PathBuf::from("/"), |dir, port| {
            let home = dir.join("home");
            fs::create_dir_all(home.join(".ssh")).or_fail();
            fs::copy(dir.join("client.pub"), home.join(".ssh/authorized_keys")).or_fail();
            for path in [home.clone(), home.join(".ssh"), home.join(".ssh/authorized_keys")] {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).or_fail();
            }
            let mut convert = Command::new("dropbearconvert");
            convert.args(["openssh", "dropbear"]).arg(dir.join("host")).arg(dir.join("dropbear"));
            assert!(convert.output().expect("run scripts/test-deps").status.success());
            let script = format!("set -e; mount --bind \"$1\" /root; {mount} shift; exec \"$@\"");
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", &script, "sh"]).arg(&home);
            command.args(["dropbear", "-F", "-E", "-r"]).arg(dir.join("dropbear"));
            command.args(["-p", &format!("127.0.0.1:{port}"), "-P"]).arg(dir.join("pid"));
            command.args(options);
            command
        })
    }

    /// ProFTPD, which has no shell, for a user who sees nothing but the home directory.
    fn proftpd(directives: &str) -> Server {
        let home = scratch();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).or_fail();
        chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("run this test as root");
        let home = home.keep();
        Server::start("web", home.clone(), |dir, port| {
            let at = |name: &str| text(&dir.join(name));
            let mut convert = Command::new("ssh-keygen");
            convert.args(["-e", "-m", "RFC4716", "-f", &at("client.pub")]);
            fs::write(at("web.keys"), convert.output().or_fail().stdout).or_fail();
            let passwd = format!("web:!:{NOBODY}:{NOBODY}::{}:/bin/false\n", text(&home));
            fs::write(at("passwd"), passwd).or_fail();
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(at("passwd"), private).or_fail();
            let config = format!(
                "LoadModule mod_sftp.c\nServerName test\nServerType standalone\nPort 0\nUseIPv6 off\n\
                 User nobody\nGroup nogroup\nPidFile {pid}\nScoreboardFile {board}\nDelayEngine off\n\
                 SystemLog none\nWtmpLog off\nDefaultAddress 127.0.0.1\n<VirtualHost 127.0.0.1>\n\
                 Port {port}\nSFTPEngine on\nSFTPHostKey {key}\nSFTPAuthMethods publickey\n\
                 SFTPAuthorizedUserKeys file:{keys}\nAuthUserFile {passwd}\nAuthOrder mod_auth_file.c\n\
                 DefaultRoot ~\nRequireValidShell off\nAllowOverwrite on\n{directives}\n</VirtualHost>\n",
                pid = at("pid"),
                board = at("board"),
                key = at("host"),
                keys = at("web.keys"),
                passwd = at("passwd"),
            );
            fs::write(at("proftpd.conf"), config).or_fail();
            let mut command = Command::new("proftpd");
            command.args(["-n", "-c", &at("proftpd.conf")]);
            command
        })
    }

    /// A way to `path`.
    fn way(&self, path: &Path, options: &[&str]) -> Way {
        let config = text(&self.dir.path().join("ssh_config"));
        let mut all = vec!["-F".to_owned(), config];
        all.extend(options.iter().map(|&option| option.to_owned()));
        let path = Path::new("/").join(path.strip_prefix(&self.root).or_fail());
        Way { options: all, destination: format!("{}:{}", Route::ALIAS, text(&path)) }
    }
}

/// A source of a few files, and its next version.
fn versions(dir: &Path) -> [PathBuf; 2] {
    let build = |name: &str, app: &str, other: &str| {
        let source = dir.join(name);
        fs::create_dir_all(source.join("sub")).or_fail();
        fs::write(source.join("index.html"), name).or_fail();
        fs::write(source.join("app.js"), app.repeat(3000)).or_fail();
        fs::write(source.join("sub").join(other), other).or_fail();
        std::os::unix::fs::symlink("app.js", source.join("latest.js")).or_fail();
        for path in ["index.html", "app.js", "sub"].map(|name| source.join(name)) {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
            fs::File::open(path).or_fail().set_modified(time).or_fail();
        }
        source
    };
    [build("v1", "1", "x.js"), build("v2", "22", "y.js")]
}

/// Pushes both versions by every transport. Returns the warnings of each push.
fn push_both(server: &Server, place: &Path) -> Vec<Vec<String>> {
    let dir = scratch();
    let versions = versions(dir.path());
    let mut warnings = Vec::new();
    for (number, transport) in TRANSPORTS.iter().enumerate() {
        let machine = Machine::new();
        let destination = place.join(format!("www-{number}"));
        let way = server.way(&destination, transport);
        for source in [&versions[0], &versions[0], &versions[1]] {
            let mut args = vec!["push".to_owned(), "--delete".into()];
            args.extend(way.options.iter().cloned());
            args.extend([text(source), way.destination.clone()]);
            let ran = machine.run(args);
            assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
            assert_whole_seconds_equal(source, &destination);
            let lines = ran.stderr();
            let warned = lines.lines().filter(|line| line.starts_with("warning: "));
            warnings.push(warned.map(str::to_owned).collect());
        }
    }
    warnings
}

/// Whether both are equal, with times as SFTP carries them.
#[track_caller]
fn assert_whole_seconds_equal(source: &Path, destination: &Path) {
    assert_eq!(crate::sftp::differences(source, destination), Vec::<String>::new());
}

#[test]
fn proftpd_refuses_commands_so_sftp_is_used_with_one_warning() {
    let server = Server::proftpd("Umask 022 022");
    for warnings in push_both(&server, &server.root) {
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        for part in
            ["runs no commands for this user", "SFTP", "whole and uncompressed", "to avoid SFTP"]
        {
            assert!(warning.contains(part), "{warning}");
        }
    }
    // The home directory, which is the root of what this user sees.
    let (machine, dir) = (Machine::new(), scratch());
    let [source, _] = versions(dir.path());
    for files in [3, 0] {
        let pushed = machine.push(&server.way(&server.root, &[]), &[], &source);
        assert_eq!(pushed.files_sent, files);
    }
    assert_eq!(fs::read(server.root.join("index.html")).or_fail(), b"v1");
    fs::remove_dir_all(&server.root).or_fail();
}

#[test]
fn dropbear_runs_the_agent_with_and_without_an_sftp_server() {
    for mount in ["", "mount --bind /dev/null /usr/lib/sftp-server;"] {
        let (server, dir) = (Server::dropbear(mount, &[]), scratch());
        for warnings in push_both(&server, dir.path()) {
            assert!(warnings.is_empty(), "{warnings:?}");
        }
    }
}

#[test]
fn sftp_over_dropbear_is_like_sftp_over_openssh() {
    let (server, dir) = (Server::dropbear("", &[]), scratch());
    let [first, second] = versions(dir.path());
    let (machine, destination) = (Machine::new(), dir.path().join("assets"));
    for source in [first, second] {
        let way = server.way(&destination, &["--transport", "sftp"]);
        machine.push(&way, &["--delete"], &source);
        assert_whole_seconds_equal(&source, &destination);
    }
}

#[test]
fn without_commands_and_without_sftp_both_reasons_are_told() {
    let forced = "echo only backups here; exit 3";
    let (server, dir) = (Server::dropbear("", &["-c", forced]), scratch());
    let [source, _] = versions(dir.path());
    for transport in TRANSPORTS {
        let way = server.way(&dir.path().join("assets"), transport);
        let ran = Machine::new().try_push(&way, &[], &source);
        let said = ran.stderr() + &ran.stdout();
        assert_eq!(ran.code(), Some(1), "{said}");
        for part in ["exit status 3", "only backups here", "offers no usable SFTP"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(!dir.path().join("assets").exists());
}

/// What accounts without a shell answer, before SFTP is offered to them.
#[test]
fn openssh_accounts_that_run_no_commands_get_sftp() {
    let dir = scratch();
    let [source, _] = versions(dir.path());
    let says = "This service allows sftp connections only.";
    let script = |reply: &str| {
        format!(
            "case $SSH_ORIGINAL_COMMAND in *sftp-server*|internal-sftp) exec {} ;; esac; {reply}",
            crate::sftp::sftp_server()
        )
    };
    for (number, reply) in [format!("echo {says}; exit 1"), "exit 255".into()].iter().enumerate() {
        let program = dir.path().join(format!("shell-{number}"));
        fs::write(&program, format!("#!/bin/sh\n{}\n", script(reply))).or_fail();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).or_fail();
        let command = format!("ForceCommand {}", program.display());
        let sshd = Sshd::builder().config(&command).start().or_fail();
        for transport in TRANSPORTS {
            let destination = dir.path().join(format!("{number}{}", transport.concat()));
            let way = Way::ssh(sshd.route(), &destination).with(transport);
            Machine::new().push(&way, &[], &source);
            assert_whole_seconds_equal(&source, &destination);
        }
    }
}
