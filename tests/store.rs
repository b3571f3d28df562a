//! `assetsync store`: what it says of a store, what it drops, and what it leaves alone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;
use assetsync_ssh::Target;
use assetsync_sync::internals::remember;
use assetsync_testbed::corpora;
use serde_json::{Value, json};

use crate::support::{Machine, OrFail, Ran, Way, scratch_on_disk, tell, text};

/// A machine whose store holds what a push brought.
struct Shop {
    machine: Machine,
}

impl Shop {
    fn new() -> Shop {
        let shop = Shop { machine: Machine::new() };
        shop.push("web1:/srv/assets", &["one", "two"]);
        shop
    }

    /// Where the store is unless something else is said.
    fn path(&self) -> PathBuf {
        self.machine.home().join(".cache/assetsync/store")
    }

    /// Leaves in the store what a push of `contents` leaves.
    fn push(&self, destination: &str, contents: &[&str]) {
        let files: Vec<_> = contents.iter().map(|content| (entry(content), *content)).collect();
        let target = Target::parse(OsStr::new(destination)).or_fail();
        remember(&self.path(), &target, destination, &files).or_fail();
    }

    /// Makes all that is in the store older.
    fn pass(&self, time: Duration) {
        for dir in ["packs", "states"].map(|name| self.path().join(name)) {
            for file in fs::read_dir(dir).or_fail() {
                let file = File::options().write(true).open(file.or_fail().path()).or_fail();
                let modified = file.metadata().or_fail().modified().or_fail();
                file.set_modified(modified - time).or_fail();
            }
        }
    }

    #[track_caller]
    fn done(&self, words: &str) -> Ran {
        let ran = self.machine.run(words.split_whitespace());
        assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{words}");
        ran
    }

    #[track_caller]
    fn json(&self, words: &str) -> Value {
        let stdout = self.done(words).stdout();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(&stdout).or_fail()
    }
}

/// A file of this content.
fn entry(content: &str) -> RemoteEntry {
    let (path, digest) =
        (RelPath::new(content.as_bytes()).or_fail(), Digest::of(content.as_bytes()));
    let kind = Kind::File { size: content.len() as u64 };
    let entry = Entry { path, kind, mode: 0o644, mtime: Mtime::default() };
    RemoteEntry { entry, digest: Some(digest.short()) }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn status_is_a_table() {
    let shop = Shop::new();
    shop.pass(HOUR);
    shop.push("web2:/srv/assets", &["one"]);
    let said = shop.done("store status").stdout();
    let head = format!(
        "{}\n  size         # B of at most 2.1 GB\n  contents     2 (6 B unpacked) in 1 pack\n\n",
        text(&shop.path())
    );
    let (found_head, table) = said.split_at(said.find("  last pushed").expect("a table"));
    let size = found_head.split_whitespace().nth(2).expect("a size");
    assert_eq!(found_head, head.replace('#', size));
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows[0], "  last pushed (UTC)     files       size  destination");
    assert!(rows[1].ends_with("          1        3 B  web2:/srv/assets"), "{table}");
    assert!(rows[2].ends_with("          2        6 B  web1:/srv/assets"), "{table}");
    assert_eq!(rows.len(), 3);
    assert!(said.lines().skip(1).all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn status_is_json() {
    let shop = Shop::new();
    let said = shop.json("store status --json");
    let expected = json!({
        "store": text(&shop.path()),
        "limit_bytes": 2_u64 << 30,
        "bytes": said["bytes"],
        "contents": 2,
        "contents_bytes": 6,
        "packs": 1,
        "damaged": 0,
        "destinations": [{
            "destination": "web1:/srv/assets",
            "pushed": said["destinations"][0]["pushed"],
            "files": 2,
            "bytes": 6,
        }],
    });
    assert_eq!(said, expected);
    let pushed = said["destinations"][0]["pushed"].as_str().unwrap_or_default();
    assert!(pushed.len() == 20 && pushed.ends_with('Z'), "{pushed}");
}

#[test]
fn where_no_store_is_none_is_made() {
    let machine = Machine::new();
    let at = |name: &str| text(&machine.home().join(name));
    let said = machine.run(["store", "status", "--store", &at("mine"), "--json"]).stdout();
    assert!(said.contains("\"contents\":0") && said.contains("\"destinations\":[]"), "{said}");
    for words in [&["status"][..], &["prune"], &["prune", "--all"]] {
        let ran = machine.run(["store"].iter().chain(words));
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    }
    let said = machine.run(["store", "prune"]).stdout();
    assert_eq!(said, format!("{}\n  nothing to delete\n", at(".cache/assetsync/store")));
    assert_eq!(fs::read_dir(machine.home()).or_fail().count(), 0);
}

#[test]
fn the_directory_is_named_by_option_then_environment_then_system() {
    let shop = Shop::new();
    let status = |option: &[&str], variable: Option<&str>| {
        let mut command = shop.machine.command(["store", "status", "--json"].iter().chain(option));
        variable.map(|value| command.env("ASSETSYNC_STORE", value));
        let ran = Ran(command.output().or_fail());
        let said: Value = serde_json::from_str(&ran.stdout()).or_fail();
        said["store"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(status(&["--store", "/a"], Some("/b")), "/a");
    assert_eq!(status(&[], Some("/b")), "/b");
    assert_eq!(status(&[], None), text(&shop.path()));
    assert_eq!(status(&[], Some("")), text(&shop.path()));
}

#[test]
fn pruning_drops_unreferenced_contents() {
    let shop = Shop::new();
    shop.push("web1:/srv/assets", &["two", "three"]);
    assert_eq!(
        shop.done("store prune").stdout(),
        format!("{}\n  nothing to delete\n", text(&shop.path()))
    );
    shop.pass(HOUR);
    let said = shop.json("store prune --json");
    assert_eq!((&said["contents"], &said["destinations"]), (&json!(1), &json!(0)));
    assert_eq!(shop.json("store status --json")["contents"], 2);
    let bytes = shop.json("store status --json")["bytes"].clone();
    let said = shop.json("store prune --all --json");
    let expected = json!({
        "store": text(&shop.path()),
        "freed_bytes": bytes,
        "contents": 2,
        "destinations": 1,
    });
    assert_eq!(said, expected);
    let said = shop.done("store prune --all").stdout();
    assert!(said.ends_with("  nothing to delete\n"), "{said}");
}

#[test]
fn damage_is_shown_and_goes() {
    let shop = Shop::new();
    for file in fs::read_dir(shop.path().join("packs")).or_fail() {
        fs::write(file.or_fail().path(), "rubbish").or_fail();
    }
    let said = shop.done("store status").stdout();
    assert!(said.contains("  damaged      1 file, deleted by: assetsync store prune\n"), "{said}");
    shop.pass(HOUR);
    shop.done("store prune");
    let said = shop.json("store status --json");
    assert_eq!((&said["damaged"], &said["destinations"][0]["files"]), (&json!(0), &json!(2)));
}

#[test]
fn what_is_no_store_is_left_alone() {
    let machine = Machine::new();
    let path = machine.home().join("documents");
    fs::create_dir(&path).or_fail();
    fs::write(path.join("thesis.txt"), "x").or_fail();
    let ran = machine.run(["store", "prune", "--all", "--store", &text(&path)]);
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "there is no store in it");
    assert!(path.join("thesis.txt").exists());
    let ran = machine.run(["store", "status", "--store", &text(&path.join("thesis.txt"))]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().starts_with("error: Can't look into "), "{}", ran.stderr());
    assert!(ran.stderr().ends_with("hint: --store DIR uses another directory\n"));
}

#[test]
fn a_store_that_is_being_pruned_is_not_pruned() {
    let shop = Shop::new();
    let lock = File::open(shop.path().join("assetsync-store.lock")).or_fail();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).or_fail();
    let ran = shop.machine.run(["store", "prune"]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("Another process is pruning the store"), "{}", ran.stderr());
    shop.done("store status");
}

/// Two releases of a real bundle: the second costs what is new in it.
#[test]
fn real_bundles_are_kept_small() {
    let (shop, dir) = (Shop { machine: Machine::new() }, scratch_on_disk());
    let mut before = 0;
    for (name, most) in [("n8n-2.40.2", 13_000_000), ("n8n-2.40.3", 6_500_000)] {
        shop.machine.push(
            &Way::local(&dir.path().join("assets")),
            &[],
            &corpora::path(name).or_fail(),
        );
        let bytes = shop.json("store status --json")["bytes"].as_u64().expect("a number");
        tell(&format!("{name}: {} bytes", bytes - before));
        assert!(bytes - before < most, "{name}: {}", bytes - before);
        before = bytes;
    }
}
