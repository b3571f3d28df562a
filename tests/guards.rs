//! What `push --delete` refuses: directories that can't be meant, and, where no push has completed
//! before, what is no earlier version of anything in the source.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assetsync_testbed::tree::snapshot;
use assetsync_testbed::{Route, Sshd};
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, assert_equal, assert_untouched, scratch, text};

/// A machine, a source with one new script, and a destination in a room of its own.
struct Room {
    machine: Machine,
    dir: TempDir,
}

impl Room {
    fn new() -> Room {
        let room = Room { machine: Machine::new(), dir: scratch() };
        fs::create_dir_all(room.source()).or_fail();
        fs::write(room.source().join("app-3f2a91c0.js"), "new").or_fail();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn source(&self) -> PathBuf {
        self.path("public/assets")
    }

    fn destination(&self) -> PathBuf {
        self.path("srv/pub")
    }

    /// Puts files at the destination, as something else than assetsync would.
    fn put(&self, names: &[&str]) {
        for name in names {
            let path = self.destination().join(name);
            fs::create_dir_all(path.parent().unwrap()).or_fail();
            fs::write(path, "there").or_fail();
        }
    }

    /// Pushes to the destination with `--delete` and `options`.
    fn push(&self, options: &str) -> Ran {
        let mut args = vec!["push".to_owned(), "--delete".to_owned()];
        args.extend(options.split_whitespace().map(str::to_owned));
        args.extend([text(&self.source()), text(&self.destination())]);
        self.machine.run(args)
    }

    #[track_caller]
    fn refused(&self, options: &str) -> String {
        let before = snapshot(&self.destination()).or_fail();
        let ran = self.push(options);
        assert_eq!(ran.code(), Some(1), "{options}: {}{}", ran.stdout(), ran.stderr());
        assert_untouched(&before, &self.destination());
        ran.stderr()
    }

    #[track_caller]
    fn done(&self, options: &str) {
        let ran = self.push(options);
        assert_eq!(ran.code(), Some(0), "{options}: {}", ran.stderr());
        assert_equal(&self.source(), &self.destination());
    }
}

/// A home with what nobody wants to lose.
fn furnish(home: &Path) {
    for name in [".ssh/authorized_keys", "app/releases/1/x", ".profile"] {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).or_fail();
        fs::write(path, "precious").or_fail();
    }
    fs::create_dir_all(home.join("www")).or_fail();
}

/// Everything in a home but the cache that the agent is in.
fn precious(home: &Path) -> Vec<String> {
    let found = snapshot(home).or_fail();
    let names = found.keys().map(|path| String::from_utf8_lossy(path).into_owned());
    names.filter(|name| !name.starts_with(".cache")).collect()
}

#[test]
fn the_home_directory_is_refused_however_it_is_spelled() {
    let (room, sshd) = (Room::new(), Sshd::builder().in_home().start().or_fail());
    let home = sshd.home();
    furnish(&home);
    symlink(&home, room.path("link")).or_fail();
    let before = precious(&home);
    let (absolute, link, above) = (text(&home), text(&room.path("link")), text(sshd.dir()));
    let spelled = [
        ".",
        "./",
        "~",
        "~/",
        "www/..",
        "none/..",
        "none/../www/..",
        &absolute,
        &link,
        &above,
        "/",
        "..",
        "/etc",
        "/etc/none",
        "/usr",
        "/usr/local",
        "/bin",
        "/srv",
        "/opt",
        "/var",
        "/home",
    ];
    for destination in spelled {
        for options in
            [&["--delete"][..], &["--delete", "--max-delete", "100000"], &["-n", "--delete"]]
        {
            let way = Way {
                options: vec!["-F".into(), text(sshd.ssh_config())],
                destination: format!("{}:{destination}", Route::ALIAS),
            };
            let ran = room.machine.try_push(&way, options, &room.source());
            assert_eq!(ran.code(), Some(1), "{destination} {options:?}: {}", ran.stdout());
            let said = ran.stderr();
            assert!(said.contains("nothing may be deleted in"), "{destination}: {said}");
            assert!(
                said.contains("hint: DEST is the directory that becomes equal to SRC"),
                "{destination}: {said}"
            );
            assert_eq!(precious(&home), before, "{destination}");
        }
    }
    // Below the home directory, and anywhere without deleting, a push may write.
    for (destination, options) in
        [("~/www", &["--delete"][..]), ("new/site", &["--delete"]), (".", &[])]
    {
        let way = Way {
            options: vec!["-F".into(), text(sshd.ssh_config())],
            destination: format!("{}:{destination}", Route::ALIAS),
        };
        room.machine.push(&way, options, &room.source());
    }
    assert!(home.join(".ssh/authorized_keys").exists() && home.join("app-3f2a91c0.js").exists());
}

#[test]
fn the_home_directory_of_this_machine_is_refused_too() {
    let room = Room::new();
    let home = room.machine.home();
    furnish(home);
    for destination in [text(home), text(home) + "/www/..", "/etc".into(), "/usr".into()] {
        let args = ["push", "--delete", &text(&room.source()), &destination].map(str::to_owned);
        let ran = room.machine.run(args);
        assert_eq!(ran.code(), Some(1), "{destination}: {}", ran.stderr());
        assert!(ran.stderr().contains("nothing may be deleted in"), "{}", ran.stderr());
        assert!(home.join(".ssh/authorized_keys").exists());
    }
}

#[test]
fn what_is_foreign_stays_on_first_contact_unless_its_number_is_allowed() {
    let room = Room::new();
    let sites: Vec<String> = (0..50).map(|at| format!("site{at:02}/index.html")).collect();
    room.put(&sites.iter().map(String::as_str).collect::<Vec<_>>());
    room.put(&["app-77b01d5e.js"]);
    for options in ["", "--allow-empty"] {
        let said = room.refused(options);
        for expected in [
            "of 101 paths that would be deleted, 50 are not earlier versions",
            "site00/index.html, site01/index.html, site02/index.html, site03/index.html, \
             site04/index.html and 45 more",
            "nothing was changed",
            "hint: -n lists everything that would be deleted; to allow it: --max-delete 101",
        ] {
            assert!(said.contains(expected), "{said}");
        }
        assert!(!said.contains("did you mean"), "{said}");
    }
    assert!(
        room.refused("--max-delete 100").contains("101 paths would be deleted, 100 are allowed")
    );
    assert!(room.refused("--max-delete 0").contains("101 paths would be deleted, 0 are allowed"));
    room.done("--max-delete 101");
    room.put(&["foreign"]);
    room.done("");
}

#[test]
fn earlier_versions_of_another_tool_are_replaced_on_first_contact() {
    let room = Room::new();
    room.put(&["app-77b01d5e.js", "app-77b01d5e.js.map", "app-77b01d5e.js.gz"]);
    room.done("");
}

#[test]
fn an_interrupted_first_push_is_still_first_contact_and_a_damaged_index_is_not() {
    let room = Room::new();
    room.put(&["foreign"]);
    let work = room.path("srv/.assetsync-pub");
    // As a push leaves it that is killed before it publishes.
    fs::create_dir_all(work.join("stage")).or_fail();
    fs::write(work.join("lock"), "process 1").or_fail();
    room.refused("");
    room.done("--max-delete 1");
    fs::write(work.join("index"), "").or_fail();
    room.put(&["foreign"]);
    room.done("");
}

#[test]
fn a_directory_named_like_the_source_is_suggested() {
    let room = Room::new();
    room.put(&["assets/app-77b01d5e.js", "index.html"]);
    let (source, meant) = (text(&room.source()), text(&room.destination().join("assets")));
    let expected = format!(
        "hint: did you mean {meant}? The contents of SRC are copied into DEST itself: \
         assetsync push --delete {source} {meant}\n"
    );
    let said = room.refused("");
    assert!(said.contains(&expected), "{said}");
    // The suggested command works.
    let words = ["push", "--delete", &source, &meant].map(str::to_owned);
    assert_eq!(room.machine.run(words).code(), Some(0));
    assert!(room.destination().join("index.html").exists());
}

#[test]
fn a_dry_run_shows_what_would_be_deleted_and_that_it_would_be_refused() {
    let room = Room::new();
    room.put(&["site/index.html"]);
    for (options, reason) in [
        ("-n", "No push to this directory has completed before"),
        ("-n --max-delete 1", "2 paths would be deleted, 1 are allowed"),
    ] {
        let before = snapshot(room.dir.path()).or_fail();
        let ran = room.push(options);
        assert_eq!(ran.code(), Some(1), "{options}");
        for line in ["*deleting   site\n", "*deleting   site/index.html\n", "dry run"] {
            assert!(ran.stdout().contains(line), "{}", ran.stdout());
        }
        let said = ran.stderr();
        assert!(said.contains("a push would be refused: ") && said.contains(reason), "{said}");
        let ran = room.push(&format!("{options} --json"));
        assert_eq!(ran.code(), Some(1), "{options}");
        let [done] = &ran.done_events()[..] else { panic!("{}", ran.stdout()) };
        assert_eq!((&done["ok"], &done["dry_run"]), (&false.into(), &true.into()), "{done}");
        assert!(done["error"].as_str().is_some_and(|error| error.contains(reason)), "{done}");
        assert_eq!(ran.stdout().matches("\"action\":\"delete\"").count(), 2, "{}", ran.stdout());
        assert_untouched(&before, room.dir.path());
    }
    assert_eq!(room.push("-n --max-delete 2").code(), Some(0));
}

#[test]
fn each_of_several_hosts_decides_for_itself() {
    let (room, sshd) = (Room::new(), Sshd::start().or_fail());
    room.put(&["foreign"]);
    let at = |path: &Path| format!("{}:{}", Route::ALIAS, text(path));
    let other = room.path("srv/other");
    let args = ["push", "--json", "--delete", "-F", &text(sshd.ssh_config())].map(str::to_owned);
    let args = args.into_iter().chain([text(&room.source()), at(&room.destination()), at(&other)]);
    let ran = room.machine.run(args);
    assert_eq!(ran.code(), Some(3), "{}", ran.stderr());
    assert!(room.destination().join("foreign").exists());
    assert!(!room.destination().join("app-3f2a91c0.js").exists());
    assert_equal(&room.source(), &other);
}

#[test]
fn a_source_of_directories_and_dot_files_is_empty() {
    let room = Room::new();
    room.done("");
    fs::remove_file(room.source().join("app-3f2a91c0.js")).or_fail();
    fs::create_dir_all(room.source().join("a/b")).or_fail();
    let standing = snapshot(&room.destination()).or_fail();
    for name in ["", ".keep", "a/.gitkeep", "a/b/.DS_Store"] {
        if !name.is_empty() {
            fs::write(room.source().join(name), "").or_fail();
        }
        let ran = room.push("");
        assert_eq!(ran.code(), Some(2), "{name}: {}", ran.stderr());
        assert!(ran.stderr().contains("--allow-empty"), "{}", ran.stderr());
        assert_untouched(&standing, &room.destination());
    }
    room.done("--allow-empty");
}

#[test]
fn what_hardly_belongs_on_a_web_server_is_told() {
    let room = Room::new();
    fs::create_dir_all(room.source().join(".git")).or_fail();
    for name in [".git/config", ".env", "App.js", "app.js"] {
        fs::write(room.source().join(name), "x").or_fail();
    }
    let ran = room.push("");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    for expected in [
        ".env and 1 more hardly belongs on a web server, and is pushed; --exclude leaves it out",
        "App.js and app.js differ only in case",
    ] {
        assert!(ran.stderr().contains(expected), "{expected}: {}", ran.stderr());
    }
    let ran = room.push("--exclude .git --exclude .env --exclude App.js");
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""));
}

#[test]
fn a_push_that_deletes_most_of_what_is_live_is_refused_until_the_number_is_allowed() {
    let room = Room::new();
    for number in 0..30 {
        fs::write(room.source().join(format!("page{number}.html")), "x").or_fail();
    }
    room.done("");
    for number in 0..30 {
        fs::remove_file(room.source().join(format!("page{number}.html"))).or_fail();
    }
    let said = room.refused("");
    assert!(said.contains("30 of 31 files at the destination would be deleted"), "{said}");
    assert!(said.contains("--max-delete 30"), "{said}");
    room.done("--max-delete 30");
}
