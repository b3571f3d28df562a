//! Servers that refuse requests, and modes that stand in the way: where nothing is at risk the push
//! goes on with one warning, and the next one does not send everything again; where something is,
//! nothing has changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use assetsync_core::protocol::FailureCode;
use assetsync_sync::internals::NoMonitor;
use assetsync_sync::{PushError, Report};
use assetsync_testbed::Sshd;
use assetsync_testbed::tree::{DiffOptions, Mtimes, Tree, diff_trees, snapshot};

use super::{Host, How, Notices, assert_clean, assert_same, code, file, link, tree_of, written};
use crate::support::{OrFail, assert_untouched};

fn push(host: &Host, source: &Path, notices: &Notices) -> Result<Report, PushError> {
    host.push_so(source, &host.assets(), &How::default(), notices)
}

fn count(notices: &Notices, text: &str) -> usize {
    notices.0.lock().or_fail().iter().filter(|notice| notice.contains(text)).count()
}

/// Whether contents and names are equal; modes and times are the server's.
#[track_caller]
fn assert_same_contents(expected: &Path, found: &Path) {
    let options = DiffOptions { mtimes: Mtimes::Ignore, modes: false, ..DiffOptions::default() };
    let lines = diff_trees(&snapshot(expected).or_fail(), &snapshot(found).or_fail(), &options);
    assert_eq!(lines, Vec::<String>::new());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).or_fail().permissions().mode() & 0o7777
}

#[test]
fn a_server_that_sets_no_modes_and_times_is_warned_of_and_sent_nothing_again() {
    for flags in ["-P setstat,fsetstat,lsetstat", "-P setstat,fsetstat -u 0077"] {
        let (host, notices) = (Host::new(flags), Notices::default());
        let mut tree = tree_of(&["a", "d/b", "index.html"], "x");
        tree.insert(b"d/script", file(b"modes differ"));
        let source = written(&tree);
        push(&host, source.path(), &notices).or_fail();
        assert_eq!(count(&notices, "does not set modes and times"), 1, "{flags}");
        assert_same_contents(source.path(), &host.assets());
        assert_clean(&host.assets());
        for _ in 0..2 {
            let report = push(&host, source.path(), &notices).or_fail();
            assert_eq!((report.files_sent, report.plan.actions.len()), (0, 0), "{flags}");
        }
        // A recompile asks once more, and sends no content.
        fs::File::open(source.path().join("a"))
            .or_fail()
            .set_modified(std::time::SystemTime::now())
            .or_fail();
        let touched = push(&host, source.path(), &notices).or_fail();
        assert_eq!((touched.files_sent, touched.plan.actions.len()), (0, 1));
        assert_eq!(push(&host, source.path(), &notices).or_fail().plan.actions, []);
        // What changes is sent, and what somebody else changed is noticed.
        tree_of(&["a"], "another").write_to(source.path()).or_fail();
        fs::write(host.assets().join("d/b"), "of somebody else").or_fail();
        assert_eq!(push(&host, source.path(), &notices).or_fail().files_sent, 2);
        assert_same_contents(source.path(), &host.assets());
    }
}

/// FSETSTAT alone is refused: SETSTAT does it, after the file is closed.
#[test]
fn a_server_without_fsetstat_is_asked_by_path() {
    let (host, notices) = (Host::new("-P fsetstat"), Notices::default());
    let source = written(&tree_of(&["a", "d/b"], "x"));
    push(&host, source.path(), &notices).or_fail();
    assert_same(source.path(), &host.assets());
    assert_eq!(count(&notices, "modes and times"), 0);
    assert_eq!(push(&host, source.path(), &notices).or_fail().plan.actions, []);
}

#[test]
fn a_server_with_a_strict_umask_still_serves() {
    let host = Host::new("-u 0077");
    let source = written(&tree_of(&["a", "d/b"], "x"));
    fs::set_permissions(source.path(), Permissions::from_mode(0o755)).or_fail();
    let deep = host.place.path().join("new/parents/assets");
    host.push_so(source.path(), &deep, &How::default(), &NoMonitor).or_fail();
    assert_same(source.path(), &deep);
    for made in [&deep, deep.parent().unwrap(), &host.place.path().join("new")] {
        assert_eq!(mode(made), 0o755, "{}", made.display());
    }
    fs::set_permissions(source.path(), Permissions::from_mode(0o750)).or_fail();
    host.push(source.path()).or_fail();
    assert_eq!(mode(&host.assets()), 0o750);
}

/// A user who is not root and has a home of its own, on a server with these flags.
struct Account {
    name: String,
    host: Host,
}

impl Account {
    fn new(flags: &str) -> Account {
        let name = format!("assetsync-t{}", std::process::id());
        let added = Command::new("useradd").args(["-M", "-p", "*", "-d", "/", &name]).status();
        assert!(added.or_fail().success(), "this test adds a user: run it as root");
        let command = format!("ForceCommand internal-sftp {flags}");
        let sshd = Sshd::builder().config(&command).start().or_fail();
        let config = fs::read_to_string(sshd.ssh_config()).or_fail();
        let config = config.replace(&format!("User {}", sshd.user()), &format!("User {name}"));
        fs::write(sshd.ssh_config(), config).or_fail();
        let host = Host::at(sshd);
        fs::set_permissions(host.sshd.dir(), Permissions::from_mode(0o755)).or_fail();
        let account = Account { name, host };
        account.give(account.host.place.path());
        account
    }

    fn give(&self, path: &Path) {
        let owner = Command::new("chown").args(["-R", &self.name]).arg(path).status();
        assert!(owner.or_fail().success());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(&self.name).status();
    }
}

#[test]
fn read_only_directories_are_opened_for_the_push_and_closed_after_it() {
    let account = Account::new("");
    let (host, assets) = (&account.host, account.host.assets());
    let old = tree_of(&["sub/x.js", "sub/keep/y.js", "gone/in/f", "file/was/dir", "same/z"], "old");
    old.write_to(&assets).or_fail();
    let read_only = ["sub", "sub/keep", "gone/in", "gone", "file/was", "file", "same", ""];
    for dir in read_only {
        fs::set_permissions(assets.join(dir), Permissions::from_mode(0o555)).or_fail();
    }
    account.give(host.place.path());
    let mut new = tree_of(&["sub/x.js", "sub/new.js", "sub/keep/y.js"], "new");
    new.insert(b"same/z", file(b"other"));
    new.insert(b"file", file(b"in place of a directory"));
    let source = written(&new);
    for dir in ["sub", "sub/keep", "same"] {
        fs::set_permissions(source.path().join(dir), Permissions::from_mode(0o555)).or_fail();
    }
    host.push(source.path()).or_fail();
    assert_same(source.path(), &assets);
    for dir in ["", "sub", "sub/keep", "same"] {
        assert_eq!(mode(&assets.join(dir)), 0o555, "{dir}");
    }
    assert_clean(&assets);
    assert_eq!(host.push(source.path()).or_fail().plan.actions, []);
}

#[test]
fn read_only_files_are_replaced_and_deleted() {
    let account = Account::new("");
    let (host, assets) = (&account.host, account.host.assets());
    tree_of(&["a", "gone"], "old").write_to(&assets).or_fail();
    for name in ["a", "gone"] {
        fs::set_permissions(assets.join(name), Permissions::from_mode(0o444)).or_fail();
    }
    account.give(host.place.path());
    let source = written(&tree_of(&["a"], "newer"));
    fs::set_permissions(source.path().join("a"), Permissions::from_mode(0o444)).or_fail();
    host.push(source.path()).or_fail();
    assert_same(source.path(), &assets);
    assert_eq!(mode(&assets.join("a")), 0o444);
}

#[test]
fn a_read_only_directory_that_stays_so_is_refused_before_anything_changes() {
    let account = Account::new("-P setstat,fsetstat");
    let (host, assets) = (&account.host, account.host.assets());
    tree_of(&["a", "sub/x.js"], "old").write_to(&assets).or_fail();
    account.give(host.place.path());
    fs::set_permissions(assets.join("sub"), Permissions::from_mode(0o555)).or_fail();
    let before = snapshot(&assets).or_fail();
    let source = written(&tree_of(&["a", "sub/x.js"], "new"));
    let (code, text) = code(host.push(source.path()));
    assert_eq!(code, FailureCode::Permission);
    assert!(
        text.contains("/sub: it is read-only") && text.contains("nothing was changed"),
        "{text}"
    );
    assert_untouched(&before, &assets);
}

/// Pushes to a destination with a directory that is somebody else's.
fn refused_for_its_owner(mode: u32, parts: &[&str]) {
    let account = Account::new("");
    let (host, assets) = (&account.host, account.host.assets());
    tree_of(&["a", "sub/x.js", "sub/gone"], "old").write_to(&assets).or_fail();
    account.give(host.place.path());
    for path in ["sub", "sub/x.js", "sub/gone"] {
        std::os::unix::fs::chown(assets.join(path), Some(0), Some(0)).or_fail();
    }
    fs::set_permissions(assets.join("sub"), Permissions::from_mode(mode)).or_fail();
    let before = snapshot(&assets).or_fail();
    let source = written(&tree_of(&["a", "sub/x.js"], "new"));
    let (code, text) = code(host.push(source.path()));
    assert_eq!(code, FailureCode::Permission);
    for part in parts {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // Times of directories change: something was made in them.
    let after = snapshot(&assets).or_fail();
    assert_eq!(diff_trees(&before, &after, &DiffOptions::default()), Vec::<String>::new());
    assert_eq!(fs::read_dir(assets.join("sub")).or_fail().count(), 2);
}

#[test]
fn a_directory_of_somebody_else_is_refused_before_anything_changes() {
    refused_for_its_owner(0o755, &["/sub: it belongs to user 0", "nothing was changed"]);
}

#[test]
fn files_of_others_in_a_sticky_directory_are_refused_before_anything_changes() {
    refused_for_its_owner(0o1777, &["it belongs to user 0", "sticky bit", "nothing was changed"]);
}

/// What a push that was cut left of its trial.
#[test]
fn probes_that_were_left_are_removed() {
    let host = Host::new("");
    tree_of(&["sub/x.js"], "old").write_to(&host.assets()).or_fail();
    let left = ["sub/.assetsync-probe", ".assetsync-sftp-0123456789abcdef"];
    let left = left.map(|name| host.assets().join(name));
    left.iter().for_each(|path| fs::create_dir(path).or_fail());
    let source = written(&tree_of(&["sub/x.js"], "new"));
    host.push(source.path()).or_fail();
    assert_same(source.path(), &host.assets());
    assert!(left.iter().all(|path| !path.exists()));
}

#[test]
fn links_that_a_server_cannot_make_are_named_before_anything_changes() {
    let host = Host::new("-P symlink,readlink");
    let source = written(&tree_of(&["a", "b"], "1"));
    let first = host.push(source.path()).or_fail();
    assert_eq!(first.files_sent, 2);
    let before = snapshot(host.place.path()).or_fail();
    let mut next = tree_of(&["a"], "2");
    next.insert(b"shared", link(b"a"));
    let (_, text) = code(host.push(written(&next).path()));
    assert!(text.contains("shared: the server makes no symbolic link"), "{text}");
    let after = snapshot(host.place.path()).or_fail();
    assert_eq!(diff_trees(&before, &after, &DiffOptions::default()), Vec::<String>::new());
}

/// What a link leads to can't be read, so it is replaced.
#[test]
fn links_that_a_server_cannot_read_are_replaced() {
    let host = Host::new("-P readlink");
    let outside = written(&tree_of(&["precious"], "outside"));
    let mut old = Tree::default();
    for name in ["now-file", "gone", "still"] {
        old.insert(
            name.as_bytes(),
            link(outside.path().join("precious").as_os_str().as_encoded_bytes()),
        );
    }
    old.write_to(&host.assets()).or_fail();
    let mut new = tree_of(&["now-file"], "1");
    new.insert(b"still", link(b"now-file"));
    let source = written(&new);
    for _ in 0..2 {
        host.push(source.path()).or_fail();
        assert_same(source.path(), &host.assets());
    }
    assert_eq!(fs::read(outside.path().join("precious")).or_fail(), b"outside precious");
}

/// New files are live, and the error says what could not go.
#[test]
fn a_server_that_removes_nothing_publishes_and_names_what_stays() {
    let host = Host::new("-P remove,rmdir");
    tree_of(&["a", "gone", "old/gone"], "old").write_to(&host.assets()).or_fail();
    let source = written(&tree_of(&["a"], "new"));
    let (_, text) = code(host.push(source.path()));
    assert!(text.contains("Cannot remove") && text.contains("of 3 such paths"), "{text}");
    assert_eq!(fs::read(host.assets().join("a")).or_fail(), b"new a");
    assert!(host.assets().join("old/gone").exists());
}
