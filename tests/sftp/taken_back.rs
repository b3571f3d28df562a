//! A push that fails while it publishes is taken back: the server refuses one request, every one in
//! turn.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assetsync_sync::{PushError, Report};
use assetsync_testbed::tree::{Entry, Kind, Snapshot, Tree, snapshot};
use tempfile::TempDir;

use super::changed_server::{part_of_a_server, relay, running, string};
use super::{Host, file, link, names_in, sftp_server, tree_of, written};
use crate::support::{OrFail, scratch};

const FILE: &str = "ASSETSYNC_TEST_REFUSE";
const NAME: &str = "sftp::taken_back::not_a_test_but_a_part_of_a_server";

/// A request that OpenSSH's server refuses with SSH_FX_FAILURE: a directory where one is.
fn refused(id: &[u8]) -> Vec<u8> {
    [&[14], id, &1_u32.to_be_bytes(), b"/", &[0; 4]].concat()
}

/// Whether a request changes names or attributes.
fn is_change(packet: &[u8]) -> bool {
    let extension = || string(&packet[5..]).0;
    match packet[0] {
        9 | 13..=15 | 18 | 20 => true,
        200 => [&b"posix-rename@openssh.com"[..], b"hardlink@openssh.com"].contains(&extension()),
        _ => false,
    }
}

/// Refuses the change whose number is in the file, if there is one, and removes the file then.
#[test]
fn not_a_test_but_a_part_of_a_server() {
    let Some(file) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    let number = fs::read_to_string(&file).ok().map(|text| text.parse::<u32>().or_fail());
    let mut seen = 0;
    relay(move |packet| {
        seen += u32::from(is_change(&packet));
        if Some(seen) != number || !is_change(&packet) {
            return packet;
        }
        fs::remove_file(&file).or_fail();
        refused(&packet[1..5])
    })
}

/// A server's command that refuses the change whose number is in the file, if there is one.
pub fn refusing(number: &Path) -> String {
    let part = part_of_a_server(NAME, FILE, &number.display().to_string());
    format!("{part} | {}", sftp_server())
}

/// A server, and the file with the number of the change that it refuses.
struct Server {
    host: Host,
    number: PathBuf,
    _dir: TempDir,
}

impl Server {
    /// With these flags of sftp-server(8).
    fn new(flags: &str) -> Server {
        let dir = scratch();
        let number = dir.path().join("number");
        let host = running(&dir, &format!("{} {flags}", refusing(&number)));
        Server { host, number, _dir: dir }
    }
}

/// Every kind of change.
fn trees() -> (Tree, Tree) {
    let mut old = tree_of(&["app.js", "d/x.css", "gone", "going/in/f", "was-dir/f"], "old");
    old.insert(b"index.html", file(b"old"));
    old.insert(b"touched", file(b"same"));
    old.insert(b"was-file", file(b"old"));
    old.insert(b"was-link", link(b"app.js"));
    old.insert(b"other-link", link(b"app.js"));
    old.insert(b"link-to-dir", link(b"d"));
    old.insert(b"closed/f", file(b"old"));
    let mut new =
        tree_of(&["app.js", "d/x.css", "new/deep/f", "closed/g", "link-to-dir/f"], "newer");
    new.insert(b"index.html", file(b"newer"));
    new.insert(
        b"touched",
        Entry::File { bytes: b"same".to_vec(), mode: 0o600, mtime: (1_700_000_000, 0) },
    );
    new.insert(b"was-file/f", file(b"newer"));
    new.insert(b"was-dir", file(b"newer"));
    new.insert(b"was-link", file(b"newer"));
    new.insert(b"other-link", link(b"index.html"));
    new.insert(b"new-link", link(b"index.html"));
    (old, new)
}

fn close(dir: &Path) {
    fs::set_permissions(dir.join("closed"), Permissions::from_mode(0o555)).or_fail();
}

/// Content and attributes; times as SFTP carries them, and only those of files.
fn kept(dir: &Path) -> Snapshot {
    let mut kept = snapshot(dir).or_fail();
    // The work directory may be inside, and a directory that was made to prove that it can be.
    let is_ours = |path: &[u8]| path.windows(10).any(|part| part == b".assetsync");
    kept.retain(|path, _| !is_ours(path));
    for node in kept.values_mut() {
        let seconds = node.mtime_ns / 1_000_000_000;
        node.mtime_ns = if node.kind == Kind::File { seconds } else { 0 };
    }
    kept
}

/// The paths that are not as in `new`. What is not in it may be as in `old`.
fn not_new(found: &Snapshot, new: &Snapshot, old: &Snapshot) -> Vec<String> {
    let same = |path: &[u8], wanted: &Snapshot| {
        let content =
            |of: &Snapshot| of.get(path).map(|node| (node.kind, node.hash, node.target.clone()));
        content(found) == content(wanted)
    };
    let wrong = new.keys().filter(|path| !same(path, new));
    let left = found.keys().filter(|path| !new.contains_key(*path) && !same(path, old));
    wrong.chain(left).map(|path| path.escape_ascii().to_string()).collect()
}

/// A push of which one change was refused.
struct Refused {
    before: Snapshot,
    pushed: Result<Report, PushError>,
    /// Whether there was a change of that number.
    was_refused: bool,
}

impl Server {
    /// Puts the old tree there, and pushes the new one, of which this change is refused.
    fn push_refusing(&self, number: u32, old: &Tree, new: &Path) -> Refused {
        let (host, assets) = (&self.host, self.host.assets());
        let _ = fs::remove_dir_all(host.place.path().join("site"));
        old.write_to(&assets).or_fail();
        close(&assets);
        let before = kept(&assets);
        fs::write(&self.number, number.to_string()).or_fail();
        let pushed = host.push(new);
        let was_refused = !self.number.exists();
        let _ = fs::remove_file(&self.number);
        Refused { before, pushed, was_refused }
    }

    /// The next push leaves the new tree, and nothing of its own.
    fn check_next_push(&self, number: u32, old: &Snapshot, new: &Path) {
        let (assets, wanted) = (self.host.assets(), kept(new));
        self.host.push(new).or_fail();
        let mut found = kept(&assets);
        // Directories stay in which the one that proved that they can be changed was not removed.
        found.retain(|path, node| node.kind != Kind::Dir || wanted.contains_key(path));
        assert!(found == wanted, "{number}: {:?}", not_new(&found, &wanted, old));
        for work in [assets.join(".assetsync"), assets.with_file_name(".assetsync-assets")] {
            let left = if work.exists() { names_in(&work) } else { Vec::new() };
            assert!(left.iter().all(|name| name == "pushed"), "{number}: {left:?}");
        }
    }
}

/// Refuses every change in turn.
fn every_refusal(flags: &str) {
    let server = Server::new(flags);
    let (old, new) = trees();
    let (new, mut taken_back) = (written(&new), 0);
    for number in 1.. {
        let Refused { before, pushed, was_refused } =
            server.push_refusing(number, &old, new.path());
        let (found, wanted) = (kept(&server.host.assets()), kept(new.path()));
        match &pushed {
            Ok(_) => assert_eq!(not_new(&found, &wanted, &before), [""; 0], "{number}"),
            Err(PushError::Agent(failure)) if failure.text.contains("the new files are live") => {
                assert_eq!(not_new(&found, &wanted, &before), [""; 0], "{number}: {failure:?}");
            }
            Err(error) => {
                let wrong = not_new(&before, &found, &found);
                assert!(found == before, "{number}: {error}: {wrong:?}");
                let text = error.to_string();
                taken_back += u32::from(text.contains("is put back, so nothing changed"));
            }
        }
        server.check_next_push(number, &before, new.path());
        if !was_refused {
            break;
        }
    }
    assert!(taken_back > 10, "{taken_back}");
}

#[test]
fn a_push_that_is_refused_any_one_change_is_taken_back() {
    every_refusal("");
}

#[test]
fn a_push_to_a_server_without_posix_rename_is_taken_back() {
    every_refusal("-P posix-rename");
}

/// What is replaced by renaming can't be kept there.
#[test]
fn a_server_that_gives_no_second_names_is_told_of_with_the_files_that_are_new() {
    let server = Server::new("-P hardlink");
    let (old, new) = trees();
    let new = written(&new);
    for number in 1.. {
        let refused = server.push_refusing(number, &old, new.path());
        assert!(refused.was_refused, "no change left a part");
        let Err(error) = &refused.pushed else { continue };
        let text = error.to_string();
        if !text.contains("is put back, except") {
            continue;
        }
        let found = kept(&server.host.assets());
        // A name in the text for each file whose old content is gone.
        let gone = refused.before.iter().filter(|(path, node)| {
            let now = found.get(*path).and_then(|node| node.hash);
            node.kind == Kind::File && now != node.hash
        });
        let gone: Vec<String> = gone.map(|(path, _)| path.escape_ascii().to_string()).collect();
        assert!(
            !gone.is_empty() && gone.iter().all(|path| text.contains(path)),
            "{gone:?}: {text}"
        );
        return server.check_next_push(number, &refused.before, new.path());
    }
}
