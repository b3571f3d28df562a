//! The SFTP client against OpenSSH's server, in process and over the `ssh` program.

mod common;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assetsync_ssh::sftp::{SftpErrorKind, SftpOpenError, SftpSession, sftp_session};
use assetsync_ssh::{NoPrompt, SshOptions, TransportKind};
use common::Sshd;

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn open(sshd: &Sshd, options: &SshOptions) -> SftpSession {
    sftp_session(&sshd.target(), options, &NoPrompt).unwrap().0
}

fn each_way(test: impl Fn(&mut SftpSession, &Path)) {
    let sshd = Sshd::start();
    let plain = sshd.options();
    let openssh = SshOptions { transport: Some(TransportKind::OpenSsh), ..plain.clone() };
    let rsh = SshOptions { rsh: Some("ssh".into()), ..plain.clone() };
    for options in [plain, openssh, rsh] {
        let directory = tempfile::tempdir().unwrap();
        let mut sftp = open(&sshd, &options);
        test(&mut sftp, directory.path());
        sftp.finish().unwrap();
    }
}

#[test]
fn files_are_written_whole_with_mode_and_time() {
    each_way(|sftp, directory| {
        let path = directory.join("big");
        let content: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
        let mut file = sftp.create(bytes(&path), 0o600, true).unwrap();
        file.write_all(&content).unwrap();
        file.set_attributes(Some(0o640), Some(1_700_000_000)).unwrap();
        assert!(file.sync().unwrap());
        file.close().unwrap();
        assert!(fs::read(&path).unwrap() == content);
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o640, 1_700_000_000));
        assert!(sftp.read(bytes(&path), 20_000_000).unwrap() == content);
        let error = sftp.read(bytes(&path), 1000).unwrap_err();
        assert!(error.to_string().contains("larger than 1000 bytes"), "{error}");
        let error = sftp.create(bytes(&path), 0o600, true).unwrap_err();
        assert_eq!(error.kind, SftpErrorKind::Failure);
        sftp.create(bytes(&path), 0o600, false).unwrap().close().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    });
}

#[test]
fn directories_links_and_odd_names() {
    each_way(|sftp, directory| {
        let under = |name: &[u8]| directory.join(std::ffi::OsStr::from_bytes(name));
        let inner = under(b"d");
        sftp.mkdir(bytes(&inner), 0o700).unwrap();
        let odd: &[&[u8]] = &[b"a b", b"-x", b"\xff\xfe", b"new\nline", b"caf\xc3\xa9"];
        for name in odd {
            sftp.create(bytes(&under(name)), 0o644, true).unwrap().close().unwrap();
        }
        sftp.symlink(b"d", bytes(&under(b"link"))).unwrap();
        assert_eq!(sftp.read_link(bytes(&under(b"link"))).unwrap(), b"d");
        assert!(sftp.lstat(bytes(&under(b"link"))).unwrap().is_symlink());
        assert!(sftp.stat(bytes(&under(b"link"))).unwrap().is_dir());
        let entries = sftp.read_dir(bytes(directory)).unwrap();
        assert_eq!(entries.len(), odd.len() + 2);
        for name in odd {
            let entry = entries.iter().find(|entry| entry.name == *name).unwrap();
            assert!(entry.attributes.is_file());
            sftp.remove(bytes(&under(name))).unwrap();
        }
        sftp.remove(bytes(&under(b"link"))).unwrap();
        sftp.rmdir(bytes(&inner)).unwrap();
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        sftp.set_attributes(bytes(directory), Some(0o711), None).unwrap();
        let resolved = sftp.realpath(&[bytes(directory), b"/./."].concat()).unwrap();
        assert_eq!(resolved, bytes(&directory.canonicalize().unwrap()));
        assert!(sftp.free_space(bytes(directory)).unwrap().unwrap().bytes > 0);
    });
}

#[test]
fn a_rename_replaces() {
    each_way(|sftp, directory| {
        let (from, to) = (directory.join("from"), directory.join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert!(sftp.renames_atomically());
        sftp.rename(bytes(&from), bytes(&to)).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        assert!(!from.exists());
    });
}

#[test]
fn a_server_without_posix_rename_says_that_the_target_exists() {
    let server = sftp_server();
    let subsystem = format!("Subsystem sftp {} -P posix-rename\n", server.display());
    let sshd = Sshd::with(&subsystem, &["ed25519"]);
    let mut sftp = open(&sshd, &sshd.options());
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::write(&from, "new").unwrap();
    fs::write(&to, "old").unwrap();
    if sftp.renames_atomically() {
        // The server still lists what it was told to refuse.
        assert!(sftp.rename(bytes(&from), bytes(&to)).is_err());
        return;
    }
    let error = sftp.rename(bytes(&from), bytes(&to)).unwrap_err();
    assert_eq!(error.kind, SftpErrorKind::TargetExists);
    fs::remove_file(&to).unwrap();
    sftp.rename(bytes(&from), bytes(&to)).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "new");
}

fn sftp_server() -> PathBuf {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("sftp-server is missing: apt-get install openssh-sftp-server")
}

#[test]
fn refusals_have_their_kind_and_leave_the_session_usable() {
    each_way(|sftp, directory| {
        let missing = directory.join("missing/file");
        let error = sftp.stat(bytes(&missing)).unwrap_err();
        assert_eq!(error.kind, SftpErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.starts_with("Cannot stat /") && text.contains("over SFTP: "), "{text}");
        assert_eq!(
            sftp.create(bytes(&missing), 0, true).unwrap_err().kind,
            SftpErrorKind::NotFound
        );
        assert_eq!(sftp.read_dir(bytes(&missing)).unwrap_err().kind, SftpErrorKind::NotFound);
        let mut file = sftp.create(b"/dev/full", 0o600, false).unwrap();
        let _ = file.write_all(&vec![0; 4 << 20]);
        assert!(file.close().is_err());
        assert!(sftp.stat(bytes(directory)).unwrap().is_dir());
    });
}

#[test]
fn an_unreadable_directory_is_permission_denied() {
    let sshd = Sshd::with("Subsystem sftp internal-sftp -R\n", &["ed25519"]);
    let mut sftp = open(&sshd, &sshd.options());
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = directory.path().join("f");
    let error = sftp.create(bytes(&path), 0o600, true).unwrap_err();
    assert_eq!(error.kind, SftpErrorKind::PermissionDenied);
}

#[test]
fn a_host_without_sftp_is_reported() {
    let sshd = Sshd::with("", &["ed25519"]);
    let Err(error) = sftp_session(&sshd.target(), &sshd.options(), &NoPrompt) else { panic!() };
    assert!(matches!(error, SftpOpenError::Refused { .. }), "{error}");
    let printing = Sshd::with("Subsystem sftp /bin/echo welcome\n", &["ed25519"]);
    let Err(error) = sftp_session(&printing.target(), &printing.options(), &NoPrompt) else {
        panic!()
    };
    assert!(error.to_string().contains("offers no usable SFTP: it answers with 'welc'"), "{error}");
}
