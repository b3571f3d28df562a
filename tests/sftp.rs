//! Pushing over SFTP alone, by the library's call, to OpenSSH's own SFTP server: what
//! `assetsync_sync::sftp` promises, and what it leaves behind when it fails.

mod changed_server;
mod comparing;
mod first_contact;
mod interrupted;
mod links;
mod one_name;
mod refusals;
mod round_trips;
mod taken_back;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use assetsync_core::protocol::FailureCode;
use assetsync_ssh::{Agents, NoPrompt, SshOptions, Target};
use assetsync_sync::internals::{NoMonitor, push_over_sftp};
use assetsync_sync::{
    ConnectOptions, Event, Filter, Monitor, Options, Policy, PushError, Refusal, Report, Rule,
    Source, Store,
};
use assetsync_testbed::tree::{DiffOptions, Entry, Mtimes, Tree, TreePair, diff_trees, snapshot};
use assetsync_testbed::{Route, Sshd, corpora};
use tempfile::TempDir;

pub use self::taken_back::refusing;
use crate::interruptions::faults::until;
use crate::support::{OrFail, assert_untouched, scratch};

/// A time long ago.
const THEN: (i64, u32) = (1_600_000_000, 123_456_789);

/// A server that speaks nothing but SFTP, and the place of a destination on it.
struct Host {
    sshd: Sshd,
    place: TempDir,
    /// What the pushing machine remembers.
    store: Store,
    _kept: TempDir,
}

/// How a test pushes.
struct How {
    keep: bool,
    max_delete: Option<u64>,
    dry_run: bool,
    checksum: bool,
    /// Without a store, as a machine that never pushed.
    forgetful: bool,
    by_size: bool,
    filter: Filter,
}

impl Default for How {
    /// Whatever stands there may go.
    fn default() -> How {
        How {
            keep: false,
            max_delete: Some(u64::MAX),
            dry_run: false,
            checksum: false,
            forgetful: false,
            by_size: false,
            filter: Filter::default(),
        }
    }
}

/// Remembers notices.
#[derive(Default)]
struct Notices(Mutex<Vec<String>>);

impl Monitor for Notices {
    fn event(&self, event: Event<'_>) {
        if let Event::Notice(text) = event {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

impl Notices {
    fn say(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|notice| notice.contains(text))
    }
}

/// Calls a function with every event.
struct Hook<F>(F);

impl<F: Fn(Event<'_>) + Sync> Monitor for Hook<F> {
    fn event(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl Host {
    /// A server with these flags of sftp-server(8).
    fn new(flags: &str) -> Host {
        let command = format!("ForceCommand internal-sftp {flags}");
        Host::at(Sshd::builder().config(&command).start().or_fail())
    }

    fn at(sshd: Sshd) -> Host {
        let (place, kept) = (scratch(), scratch());
        let store = Store::open(kept.path()).or_fail();
        Host { sshd, place, store, _kept: kept }
    }

    /// The destination: alone in its parent.
    fn assets(&self) -> PathBuf {
        self.place.path().join("site/assets")
    }

    fn push(&self, source: &Path) -> Result<Report, PushError> {
        self.push_so(source, &self.assets(), &How::default(), &NoMonitor)
    }

    fn push_so(
        &self,
        source: &Path,
        to: &Path,
        how: &How,
        monitor: &dyn Monitor,
    ) -> Result<Report, PushError> {
        self.push_scanned(
            &Source::scan(source, &Policy { filter: how.filter.clone(), ..Policy::default() })
                .or_fail(),
            to,
            how,
            monitor,
        )
    }

    fn push_scanned(
        &self,
        source: &Source,
        to: &Path,
        how: &How,
        monitor: &dyn Monitor,
    ) -> Result<Report, PushError> {
        let config_file = Some(self.sshd.ssh_config().to_owned());
        let connection = ConnectOptions {
            agents: &Agents::default(),
            ssh: &SshOptions { config_file, ..SshOptions::default() },
            prompt: &NoPrompt,
            timeout: Duration::from_secs(60),
            bytes_per_second: None,
            dry_run: how.dry_run,
            checksum: how.checksum,
            store: (!how.forgetful).then_some(&self.store),
            group: None,
            run: None,
        };
        let mut target = Route::ALIAS.as_bytes().to_vec();
        target.push(b':');
        target.extend(to.as_os_str().as_bytes());
        let target = Target::parse(OsStr::from_bytes(&target)).or_fail();
        let mut options = Options::default();
        options.policy.delete = !how.keep;
        options.max_delete = how.max_delete;
        options.policy.filter = how.filter.clone();
        if how.by_size {
            options.policy.size_only = true;
        }
        push_over_sftp(source, &target, &connection, &options, monitor)
    }
}

/// The differences that count over SFTP: times are whole seconds.
pub fn differences(expected: &Path, found: &Path) -> Vec<String> {
    let options = DiffOptions { mtimes: Mtimes::Seconds, ..DiffOptions::default() };
    diff_trees(&snapshot(expected).or_fail(), &snapshot(found).or_fail(), &options)
}

/// OpenSSH's SFTP server as a program.
pub fn sftp_server() -> &'static str {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    found.expect("sftp-server is missing: apt-get install openssh-sftp-server")
}

#[track_caller]
fn assert_same(expected: &Path, found: &Path) {
    assert_eq!(differences(expected, found), Vec::<String>::new());
}

/// Ends the test if anything of a push is left at or beside a destination, but for the word that
/// one has completed.
#[track_caller]
fn assert_clean(assets: &Path) {
    let parent = assets.parent().unwrap();
    assert_eq!(names_in(parent), [".assetsync-assets", "assets"]);
    assert_eq!(names_in(&parent.join(".assetsync-assets")), ["pushed"]);
    assert!(!assets.join(".assetsync").exists());
}

/// The same for a destination that is a file system of its own, where the work directory is inside.
#[track_caller]
fn assert_clean_inside(assets: &Path) {
    assert_eq!(names_in(assets.parent().unwrap()), ["assets"]);
    assert_eq!(names_in(&assets.join(".assetsync")), ["pushed"]);
    fs::remove_dir_all(assets.join(".assetsync")).or_fail();
}

/// The names in a directory, sorted.
fn names_in(dir: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(dir).or_fail();
    let mut names: Vec<OsString> = entries.map(|entry| entry.or_fail().file_name()).collect();
    names.sort();
    names
}

/// A tree with these files, of this content, and their names.
fn tree_of(names: &[&str], content: &str) -> Tree {
    let mut tree = Tree::default();
    for name in names {
        let bytes = format!("{content} {name}").into_bytes();
        tree.insert(name.as_bytes(), Entry::File { bytes, mode: 0o644, mtime: THEN });
    }
    tree
}

fn written(tree: &Tree) -> TempDir {
    let dir = scratch();
    tree.write_to(dir.path()).or_fail();
    dir
}

fn code(result: Result<Report, PushError>) -> (FailureCode, String) {
    match result {
        Err(PushError::Agent(failure)) => (failure.code, failure.text),
        other => panic!("{other:?}"),
    }
}

/// Pushes pairs with `delete`, then again; the second push must find nothing to do.
fn push_pairs(host: &Host, seeds: std::ops::Range<u64>, monitor: &dyn Monitor) {
    for seed in seeds {
        let pair = TreePair::honest(seed);
        let (old, new) = (host.assets(), written(&pair.new));
        let _ = fs::remove_dir_all(&old);
        pair.old.write_to(&old).or_fail();
        host.push_so(new.path(), &old, &How::default(), monitor)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(differences(new.path(), &old), Vec::<String>::new(), "seed {seed}");
        let again = host.push(new.path()).or_fail();
        assert_eq!(again.plan.actions, [], "seed {seed}");
        assert_eq!((again.files_sent, again.bytes_sent), (0, 0));
        assert_clean(&old);
    }
}

#[test]
fn pushed_trees_are_equal_and_the_second_push_sends_nothing() {
    push_pairs(&Host::new(""), 0..24, &NoMonitor);
}

#[test]
fn without_posix_rename_pushed_trees_are_equal_too_and_the_user_is_told() {
    let notices = Notices::default();
    push_pairs(&Host::new("-P posix-rename"), 100..112, &notices);
    assert!(notices.say("no posix-rename"));
}

#[test]
fn a_server_that_has_none_of_the_extensions_will_do() {
    let notices = Notices::default();
    push_pairs(&Host::new("-P posix-rename,fsync,statvfs,limits"), 200..206, &notices);
    assert!(notices.say("can't sync files"));
}

#[test]
fn a_published_bundle_arrives() {
    let host = Host::new("");
    let corpus = corpora::path("n8n-2.40.3").or_fail();
    let first = host.push(&corpus).or_fail();
    assert_eq!(first.files_sent, first.total.files);
    assert_eq!(first.bytes_sent, first.total.bytes);
    assert_same(&corpus, &host.assets());
    let again = host.push(&corpus).or_fail();
    assert_eq!((again.files_sent, again.bytes_sent, again.retried), (0, 0, 0));
    assert_clean(&host.assets());
}

#[test]
fn extraneous_files_stay_without_delete() {
    let host = Host::new("");
    tree_of(&["kept", "d/kept", "both"], "old").write_to(&host.assets()).or_fail();
    let new = written(&tree_of(&["both", "new"], "newer"));
    let how = How { keep: true, ..How::default() };
    let report = host.push_so(new.path(), &host.assets(), &how, &NoMonitor).or_fail();
    assert_eq!((report.files_sent, report.deleted), (2, 0));
    assert_eq!(fs::read(host.assets().join("d/kept")).or_fail(), b"old d/kept");
    assert_eq!(fs::read(host.assets().join("both")).or_fail(), b"newer both");
}

/// Every kind of thing turns into every other; a directory's content goes, and what a link leads to
/// stays.
#[test]
fn kinds_change() {
    let outside = written(&tree_of(&["precious"], "outside"));
    let entry = |kind: usize, tree: &mut Tree, name: &str| match kind {
        0 => {
            tree.insert(name.as_bytes(), Entry::Dir { mode: 0o750 });
            tree.insert(format!("{name}/precious").as_bytes(), file(b"inside"));
            tree.insert(format!("{name}/deep/er").as_bytes(), file(b"deep"));
        }
        1 => tree.insert(name.as_bytes(), file(name.as_bytes())),
        2 => tree.insert(name.as_bytes(), link(outside.path().as_os_str().as_bytes())),
        3 => tree.insert(name.as_bytes(), link(b"dangling")),
        _ => {}
    };
    for flags in ["", "-P posix-rename"] {
        let host = Host::new(flags);
        let (mut old, mut new) = (Tree::default(), Tree::default());
        for (from, to) in (0..5).flat_map(|from| (0..5).map(move |to| (from, to))) {
            let name = format!("{from}-{to}");
            entry(from, &mut old, &name);
            entry(to, &mut new, &name);
        }
        old.write_to(&host.assets()).or_fail();
        let new = written(&new);
        host.push(new.path()).or_fail();
        assert_same(new.path(), &host.assets());
        assert_eq!(fs::read(outside.path().join("precious")).or_fail(), b"outside precious");
        assert_clean(&host.assets());
    }
}

fn file(bytes: &[u8]) -> Entry {
    Entry::File { bytes: bytes.to_vec(), mode: 0o640, mtime: THEN }
}

fn link(target: &[u8]) -> Entry {
    Entry::Symlink { target: target.to_vec() }
}

#[test]
fn odd_names_modes_and_times_arrive() {
    let host = Host::new("");
    let mut tree = Tree::default();
    let long = [b'x'; 255];
    let names: [&[u8]; 9] =
        [b"-rf", b"new\nline", b"\xff\xfe", b" ", b"...", b"a:b", b"$(id)", b"*", &long];
    for name in names {
        tree.insert(name, file(name));
        tree.insert(&[b"d/", name, b"/", name].concat(), file(b""));
        tree.insert(&[b"l", &name[..name.len().min(200)]].concat(), link(name));
    }
    for (name, mode, mtime) in [("ro", 0o400, (0, 0)), ("late", 0o775, (4_000_000_000, 1))] {
        let bytes = name.as_bytes().to_vec();
        tree.insert(name.as_bytes(), Entry::File { bytes, mode, mtime });
    }
    tree.insert(b"closed", Entry::Dir { mode: 0o500 });
    tree.insert(b"closed/x", file(b"x"));
    let source = written(&tree);
    host.push(source.path()).or_fail();
    assert_same(source.path(), &host.assets());
    assert_eq!(host.push(source.path()).or_fail().plan.actions, []);
}

#[test]
fn a_dry_run_says_the_plan_and_creates_nothing() {
    let host = Host::new("");
    let source = written(&tree_of(&["a", "d/b"], "x"));
    let how = How { dry_run: true, ..How::default() };
    let report = host.push_so(source.path(), &host.assets(), &how, &NoMonitor).or_fail();
    assert_eq!((report.files_sent, report.directories, report.bytes_sent), (2, 1, 0));
    assert_eq!(snapshot(host.place.path()).or_fail().len(), 0);
}

#[test]
fn a_destination_behind_a_link_is_followed_and_one_that_is_a_file_is_not_touched() {
    let host = Host::new("");
    let source = written(&tree_of(&["a"], "x"));
    let place = host.place.path();
    fs::create_dir(place.join("release")).or_fail();
    symlink("release", place.join("current")).or_fail();
    host.push_so(source.path(), &place.join("current/"), &How::default(), &NoMonitor).or_fail();
    assert_same(source.path(), &place.join("release"));
    fs::write(place.join("file"), "precious").or_fail();
    let before = snapshot(place).or_fail();
    for to in ["file", "file/below"] {
        let result = host.push_so(source.path(), &place.join(to), &How::default(), &NoMonitor);
        let (code, text) = code(result);
        assert_eq!(code, FailureCode::NotADirectory);
        assert!(text.contains(Route::ALIAS) && text.contains("/file: not a directory"), "{text}");
    }
    assert_untouched(&before, place);
}

#[test]
fn a_read_only_server_is_named_and_nothing_changes() {
    let host = Host::new("-R");
    tree_of(&["a", "gone"], "old").write_to(&host.assets()).or_fail();
    let before = snapshot(host.place.path()).or_fail();
    let source = written(&tree_of(&["a", "b"], "newer"));
    let (code, text) = code(host.push(source.path()));
    assert_eq!(code, FailureCode::Permission);
    let expected = format!(
        "testbed: Cannot make directory {}/.assetsync over SFTP: Permission denied",
        host.assets().display()
    );
    assert!(text.contains(&expected), "{text}");
    assert_untouched(&before, host.place.path());
}

#[test]
fn excluded_paths_are_protected_from_delete() {
    let host = Host::new("");
    tree_of(&["d/keep", "d/go", "go"], "old").write_to(&host.assets()).or_fail();
    let source = written(&tree_of(&["a"], "new"));
    let filter = Filter::parse([(Rule::Exclude, &b"keep"[..])]).or_fail();
    let notices = Notices::default();
    let how = How { filter, ..How::default() };
    host.push_so(source.path(), &host.assets(), &how, &notices).or_fail();
    let left: Vec<_> = snapshot(&host.assets()).or_fail().into_keys().collect();
    assert_eq!(left, [&b"a"[..], b"d", b"d/keep"]);
    assert!(notices.say("d is not empty and stays"));
}
