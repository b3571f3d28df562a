//! Trees that are deep or empty, and files with several names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use assetsync_testbed::tree::snapshot;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, assert_equal, scratch, text};

/// A source and a destination.
struct Room {
    machine: Machine,
    dir: TempDir,
}

impl Room {
    fn new() -> Room {
        let room = Room { machine: Machine::new(), dir: scratch() };
        fs::create_dir(room.source()).or_fail();
        room
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn destination(&self) -> PathBuf {
        self.dir.path().join("destination")
    }

    fn push(&self) -> Ran {
        self.machine.run(["push".to_owned(), text(&self.source()), text(&self.destination())])
    }
}

#[test]
fn a_file_with_another_name_is_replaced_and_the_other_name_keeps_its_content() {
    let room = Room::new();
    let (live, other) = (room.destination().join("page.html"), room.dir.path().join("other"));
    fs::create_dir(room.destination()).or_fail();
    fs::write(&live, "old").or_fail();
    fs::hard_link(&live, &other).or_fail();
    fs::write(room.source().join("page.html"), "new").or_fail();
    let ran = room.push();
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert_eq!(fs::read(&live).or_fail(), b"new");
    assert_eq!(fs::read(&other).or_fail(), b"old");
    assert_eq!(fs::metadata(&live).or_fail().nlink(), 1);
}

#[test]
fn deep_and_empty_trees_are_pushed_or_refused_with_the_limit() {
    let room = Room::new();
    let ran = room.push();
    assert_eq!(ran.code(), Some(0), "nothing: {}", ran.stderr());
    // Not as deep as it may be: paths of the test's own directory come before it.
    let deep = room.source().join(vec!["d"; 900].join("/"));
    fs::create_dir_all(&deep).or_fail();
    for (name, content) in [("empty", ""), ("one", "1")] {
        fs::write(deep.join(name), content).or_fail();
    }
    let ran = room.push();
    assert_eq!(ran.code(), Some(0), "deep: {}", ran.stderr());
    assert_equal(&room.source(), &room.destination());
    let before = snapshot(&room.destination()).or_fail();
    fs::create_dir_all(deep.join(vec!["d"; 200].join("/"))).or_fail();
    let ran = room.push();
    assert_eq!(ran.code(), Some(1), "too deep: {}", ran.stderr());
    assert!(ran.stderr().contains("levels deep"), "{}", ran.stderr());
    assert!(snapshot(&room.destination()).or_fail() == before);
}
