//! The order in which files appear: what a file names is there before it, for the layouts of many
//! tools, none of which the command knows.

mod layouts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use assetsync_testbed::{Route, Sshd};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use self::layouts::LAYOUTS;
use crate::support::{Machine, OrFail, Way, scratch, text};

/// Digests of two builds, in all the forms that the layouts use.
const DIGESTS: [(&str, &str, &str); 2] =
    [("3f2a91c0", "CAe6cnmm", "4HS4LCVP"), ("77b01d5e", "x8KdQ2aZ", "K2J7ABXQ")];

/// A path of the layouts in a build.
fn in_build(path: &str, build: usize) -> String {
    let (hex, base64, base32) = DIGESTS[build];
    let named = path.replace("<base64>", base64).replace("<BASE32>", base32);
    [8, 10, 12, 16, 20, 32, 64]
        .into_iter()
        .fold(named, |path, length| path.replace(&format!("<{length}>"), &hex.repeat(8)[..length]))
}

/// Files of all layouts, each with what it names, as paths in a build.
fn files(build: usize) -> BTreeMap<String, BTreeSet<String>> {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for layout in LAYOUTS {
        let path = |path: &str| in_build(&format!("{}/{path}", layout.tool), build);
        for (namer, named) in layout.files {
            for named in *named {
                files.entry(path(named)).or_default();
                files.entry(path(namer)).or_default().insert(path(named));
            }
        }
    }
    files
}

/// Writes a build. The directories of both are in each, so that they can be watched in time.
fn write(build: usize, to: &Path) {
    for (path, named) in files(build) {
        let content = format!("{path} of build {build} names {named:?}\n");
        make_parent(&to.join(&path));
        fs::write(to.join(&path), content).or_fail();
    }
    files(1 - build).keys().for_each(|path| make_parent(&to.join(path)));
}

fn make_parent(path: &Path) {
    fs::create_dir_all(path.parent().expect("a file in a directory")).or_fail();
}

/// Sees files appear in the directories of a tree.
struct Watch {
    events: OwnedFd,
    directories: HashMap<i32, PathBuf>,
}

impl Watch {
    fn start(root: &Path) -> Watch {
        let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).or_fail();
        let mut watch = Watch { events, directories: HashMap::new() };
        watch.add(root, Path::new(""));
        watch
    }

    fn add(&mut self, root: &Path, below: &Path) {
        let dir = root.join(below);
        let watched = add_watch(&self.events, &dir, WatchFlags::MOVED_TO | WatchFlags::CREATE);
        self.directories.insert(watched.or_fail(), below.to_owned());
        for item in fs::read_dir(&dir).or_fail().map(OrFail::or_fail) {
            if item.file_type().or_fail().is_dir() {
                self.add(root, &below.join(item.file_name()));
            }
        }
    }

    /// When each path appeared for the first time.
    fn appeared(self) -> HashMap<String, usize> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = Reader::new(&self.events, &mut buffer);
        let mut appeared = HashMap::new();
        for at in 0.. {
            let event = match reader.next() {
                Err(Errno::AGAIN) => break,
                event => event.or_fail(),
            };
            assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "too many events");
            let name = event.file_name().expect("a directory's event").to_string_lossy();
            let path = text(&self.directories[&event.wd()].join(&*name));
            appeared.entry(path).or_insert(at);
        }
        appeared
    }
}

/// What was published before a file that it names.
fn too_early(appeared: &HashMap<String, usize>) -> Vec<String> {
    let when = |path: &str| *appeared.get(path).unwrap_or_else(|| panic!("{path} did not appear"));
    let mut early = Vec::new();
    for (namer, named) in files(1) {
        let late = named.iter().filter(|named| when(named) > when(&namer));
        early.extend(late.map(|named| format!("{namer} before {named}")));
    }
    early
}

#[track_caller]
fn check(way: &Way, destination: &Path) {
    let (machine, room) = (Machine::new(), scratch());
    let builds = ["1", "2"].map(|name| room.path().join(name));
    (0..).zip(&builds).for_each(|(build, path)| write(build, path));
    machine.push(way, &[], &builds[0]);
    let watch = Watch::start(destination);
    machine.push(way, &["--delete"], &builds[1]);
    assert_eq!(too_early(&watch.appeared()), Vec::<String>::new());
    assert_content(&builds[1], destination);
}

/// Over SFTP times are whole seconds, so only the content counts.
fn assert_content(expected: &Path, found: &Path) {
    for path in files(1).keys() {
        let read = |root: &Path| fs::read_to_string(root.join(path)).or_fail();
        assert_eq!(read(expected), read(found));
    }
}

#[test]
fn what_a_file_names_appears_before_it() {
    let place = scratch();
    let destination = place.path().join("site/public");
    check(&Way::local(&destination), &destination);
}

#[test]
fn what_a_file_names_appears_before_it_over_sftp() {
    let (place, sshd) = (scratch(), Sshd::builder().config("ForceCommand internal-sftp").start());
    let (destination, sshd) = (place.path().join("site/public"), sshd.or_fail());
    let way = Way {
        options: vec!["-F".into(), text(sshd.ssh_config())],
        destination: format!("{}:{}", Route::ALIAS, text(&destination)),
    };
    check(&way, &destination);
}
