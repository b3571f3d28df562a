//! The SFTP client against OpenSSH's server, in process and over the `ssh` program.

mod common;

use std::fs;
use std::io::Cursor;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assetsync_ssh::sftp::{
    Change, SftpErrorKind, SftpOpenError, SftpSession, Upload, sftp_session,
};
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

fn upload(path: &Path, exclusive: bool, content: Vec<u8>) -> Upload<Cursor<Vec<u8>>> {
    let (path, content) = (bytes(path).to_vec(), Cursor::new(content));
    Upload { path, mode: 0o640, mtime: 1_700_000_000, exclusive, content }
}

#[test]
fn files_are_written_whole_with_mode_and_time() {
    each_way(|sftp, directory| {
        let at = |number: u32| directory.join(number.to_string());
        let content = |number: u32| match number {
            0 => (0..5_000_000u32).flat_map(u32::to_le_bytes).collect(),
            number => vec![7; 4096 * number as usize],
        };
        let files = (0..100).map(|number| upload(&at(number), true, content(number)));
        let mut done = 0;
        sftp.upload_all(files, |file| {
            file.written.unwrap();
            assert!(file.synced);
            done += 1;
        })
        .unwrap();
        assert_eq!(done, 100);
        for number in 0..100 {
            assert!(fs::read(at(number)).unwrap() == content(number), "{number}");
            let meta = fs::metadata(at(number)).unwrap();
            assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o640, 1_700_000_000));
        }
        let again = |exclusive| [upload(&at(0), exclusive, Vec::new())].into_iter();
        let mut kinds = Vec::new();
        for exclusive in [true, false] {
            sftp.upload_all(again(exclusive), |file| kinds.push(file.written.map_err(|e| e.kind)))
                .unwrap();
        }
        assert_eq!(kinds, [Err(SftpErrorKind::Failure), Ok(())]);
        assert_eq!(fs::metadata(at(0)).unwrap().len(), 0);
    });
}

/// Counted in requests that wait for a reply, so it does not depend on any time.
#[test]
fn many_small_files_take_few_round_trips() {
    let sshd = Sshd::start();
    let mut sftp = open(&sshd, &sshd.options());
    let directory = tempfile::tempdir().unwrap();
    let at = |number: u32| directory.path().join(number.to_string());
    let before = sftp.round_trips();
    let files = (0..640).map(|number| upload(&at(number), true, vec![1; 100]));
    sftp.upload_all(files, |file| file.written.unwrap()).unwrap();
    // 64 at a time: open, write, close.
    assert_eq!(sftp.round_trips() - before, 30);
    let before = sftp.round_trips();
    assert_eq!(sftp.read_dir(bytes(directory.path())).unwrap().len(), 640);
    assert!(sftp.round_trips() - before <= 7, "{}", sftp.round_trips() - before);
    let before = sftp.round_trips();
    let remove = |number| Change::Remove { path: bytes(&at(number)).to_vec() };
    let removes: Vec<Change> = (0..641).map(remove).collect();
    let results = sftp.change_all(&removes).unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 640);
    assert_eq!(results[640].as_ref().unwrap_err().kind, SftpErrorKind::NotFound);
    assert_eq!(sftp.round_trips() - before, 11);
}

#[test]
fn directories_links_and_odd_names() {
    each_way(|sftp, directory| {
        let under = |name: &[u8]| directory.join(std::ffi::OsStr::from_bytes(name));
        let inner = under(b"d");
        sftp.mkdir(bytes(&inner), 0o700).unwrap();
        let odd: &[&[u8]] = &[b"a b", b"-x", b"\xff\xfe", b"new\nline", b"caf\xc3\xa9"];
        for name in odd {
            sftp.create(bytes(&under(name)), 0o644, true).unwrap();
        }
        sftp.symlink(b"d", bytes(&under(b"link"))).unwrap();
        let texts = sftp.read_links(&[bytes(&under(b"link"))]).unwrap();
        assert_eq!(texts[0].as_ref().unwrap(), b"d");
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
        let (path, mode) = (bytes(directory).to_vec(), Some(0o711));
        sftp.change(Change::SetAttributes { path, mode, mtime: None }).unwrap();
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
        let full = upload(Path::new("/dev/full"), false, vec![0; 4 << 20]);
        let mut failed = false;
        sftp.upload_all([full].into_iter(), |file| failed = file.written.is_err()).unwrap();
        assert!(failed);
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
