//! Deploys to a fleet: all hosts or none, and what is kept of earlier deploys.

mod answers;
mod deletes;
mod failures;
mod hosts;
mod over_sftp;
mod secrets;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};
use serde_json::Value;

use crate::fleet::{Fleet, events, rollout};
use crate::support::{OrFail, Ran, fresh_corpus, scratch, text};

/// What a build of version `n` leaves, as Sprockets names it.
fn version(fleet: &Fleet, n: u32) {
    let app = format!("app-{n:08x}.js");
    let manifest = format!(".sprockets-manifest-{n:032x}.json");
    let entry = format!(r#"{{"assets":{{"app.js":"{app}"}}}}"#);
    let content = format!("console.log({n});\n").repeat(40);
    fleet.build(&[(&app, &content), ("same.css", "body{}\n"), (&manifest, &entry)]);
}

/// The names in a host's directory of assets, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .or_fail()
        .map(|entry| entry.or_fail().file_name().into_string().unwrap_or_default())
        .collect();
    names.sort();
    names
}

/// What `status` says of the last host.
fn status(fleet: &Fleet) -> Value {
    let events = fleet.json("status production");
    events.into_iter().rfind(|event| event["event"] == "status").unwrap_or_default()
}

fn done(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["event"] == "done").collect()
}

#[test]
fn eight_hosts_become_equal_and_the_encoding_is_done_once() {
    let fleet = Fleet::of(8);
    fresh_corpus("n8n-2.40.2", &fleet.built());
    let first = fleet.json("deploy production");
    assert_eq!(done(&first).len(), 8);
    assert!(done(&first).iter().all(|done| done["ok"] == true && done["stands"] == "live"));
    assert_eq!(rollout(&first)["encodings"], 1, "{}", rollout(&first));
    fleet.assert_serves(&fleet.built());
    fs::remove_dir_all(fleet.built()).or_fail();
    fresh_corpus("n8n-2.40.3", &fleet.built());
    let second = fleet.json("deploy production");
    assert_eq!(rollout(&second)["encodings"], 1, "{}", rollout(&second));
    for host in &fleet.hosts {
        assert_contains(&fleet.built(), &host.assets());
    }
}

#[test]
fn the_build_runs_here_and_what_it_made_goes_after_success() {
    let fleet = Fleet::of(2);
    let build = "mkdir -p public/assets && echo $RAILS_ENV > public/assets/app.js && echo built";
    fleet.configure(&format!("build.command = '{build}'\n"));
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    for host in &fleet.hosts {
        assert_eq!(fs::read_to_string(host.assets().join("app.js")).or_fail(), "production\n");
    }
    assert!(!fleet.built().exists(), "what was built is deleted here");
    fleet.configure(&format!("build.command = '{build}'\nbuild.cleanup = false\n"));
    assert_eq!(fleet.run("deploy production").code(), Some(0));
    assert!(fleet.built().exists(), "and stays where that is wanted");
}

#[test]
fn a_build_that_fails_or_leaves_nothing_touches_no_host() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    fleet.json("deploy production");
    let before = names(&fleet.hosts[0].assets());
    for (build, said) in [
        (
            "echo so it goes; exit 3",
            "The build 'echo so it goes; exit 3' failed: exit status 3: so it goes",
        ),
        ("kill -9 $$", "killed by signal 9"),
        ("rm -rf public/assets; mkdir -p public/assets", "There are no files in"),
        ("rm -rf public/assets", "Can't use source"),
        ("no-such-program --now", "no-such-program"),
    ] {
        fleet.configure(&format!("build.command = '{build}'\n"));
        let ran = fleet.run("deploy production");
        assert_eq!(ran.code(), Some(1), "{build}: {}", ran.stderr());
        assert!(ran.stderr().contains(said), "{build}: {}", ran.stderr());
        assert_eq!(names(&fleet.hosts[0].assets()), before, "{build}");
    }
}

#[test]
fn a_build_of_nothing_but_directories_and_dot_files_is_no_build() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    fleet.json("deploy production");
    let before = names(&fleet.hosts[0].assets());
    fleet.build(&[(".keep", ""), ("d/.gitkeep", ""), ("e/.DS_Store", "")]);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(ran.stderr().contains("There are no files in"), "{}", ran.stderr());
    assert_eq!(names(&fleet.hosts[0].assets()), before);
}

#[test]
fn a_destination_that_is_the_home_directory_is_refused_before_the_build() {
    let fleet = Fleet::of(1);
    let home = text(&fleet.hosts[0].sshd.home());
    let shared = fleet.hosts[0].deploy_to().join("shared");
    fs::create_dir_all(&shared).or_fail();
    symlink(&home, shared.join("home")).or_fail();
    fleet.configure("assets.destination = \"home\"\nbuild.command = \"touch built\"\n");
    version(&fleet, 1);
    for words in ["deploy production", "deploy production --dry-run", "push production"] {
        let ran = fleet.run(words);
        assert_eq!(ran.code(), Some(1), "{words}: {}", ran.stderr());
        let expected = format!("nothing may be deleted in {home}, it is the home directory");
        assert!(ran.stderr().contains(&expected), "{words}: {}", ran.stderr());
        assert!(!fleet.project().join("built").exists(), "{words}");
    }
}

/// Which file or directory of its file system a path leads to.
fn inode(path: &Path) -> u64 {
    fs::metadata(path).or_fail().ino()
}

/// Puts a copy of a tree to `copy`, times included.
fn copy_exactly(from: &Path, copy: &Path) {
    let mut cp = Command::new("cp");
    assert!(cp.arg("-a").arg(from).arg(copy).status().or_fail().success());
}

#[test]
fn a_directory_is_published_as_a_whole() {
    let fleet = Fleet::of(2);
    fleet.configure("assets.publish = \"directory\"\n");
    let kept = scratch();
    let build = |n: u32| {
        version(&fleet, n);
        fs::write(fleet.built().join("index.html"), format!("page {n}")).or_fail();
        if n > 1 {
            // As a build leaves what it need not make again, with its times.
            copy_exactly(&kept.path().join("1/same.css"), &fleet.built());
        }
        copy_exactly(&fleet.built(), &kept.path().join(n.to_string()));
    };
    let inodes = |name: &str| -> Vec<u64> {
        fleet.hosts.iter().map(|host| inode(&host.assets().join(name))).collect()
    };
    let assert_serves = |n: u32, directories_before: &[u64], unchanged: &[u64]| {
        for (host, before) in fleet.hosts.iter().zip(directories_before) {
            assert_ne!(inode(&host.assets()), *before, "{}: another directory", host.name);
            assert_contains(&kept.path().join(n.to_string()), &host.assets());
            let found = names(&host.assets());
            let manifest = format!(".sprockets-manifest-{n:032x}.json");
            let expected =
                [manifest.as_str(), "app-00000001.js", "app-00000002.js", "index.html", "same.css"];
            assert_eq!(found, expected, "the other version's script stays, its manifest goes");
            let work = host.assets().with_file_name(".assetsync-assets");
            assert!(!work.join("tree").exists(), "the directory before is removed");
        }
        assert_eq!(inodes("same.css"), unchanged, "what did not change is the same file");
    };

    build(1);
    fleet.json("deploy production");
    fleet.assert_serves(&fleet.built());
    let (first, unchanged) = (inodes(""), inodes("same.css"));
    build(2);
    fleet.json("deploy production");
    assert_serves(2, &first, &unchanged);
    let second = inodes("");
    let events = fleet.json("rollback production");
    assert!(done(&events).iter().all(|done| done["files_sent"] == 0), "{events:?}");
    assert_serves(1, &second, &unchanged);
}

#[test]
fn rollback_restores_each_deploy_byte_for_byte_and_sends_only_what_is_missing() {
    let fleet = Fleet::of(2);
    let kept = scratch();
    for n in 1..=3 {
        version(&fleet, n);
        fs::write(fleet.built().join("index.html"), format!("page {n}")).or_fail();
        copy_exactly(&fleet.built(), &kept.path().join(n.to_string()));
        fleet.json("deploy production");
    }
    let status = status(&fleet);
    assert_eq!(status["kept"].as_array().map(Vec::len), Some(3), "{status}");
    for n in [2, 1] {
        let events = fleet.json("rollback production");
        for done in done(&events) {
            assert_eq!(done["files_sent"], 0, "{done}");
        }
        for host in &fleet.hosts {
            assert_contains(&kept.path().join(n.to_string()), &host.assets());
            let manifests = names(&host.assets());
            let live = manifests.iter().filter(|name| name.starts_with(".sprockets-manifest-"));
            assert_eq!(live.count(), 1, "{manifests:?}");
        }
    }
    // One file of the newest deploy is lost on one host: that one alone is sent, from the store.
    fs::remove_file(fleet.hosts[0].assets().join("app-00000003.js")).or_fail();
    let id = status["live"]["deploy"].as_str().unwrap_or_default().to_owned();
    let events = fleet.json(&format!("rollback production {id}"));
    let sent: Vec<_> = done(&events).iter().map(|done| done["files_sent"].clone()).collect();
    assert_eq!(sent, [1, 0]);
    for host in &fleet.hosts {
        assert_contains(&kept.path().join("3"), &host.assets());
    }
    let ran = fleet.run("rollback production 99");
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("earlier deploys are kept here"), "{}", ran.stderr());
}

/// All that is in `expected` is in `found` as it is there, besides whatever else.
#[track_caller]
fn assert_contains(expected: &Path, found: &Path) {
    let expected = snapshot(expected).or_fail();
    let mut found = snapshot(found).or_fail();
    found.retain(|path, _| expected.contains_key(path));
    let lines = diff_trees(&expected, &found, &DiffOptions::default());
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn hooks_and_restart_run_where_they_should_and_their_output_has_the_hosts_name() {
    let fleet = Fleet::of(2);
    fleet.configure(
        "environment.SECRET_TOKEN = \"hunter22\"\n\
         hooks.before_build = [\"echo never: nothing is built\"]\n\
         hooks.before_publish = [\"ls public/assets > before.txt\"]\n\
         hooks.after_publish = [{ run = \"echo $SECRET_TOKEN; pwd\", roles = [\"app\"] }]\n\
         restart.command = \"touch restarted\"\n",
    );
    version(&fleet, 1);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(fs::read_to_string(fleet.project().join("before.txt")).or_fail().contains("app-"));
    for host in &fleet.hosts {
        let current = text(&host.deploy_to().join("current"));
        assert!(ran.stderr().contains(&format!("{}: | {current}", host.name)), "{}", ran.stderr());
        assert!(host.deploy_to().join("current/restarted").exists());
    }
    assert!(ran.stderr().contains("| [REDACTED]"), "{}", ran.stderr());
    assert!(!ran.stderr().contains("hunter22"), "{}", ran.stderr());
}

#[test]
fn a_hook_that_fails_says_precisely_what_is_live() {
    let fleet = Fleet::of(2);
    version(&fleet, 1);
    let cases = [
        ("before_publish", "so nothing", "every host serves what it served before", "before"),
        ("after_publish", "after_publish failed on", "is live on web1, web2", "live"),
    ];
    for (moment, _, said, stands) in cases {
        let hook = "{ run = \"echo oh no; exit 7\", roles = [\"app\"] }";
        fleet.configure(&format!(
            "hooks.{moment} = [{hook}]\nhooks.on_failure = [\"touch failed\"]\n"
        ));
        let ran = fleet.run("deploy production");
        assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
        let stderr = ran.stderr();
        assert!(stderr.contains(said), "{moment}: {stderr}");
        assert!(stderr.contains("exit status 7: oh no"), "{moment}: {stderr}");
        assert!(fleet.project().join("failed").exists(), "the hook for failures ran");
        let lines = events(&fleet.run("deploy production --json"));
        assert!(done(&lines).iter().all(|done| done["stands"] == stands), "{moment}: {lines:?}");
    }
}

#[test]
fn a_second_deploy_meanwhile_is_refused_and_says_why() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    // The first one waits in a hook for the second.
    fleet.configure("hooks.before_publish = [\"while ! test -e second; do :; done\"]\n");
    let mut first = fleet.command("deploy production");
    let mut child = first.spawn().or_fail();
    let lock = fleet.hosts[0].deploy_to().join("shared/public/.assetsync-assets/lock");
    while !lock.exists() {
        std::thread::yield_now();
    }
    // From another checkout: two deploys from one are kept apart before that.
    let other = fleet.project().with_file_name("other");
    let copied = Command::new("cp").arg("-a").args([&fleet.project(), &other]).status().or_fail();
    assert!(copied.success());
    let second = fleet.command("deploy production").current_dir(&other).output().or_fail();
    let second = Ran(second);
    fs::write(fleet.project().join("second"), "").or_fail();
    assert_eq!(second.code(), Some(1), "{}", second.stderr());
    assert!(second.stderr().contains("Another push to this destination"), "{}", second.stderr());
    assert!(child.wait().or_fail().success());
}

#[test]
fn status_tells_what_is_live_kept_and_changed_by_hand() {
    let fleet = Fleet::of(1);
    let ran = fleet.run("status production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stdout().contains("no deploy yet"), "{}", ran.stdout());
    for n in 1..=2 {
        version(&fleet, n);
        fleet.json("deploy production");
    }
    fs::write(fleet.hosts[0].assets().join("same.css"), "by hand").or_fail();
    fs::remove_file(fleet.hosts[0].assets().join("app-00000002.js")).or_fail();
    fs::write(fleet.hosts[0].assets().join("robots.txt"), "by hand").or_fail();
    let status = status(&fleet);
    assert_eq!(status["foreign_files"], 1, "{status}");
    assert_eq!(status["live"]["tool"], format!("assetsync {}", env!("CARGO_PKG_VERSION")));
    let changed: Vec<_> = status["changed"].as_array().into_iter().flatten().collect();
    assert_eq!(changed.len(), 2, "{status}");
    // The next deploy puts it right.
    fleet.json("deploy production");
    let status = self::status(&fleet);
    assert_eq!(status["changed"].as_array().map(Vec::len), Some(0), "{status}");
}

#[test]
fn bad_usage_is_told_before_anything_is_done() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    for (words, said) in [
        ("deploy staging", "staging"),
        ("deploy production --roles db", "No host of stage 'production' has the role 'db'"),
        (
            "deploy production --hosts web9",
            "Stage 'production' has no host 'web9'; did you mean 'web1'?",
        ),
        ("push production --delete", "--delete can't be used with a stage"),
        ("deploy production --project nowhere", "--project nowhere: no such directory"),
        (
            "push --project . public/assets web1:x",
            "--project can only be used with assetsync push STAGE",
        ),
        ("push public/assets", "is not a stage"),
        (
            "push --roles web public/assets web1:x",
            "--roles can only be used with assetsync push STAGE",
        ),
    ] {
        let ran = fleet.run(words);
        assert_eq!(ran.code(), Some(2), "{words}: {}", ran.stderr());
        assert!(ran.stderr().contains(said), "{words}: {}", ran.stderr());
    }
    assert!(!fleet.hosts[0].assets().exists());
}

#[test]
fn a_dry_run_changes_nothing_and_shows_the_plan() {
    let fleet = Fleet::of(4);
    version(&fleet, 1);
    let ran = fleet.run("deploy production --dry-run");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stdout().contains("app-00000001.js"), "{}", ran.stdout());
    assert!(fleet.hosts.iter().all(|host| !host.assets().exists()));
}

#[test]
fn the_example_of_a_deploy_tool_deploys() {
    let fleet = Fleet::of(2);
    version(&fleet, 1);
    // Cargo builds examples together with tests and puts them here, seen from where it puts tests.
    let tests = std::env::current_exe().or_fail();
    let tool = tests
        .ancestors()
        .nth(2)
        .expect("tests are in a folder of the target directory")
        .join("examples/deploy");
    assert!(tool.exists(), "{} is missing: cargo build --example deploy", tool.display());
    let mut tool = Command::new(tool);
    tool.arg("production").current_dir(fleet.project()).env("HOME", fleet.machine.home());
    let ran = tool.output().or_fail();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(said.lines().next(), Some("stage"), "{said}");
    fleet.assert_serves(&fleet.built());
}
