//! What the tests of the command share: a machine to push from, what it reported, trees as a
//! compile leaves them, and whether two trees are equal.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use assetsync_testbed::tree::{DiffOptions, Snapshot, diff_trees, snapshot};
use assetsync_testbed::{Route, Sshd, corpora};
use serde_json::Value;
use tempfile::TempDir;

/// Gives the value, or ends the test with what the error says (which names the fix, where the
/// machine lacks something).
pub trait OrFail<T> {
    /// Unwraps, in words.
    fn or_fail(self) -> T;
}

impl<T, E: Display> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self) -> T {
        self.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Options of a push that replaces what something else has put there, and means it.
pub const MEANT: [&str; 3] = ["--delete", "--max-delete", "100000"];

/// Shows a figure to whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "tests are read on a terminal")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}

/// A directory that goes when the test ends.
pub fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("assetsync-test-").tempdir().or_fail()
}

/// The same on a disk, for what is large: memory is short, and a memory limit counts files that are
/// in memory.
pub fn scratch_on_disk() -> TempDir {
    let places = [env!("CARGO_TARGET_TMPDIR"), "/var/tmp"];
    let Some(place) = places.into_iter().find(|place| is_on_disk(Path::new(place))) else {
        panic!(
            "{} are in memory, this test needs a disk: set CARGO_TARGET_DIR",
            places.join(" and ")
        )
    };
    tempfile::Builder::new().prefix("assetsync-test-").tempdir_in(place).or_fail()
}

/// Whether there is such a directory, and not on a file system that is in memory.
fn is_on_disk(dir: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    // The type of the number differs between platforms.
    let kind = rustix::fs::statfs(dir).map(|stat| stat.f_type as u64 & 0xffff_ffff);
    kind.is_ok_and(|kind| kind != TMPFS && kind != RAMFS)
}

/// A machine to push from: the command, in a home and with a cache of its own.
pub struct Machine {
    home: TempDir,
}

impl Machine {
    /// One that has never pushed.
    pub fn new() -> Machine {
        Machine { home: scratch() }
    }

    /// Its home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The command, with `args`, not started yet.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assetsync"));
        for name in ["SSH_AUTH_SOCK", "ASSETSYNC_AGENTS", "ASSETSYNC_STORE", "NO_COLOR"] {
            command.env_remove(name);
        }
        for (name, place) in [
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
        ] {
            command.env(name, self.home().join(place));
        }
        command.env("HOME", self.home()).args(args);
        command
    }

    /// Runs the command to its end.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        Ran(self.command(args).output().or_fail())
    }

    /// Runs `assetsync push --json` by `way` with `options` to its end, however that is.
    #[track_caller]
    pub fn try_push(&self, way: &Way, options: &[&str], source: &Path) -> Ran {
        let given = way.options.iter().map(OsStr::new).chain(options.iter().map(OsStr::new));
        let mut args: Vec<_> =
            ["push", "--json"].map(OsStr::new).into_iter().chain(given).collect();
        args.extend([source.as_os_str(), OsStr::new(&way.destination)]);
        self.run(args)
    }

    /// The same, which must go well.
    #[track_caller]
    pub fn push(&self, way: &Way, options: &[&str], source: &Path) -> Done {
        self.try_push(way, options, source).done()
    }
}

/// A way to a destination.
#[derive(Debug, Clone)]
pub struct Way {
    /// Options of the command.
    pub options: Vec<String>,
    /// The destination as the command takes it.
    pub destination: String,
}

impl Way {
    /// A directory of this machine.
    pub fn local(path: &Path) -> Way {
        Way { options: Vec::new(), destination: text(path) }
    }

    /// A path at the host of `route`, reached as the command chooses.
    pub fn ssh(route: &Route, path: impl AsRef<Path>) -> Way {
        let destination = format!("{}:{}", Route::ALIAS, text(path.as_ref()));
        Way { options: vec!["-F".into(), text(route.config())], destination }
    }

    /// A path on a host that is reached with a [`local_shell`].
    pub fn shell(shell: &Path, path: &Path) -> Way {
        let destination = format!("host:{}", text(path));
        Way { options: vec!["-e".into(), text(shell)], destination }
    }

    /// The same way with more options.
    pub fn with(mut self, options: &[&str]) -> Way {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }
}

/// How the command ended.
pub struct Ran(pub Output);

impl Ran {
    /// Its exit status.
    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// What it wrote to standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Every `done` event, as JSON.
    pub fn done_events(&self) -> Vec<Value> {
        let stdout = self.stdout();
        let events = stdout.lines().map(|line| {
            serde_json::from_str::<Value>(line)
                .unwrap_or_else(|error| panic!("--json wrote {line:?}: {error}"))
        });
        events.filter(|event| event["event"] == "done").collect()
    }

    /// The report of a push to one destination that went well.
    #[track_caller]
    pub fn done(&self) -> Done {
        assert_eq!(self.code(), Some(0), "stdout: {}\nstderr: {}", self.stdout(), self.stderr());
        let events = self.done_events();
        assert_eq!(events.len(), 1, "one line ends each destination: {}", self.stdout());
        assert_eq!(events[0]["ok"], true, "{}", events[0]);
        Done::of(&events[0])
    }
}

/// What a push reported.
#[derive(Debug, Clone)]
pub struct Done {
    /// Regular files of the source.
    pub files_total: u64,
    /// Files for which content, or a recipe with data, travelled.
    pub files_sent: u64,
    /// Paths deleted.
    pub files_deleted: u64,
    /// Bytes to the agent.
    pub bytes_sent: u64,
    /// Bytes from the agent.
    pub bytes_received: u64,
    /// The agent's peak memory.
    pub agent_peak_rss_bytes: u64,
    /// Files and bytes of each recipe.
    pub recipes: BTreeMap<String, Value>,
}

impl Done {
    fn of(event: &Value) -> Done {
        let number = |name: &str| {
            event[name].as_u64().unwrap_or_else(|| panic!("no number {name:?} in {event}"))
        };
        let recipes = event["recipes"].as_object().unwrap_or_else(|| panic!("no recipes: {event}"));
        Done {
            files_total: number("files_total"),
            files_sent: number("files_sent"),
            files_deleted: number("files_deleted"),
            bytes_sent: number("bytes_sent"),
            bytes_received: number("bytes_received"),
            agent_peak_rss_bytes: number("agent_peak_rss_bytes"),
            recipes: recipes.iter().map(|(name, count)| (name.clone(), count.clone())).collect(),
        }
    }
}

/// Writes a remote shell for `-e`: it runs what it is given on this machine, whatever host is
/// named. Agents are installed below `dir`.
pub fn local_shell(dir: &Path) -> PathBuf {
    let (path, cache) = (dir.join("shell"), text(&dir.join("cache")));
    let lines =
        format!("#!/bin/sh\nshift\nexport XDG_CACHE_HOME='{cache}'\nexec /bin/sh -c \"$1\"\n");
    fs::write(&path, lines).or_fail();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).or_fail();
    path
}

/// A server for a test.
pub fn sshd() -> Sshd {
    Sshd::start().or_fail()
}

/// A copy of a corpus at `to`, with times as a compile leaves them. They depend on the last
/// component of `to` and on nothing else, so that what is sent of them is the same on every run and
/// every machine.
pub fn fresh_corpus(name: &str, to: &Path) -> PathBuf {
    write_afresh(&corpora::path(name).or_fail(), to, &mut CompileClock::of(to));
    to.to_path_buf()
}

/// Copies a tree in the order of its names: content and permission bits, with times of `clock`.
fn write_afresh(from: &Path, to: &Path, clock: &mut CompileClock) {
    fs::create_dir_all(to).or_fail();
    let mut names: Vec<_> =
        fs::read_dir(from).or_fail().map(|entry| entry.or_fail().file_name()).collect();
    names.sort();
    for name in names {
        let (path, copy) = (from.join(&name), to.join(&name));
        let kind = fs::symlink_metadata(&path).or_fail().file_type();
        if kind.is_dir() {
            write_afresh(&path, &copy, clock);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path).or_fail(), &copy).or_fail();
        } else {
            fs::copy(&path, &copy).or_fail();
            let file = fs::File::options().write(true).open(&copy).or_fail();
            file.set_modified(clock.keep_alive()).or_fail();
        }
    }
}

/// The clock of a compile that never was: each file is written some hundred microseconds after the
/// one before.
struct CompileClock {
    now: SystemTime,
    state: u64,
}

impl CompileClock {
    /// One that starts in 2025, at a second that depends on the last component of `path`.
    fn of(path: &Path) -> CompileClock {
        const NEW_YEAR: u64 = 1_735_689_600;
        const MONTH: u64 = 30 * 24 * 3600;
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // FNV-1a.
        let state = name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3_u64)
        });
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NEW_YEAR + state % MONTH);
        CompileClock { now, state: state | 1 }
    }

    fn keep_alive(&mut self) -> SystemTime {
        // xorshift64, by Marsaglia.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.now += Duration::from_nanos(100_000 + self.state % 400_000);
        self.now
    }
}

/// How the destination differs from what it should be: everything counts but times of directories.
pub fn differences(expected: &Path, found: &Path) -> Vec<String> {
    let options = DiffOptions { link_mtimes: true, ..DiffOptions::default() };
    diff_trees(&snapshot(expected).or_fail(), &snapshot(found).or_fail(), &options)
}

/// Ends the test if two trees differ, naming the first differences.
#[track_caller]
pub fn assert_equal(expected: &Path, found: &Path) {
    const SHOWN: usize = 20;
    let lines = differences(expected, found);
    let shown = lines[..lines.len().min(SHOWN)].join("\n");
    assert!(lines.is_empty(), "{} differences:\n{shown}", lines.len());
}

/// Ends the test if a tree is not exactly as it was, times of directories included.
#[track_caller]
pub fn assert_untouched(before: &Snapshot, place: &Path) {
    let options = DiffOptions { dir_mtimes: true, link_mtimes: true, ..DiffOptions::default() };
    let lines = diff_trees(before, &snapshot(place).or_fail(), &options);
    assert!(lines.is_empty(), "it was changed:\n{}", lines.join("\n"));
}

/// Runs `check` for every number, on all cores; gives what each found wrong, in order.
pub fn sweep(numbers: std::ops::Range<u64>, check: impl Fn(u64) -> Vec<String> + Sync) -> String {
    let next = AtomicU64::new(numbers.start);
    let work = || {
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return found;
            }
            let lines = check(number);
            if !lines.is_empty() {
                found.push((number, lines));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a check ended badly")).collect()
    });
    found.sort();
    let blocks =
        found.iter().map(|(seed, lines)| format!("seed {seed}:\n  {}\n", lines.join("\n  ")));
    blocks.collect()
}

/// A path as text; the tests' own paths are.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap_or_else(|| panic!("{} is not UTF-8", path.display())).to_owned()
}
