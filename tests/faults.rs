//! What the tests of faults share: a site in two builds, pushes of it, and the checks that hold at
//! any moment.

#[path = "faults/build.rs"]
mod build;
#[path = "faults/gate.rs"]
mod gate;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use assetsync_core::digest::Digest;
use assetsync_testbed::tree::{DiffOptions, Kind, Snapshot, Tree, diff_trees, snapshot};

pub use self::build::{ENTRY_POINTS, build, fingerprint, noise};
pub use self::gate::{gated_shell, open_gate};
use crate::support::MEANT;

/// The longest that a condition is waited for; no test passes by its end.
pub const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// The command under test.
pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_assetsync").into()
}

/// A directory that is removed in the end; in memory where there is such a place, so that syncing
/// the whole file system, as every push does, costs a test nothing.
#[derive(Debug)]
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() { shared.into() } else { std::env::temp_dir() };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("assetsync-faults-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Dir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where agents are installed by the tests' own pushes: not the user's cache.
pub fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-cache");
        fs::create_dir_all(&path).unwrap();
        path
    })
}

/// A program that this machine must have.
pub fn need(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), "/sbin".into()]);
    let found = dirs.any(|dir| dir.join(program).is_file());
    assert!(found, "{program} is missing: apt-get install {package}");
}

/// Runs a program that must succeed.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("can't run {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} ended with {}: {said}", output.status);
}

/// Looks until `found` gives something.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_LIMIT;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {WAIT_LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a push said and how it ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// A number of the `done` line of `--json`.
    pub fn number(&self, name: &str) -> u64 {
        let done = self.stdout.lines().find(|line| is_done(line));
        let done = done.unwrap_or_else(|| panic!("no done line: {self:?}"));
        let key = format!("\"{name}\":");
        let at = done.find(&key).unwrap_or_else(|| panic!("no {name} in {done}"));
        let digits: String =
            done[at + key.len()..].trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("{name} is no number in {done}"))
    }

    /// Checks that it failed as failures should: an exit code that says so, a message, no panic.
    pub fn assert_failed(&self, words: &[&str]) {
        self.assert_no_panic();
        assert!(matches!(self.code, Some(1..=3)), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:#?}");
        }
        self.assert_safe_to_show();
    }

    /// Checks that nothing in its output drives a terminal.
    pub fn assert_safe_to_show(&self) {
        let drives = |c: char| c != '\n' && c != '\t' && assetsync_core::text::is_unsafe(c);
        assert!(!self.stderr.contains(drives), "raw characters on standard error: {self:?}");
        assert!(!self.stdout.contains(drives), "raw characters on standard output: {self:?}");
    }

    pub fn assert_ok(&self) {
        self.assert_no_panic();
        assert!(self.ok(), "{self:?}");
    }

    pub fn assert_no_panic(&self) {
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

fn is_done(line: &str) -> bool {
    line.replace(' ', "").contains("\"event\":\"done\"")
}

/// One `assetsync push --json`, to be told more about before it runs.
#[derive(Debug)]
pub struct Push {
    command: Command,
}

impl Push {
    pub fn new(source: &Path, destination: impl Into<OsString>) -> Push {
        let mut command = Command::new(program());
        command.args(["push", "--json"]);
        Push { command }.env("XDG_CACHE_HOME", cache()).end(source, destination.into())
    }

    fn end(mut self, source: &Path, destination: OsString) -> Push {
        self.command.arg(source).arg(destination);
        self.command.stdin(Stdio::null());
        self
    }

    /// Adds options.
    pub fn with<A: AsRef<OsStr>>(mut self, options: impl IntoIterator<Item = A>) -> Push {
        self.command.args(options);
        self
    }

    /// Runs it by another program, whose words these are.
    pub fn under(self, words: &[&str]) -> Push {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.command.get_program()).args(self.command.get_args());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null());
        Push { command }
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Push {
        self.command.env(name, value);
        self
    }

    pub fn run(mut self) -> Outcome {
        outcome(self.command.output().expect("the command runs"))
    }

    /// Starts it, to be waited for later.
    pub fn start(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(self.command.spawn().expect("the command starts"))
    }
}

/// A push on its way.
#[derive(Debug)]
pub struct Running(std::process::Child);

impl Running {
    /// Kills it.
    pub fn kill(&mut self) {
        self.0.kill().expect("it runs");
    }

    pub fn wait(self) -> Outcome {
        outcome(self.0.wait_with_output().expect("the command ends"))
    }
}

fn outcome(output: std::process::Output) -> Outcome {
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Writes an executable script.
pub fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Passes on `FAULT_BYTES` of what the sender says, then kills the sender.
pub fn killing_shell(dir: &Dir) -> PathBuf {
    let path = dir.join("killing");
    script(
        &path,
        "#!/bin/sh\n\
         { dd bs=64k count=\"$FAULT_BYTES\" iflag=count_bytes 2>&-; kill -9 $PPID; } |\n\
         /bin/sh -c \"$2\"\n",
    );
    path
}

/// Does something in the end, however that comes.
pub struct OnDrop<F: Fn()>(pub F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A destination with a build of a site on it, and the next build at the source.
#[derive(Debug)]
pub struct Site {
    pub dir: Dir,
    old: Tree,
    /// What the destination held before the push.
    pub before: Snapshot,
    /// What the source holds.
    pub wanted: Snapshot,
    outside: Snapshot,
}

impl Site {
    /// The second build at the source, the first at the destination.
    pub fn new() -> Site {
        Site::on(|_| {})
    }

    /// The same, on a host whose directory is made ready by `prepare`.
    pub fn on(prepare: impl FnOnce(&Path)) -> Site {
        let (old, new, dir) = (build(1), build(2), Dir::new());
        new.write_to(&dir.join("src")).unwrap();
        fs::create_dir(dir.join("host")).unwrap();
        prepare(&dir.join("host"));
        fs::create_dir(dir.join("host/outside")).unwrap();
        fs::write(dir.join("host/outside/secret"), "not to be touched").unwrap();
        let wanted = snapshot(&dir.join("src")).unwrap();
        let mut site = Site { dir, old, before: Snapshot::new(), wanted, outside: Snapshot::new() };
        site.reset();
        site.before = site.standing();
        site.outside = site.elsewhere();
        site
    }

    pub fn source(&self) -> PathBuf {
        self.dir.join("src")
    }

    pub fn destination(&self) -> PathBuf {
        self.dir.join("host/site")
    }

    pub fn work(&self) -> PathBuf {
        self.dir.join("host/.assetsync-site")
    }

    /// Puts the destination back to before the first push.
    pub fn reset(&self) {
        let _ = fs::remove_dir_all(self.destination());
        let _ = fs::remove_dir_all(self.work());
        self.old.write_to(&self.destination()).unwrap();
    }

    /// A push with `--delete`, which may delete what no push has brought.
    pub fn push(&self) -> Push {
        self.push_to(self.destination())
    }

    /// The same, whose processes [`Self::wait_alone`] knows.
    fn push_to(&self, destination: impl Into<OsString>) -> Push {
        let push = Push::new(&self.source(), destination).with(MEANT);
        push.env("FAULT_SITE", self.dir.path())
    }

    /// Waits until no process of a push is left: an agent may outlive its sender by a moment.
    pub fn wait_alone(&self) {
        let mine = format!("FAULT_SITE={}\0", self.dir.path().display()).into_bytes();
        until("the end of all processes", || {
            let processes = fs::read_dir("/proc").unwrap().flatten();
            let mut environments =
                processes.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
            let is_mine =
                |environment: Vec<u8>| environment.windows(mine.len()).any(|part| part == mine);
            (!environments.any(is_mine)).then_some(())
        });
    }

    /// A push with `--delete` through `-e`: the script gets the host and the command to run.
    pub fn push_by(&self, remote_shell: &Path) -> Push {
        self.push_by_to(remote_shell, &self.destination())
    }

    /// The same to another path.
    pub fn push_by_to(&self, remote_shell: &Path, destination: &Path) -> Push {
        let destination = format!("somewhere:{}", destination.display());
        // Run by name, as scripts can't be started where nothing can.
        let shell = format!("/bin/sh {}", remote_shell.display());
        self.push_to(destination).with(["-e", &shell])
    }

    /// Pushes without faults until no leftover of an interrupted push holds the lock any more;
    /// gives the outcome of the push that worked.
    pub fn push_again(&self) -> Outcome {
        until("a push after the fault", || {
            let outcome = self.push().run();
            outcome.assert_no_panic();
            let locked = !outcome.ok() && outcome.stderr.contains("Another push");
            assert!(outcome.ok() || locked, "{outcome:?}");
            outcome.ok().then_some(outcome)
        })
    }

    /// What stands at the destination; directories without their own times, which are not carried.
    pub fn standing(&self) -> Snapshot {
        let mut found = snapshot(&self.destination()).unwrap();
        let dirs = found.values_mut().filter(|node| node.kind == Kind::Dir);
        dirs.for_each(|node| node.mtime_ns = 0);
        found
    }

    /// What stands on the destination's host beside the destination and its work directory.
    fn elsewhere(&self) -> Snapshot {
        let mut found = snapshot(&self.dir.join("host")).unwrap();
        let within = |path: &[u8], dir: &[u8]| {
            path.strip_prefix(dir).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        found.retain(|path, _| !within(path, b"site") && !within(path, b".assetsync-site"));
        found
    }

    fn check_elsewhere(&self, when: &str) {
        let options = DiffOptions { dir_mtimes: true, ..DiffOptions::default() };
        let differences = diff_trees(&self.outside, &self.elsewhere(), &options);
        assert_eq!(differences, Vec::<String>::new(), "{when}: outside of the destination");
    }

    /// Checks what must hold at any moment, whatever happened.
    pub fn check(&self, when: &str) {
        let now = self.standing();
        // What is being made; it is gone after the next push.
        let is_temporary = |path: &[u8]| {
            path.split(|&byte| byte == b'/').any(|name| name.starts_with(b".assetsync-tmp."))
        };
        for (path, node) in now.iter().filter(|(path, _)| !is_temporary(path)) {
            let shown = path.escape_ascii();
            let versions = [self.before.get(path), self.wanted.get(path)];
            let known = versions.iter().flatten().any(|version| {
                let same_mode = version.mode == node.mode
                    || (node.kind == Kind::Dir && version.mode | 0o700 == node.mode)
                    || node.kind == Kind::Symlink;
                version.kind == node.kind
                    && version.hash == node.hash
                    && version.target == node.target
                    && same_mode
            });
            assert!(known, "{when}: {shown} is neither old nor new: {node:?}, not {versions:?}");
        }
        self.check_missing(when, &now);
        for entry_point in ENTRY_POINTS {
            self.check_names(when, &now, entry_point);
        }
        self.check_elsewhere(when);
    }

    /// Nothing that is in both builds is missing, and nothing is deleted before the entry points
    /// are new.
    fn check_missing(&self, when: &str, now: &Snapshot) {
        let all_new = ENTRY_POINTS.iter().all(|name| {
            let name = name.as_bytes();
            now.get(name).map(|node| node.hash) == self.wanted.get(name).map(|node| node.hash)
        });
        for path in self.before.keys().filter(|path| !now.contains_key(*path)) {
            // What changes its kind, and what is below, can't be replaced in one step.
            let changes_kind = [&b"kind-"[..]].iter().any(|prefix| path.starts_with(prefix));
            let deleted = !self.wanted.contains_key(path) && all_new;
            assert!(changes_kind || deleted, "{when}: {} is missing", path.escape_ascii());
        }
    }

    fn check_names(&self, when: &str, now: &Snapshot, entry_point: &str) {
        let text = fs::read_to_string(self.destination().join(entry_point));
        let text = text.unwrap_or_else(|error| panic!("{when}: {entry_point}: {error}"));
        for name in text.lines().filter(|line| line.starts_with("assets/")) {
            assert!(
                now.contains_key(name.as_bytes()),
                "{when}: {entry_point} names missing {name}"
            );
        }
    }

    /// Checks that nothing at all changed at the destination.
    pub fn check_untouched(&self, when: &str) {
        let differences = diff_trees(&self.before, &self.standing(), &DiffOptions::default());
        assert_eq!(differences, Vec::<String>::new(), "{when}: the destination changed");
        self.check_elsewhere(when);
    }

    /// Checks that the destination is what the source is.
    pub fn check_equal(&self, when: &str) {
        let wanted = snapshot(&self.source()).unwrap();
        let differences = diff_trees(&wanted, &self.standing(), &DiffOptions::default());
        assert_eq!(differences, Vec::<String>::new(), "{when}");
        self.check_elsewhere(when);
        assert_eq!(self.staged(), BTreeSet::new(), "{when}: the staging area is not empty");
    }

    /// Names in the staging area.
    pub fn staged(&self) -> BTreeSet<String> {
        let Ok(items) = fs::read_dir(self.work().join("stage")) else { return BTreeSet::new() };
        items.map(|item| item.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// How many contents a push must still send: those that are not staged whole, of files that are
    /// not in place.
    pub fn missing_contents(&self) -> u64 {
        let digest_if_whole = |name: String| {
            let content = fs::read(self.work().join("stage").join(&name)).ok()?;
            let digest = Digest::of(&content).to_string();
            name.starts_with(&digest).then_some(digest)
        };
        let staged: BTreeSet<_> = self.staged().into_iter().filter_map(digest_if_whole).collect();
        let standing = self.standing();
        let in_place = |path: &Vec<u8>| standing.get(path).and_then(|node| node.hash);
        let missing: BTreeSet<String> = self
            .wanted
            .iter()
            .filter(|(path, node)| in_place(path) != node.hash)
            .filter_map(|(_, node)| Some(node.hash?.to_string()))
            .filter(|digest| !staged.contains(digest))
            .collect();
        missing.len() as u64
    }
}
