//! The work directory inside a destination, and its lock where a file system has none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, scratch, text};

/// A destination of the user nobody, in a directory that nobody can't write.
struct Site {
    machine: Machine,
    dir: TempDir,
}

impl Site {
    fn new() -> Site {
        let site = Site { machine: Machine::new(), dir: scratch() };
        for (name, owner) in [("", 0), ("home", 65534), ("assets", 65534), ("source", 0)] {
            let path = site.dir.path().join(name);
            fs::create_dir_all(&path).or_fail();
            chown(&path, Some(owner), Some(owner)).or_fail();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).or_fail();
        }
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Pushes as nobody; `under` is what runs the agent.
    fn try_push(&self, content: &str, under: &str) -> Ran {
        fs::write(self.at("source/app.js"), content).or_fail();
        let (shell, home) = (self.at("shell"), text(&self.at("home")));
        let who = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let env = format!("env HOME='{home}' XDG_CACHE_HOME='{home}'");
        let lines = format!("#!/bin/sh\nshift\nexec {who} {env} {under} /bin/sh -c \"$1\"\n");
        fs::write(&shell, lines).or_fail();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).or_fail();
        let way = Way::shell(&shell, &self.at("assets"));
        self.machine.try_push(&way, &["--delete"], &self.at("source"))
    }

    #[track_caller]
    fn push(&self, content: &str) -> Ran {
        let ran = self.try_push(content, "");
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        self.check(content);
        ran
    }

    #[track_caller]
    fn check(&self, content: &str) {
        assert_eq!(fs::read_to_string(self.at("assets/app.js")).or_fail(), content);
    }

    /// The names in `.assetsync` but for the random one, and that.
    fn inside(&self) -> (Vec<String>, PathBuf) {
        let (mut names, mut hidden) = (Vec::new(), Vec::new());
        for item in fs::read_dir(self.at("assets/.assetsync")).or_fail() {
            let item = item.or_fail();
            match item.file_type().or_fail().is_dir() {
                true => hidden.push(item.path()),
                false => names.push(item.file_name().to_string_lossy().into_owned()),
            }
        }
        names.sort();
        assert_eq!(hidden.len(), 1, "{hidden:?}");
        (names, hidden.remove(0))
    }
}

fn is_random(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.is_some_and(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn what_is_kept_in_a_document_root_has_a_path_that_nobody_can_ask_for() {
    let (one, other) = (Site::new(), Site::new());
    for site in [&one, &other] {
        site.push("first");
    }
    let ((names, hidden), (_, others)) = (one.inside(), other.inside());
    assert_eq!(names, ["lock", "pushed"]);
    assert!(is_random(&hidden) && is_random(&others), "{hidden:?} {others:?}");
    assert_ne!(hidden.file_name(), others.file_name());
    assert!(hidden.join("index").is_file());
    // The next push finds it, and has the index.
    let again = one.push("first").done();
    assert_eq!((again.files_sent, one.inside().1), (0, hidden));
}

#[test]
fn what_an_earlier_version_kept_in_a_document_root_is_hidden_and_used() {
    let site = Site::new();
    site.push("first");
    let (_, hidden) = site.inside();
    let work = site.at("assets/.assetsync");
    for item in fs::read_dir(&hidden).or_fail() {
        let item = item.or_fail();
        fs::rename(item.path(), work.join(item.file_name())).or_fail();
    }
    fs::remove_dir(&hidden).or_fail();
    fs::remove_file(work.join("pushed")).or_fail();
    assert!(work.join("index").is_file());
    assert_eq!(site.push("first").done().files_sent, 0);
    let (names, hidden) = site.inside();
    assert_eq!(names, ["lock", "pushed"]);
    assert!(hidden.join("index").is_file() && hidden.join("stage").is_dir());
}

#[test]
fn where_a_file_system_has_no_locks_an_exclusive_file_is_the_lock() {
    let site = Site::new();
    let trace = |error: &str| {
        format!("strace -f -o /dev/null -e trace=flock -e inject=flock:error={error}")
    };
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let ran = site.try_push(error, &trace(error));
        let said = ran.stdout() + &ran.stderr();
        assert_eq!(ran.code(), Some(0), "{said}");
        assert!(said.contains("has no locks"), "{said}");
        site.check(error);
        let work = site.at("assets/.assetsync");
        assert!(!work.join("lock.held").exists());
        // Held by a push that lives.
        fs::write(work.join("lock.held"), "").or_fail();
        chown(work.join("lock.held"), Some(65534), Some(65534)).or_fail();
        let refused = site.try_push("other", &trace(error));
        assert_eq!(refused.code(), Some(1));
        assert!((refused.stdout() + &refused.stderr()).contains("Another push"), "{said}");
        // Left by one that was killed.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
        fs::File::open(work.join("lock.held")).or_fail().set_modified(old).or_fail();
        let ran = site.try_push("other", &trace(error));
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        assert!(!work.join("lock.held").exists());
    }
}
