//! Destinations with hardly any room: what does not fit is not published anywhere, and nothing is
//! left behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{StatVfs, statvfs};

use crate::file_systems::situations::mount_tmpfs_with;
use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, scratch, text};

/// What a small file system has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    Inodes,
    Blocks,
}

impl Short {
    fn free(self, dir: &Path) -> u64 {
        let StatVfs { f_favail, f_bavail, .. } = statvfs(dir).or_fail();
        if self == Short::Inodes { f_favail } else { f_bavail }
    }

    /// Leaves so much of it.
    fn leave(self, dir: &Path, free: u64) {
        let filler = dir.join("filler");
        fs::create_dir_all(&filler).or_fail();
        match self {
            Short::Inodes => {
                for number in 0..self.free(dir).saturating_sub(free) {
                    fs::write(filler.join(number.to_string()), "").or_fail();
                }
            }
            Short::Blocks => {
                let pages = usize::try_from(self.free(dir).saturating_sub(free)).unwrap_or(0);
                fs::write(filler.join("full"), vec![1; pages * 4096]).or_fail();
            }
        }
        assert!(self.free(dir) <= free);
    }
}

/// Leaves a build with files, directories and links; with `swaps`, a file and a directory change
/// places between versions.
fn build(dir: &Path, version: u32, swaps: bool) {
    let _ = fs::remove_dir_all(dir);
    let write = |path: String| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir)).or_fail();
        fs::write(path, format!("version {version} ").repeat(300)).or_fail();
    };
    let (file, folder) = if swaps && version == 2 { ("a", "b") } else { ("b", "a") };
    write(file.into());
    write("index.html".into());
    for name in ["x.js", "deep/y.js", "deep/er/z.js"] {
        write(format!("{folder}/{name}"));
        write(format!("only-{version}/{name}"));
    }
    symlink("x.js", dir.join(format!("only-{version}/link.js"))).or_fail();
}

/// All paths, with what they are.
fn read(dir: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in walkdir(dir) {
        let name = text(entry.strip_prefix(dir).or_fail());
        let meta = fs::symlink_metadata(&entry).or_fail();
        let what = match meta.file_type() {
            kind if kind.is_dir() => "directory".into(),
            kind if kind.is_symlink() => text(&fs::read_link(&entry).or_fail()),
            _ => fs::read_to_string(&entry).or_fail(),
        };
        all.insert(name, what);
    }
    all
}

fn walkdir(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).or_fail() {
        let path = entry.or_fail().path();
        let is_dir = fs::symlink_metadata(&path).or_fail().is_dir();
        found.push(path.clone());
        if is_dir {
            found.extend(walkdir(&path));
        }
    }
    found
}

/// Pushes with ever more room, until it is enough.
fn push_with_little(short: Short) {
    let (machine, dir) = (Machine::new(), scratch());
    let builds = [1, 2].map(|version| dir.path().join(format!("build-{version}")));
    (1..).zip(&builds).for_each(|(version, path)| build(path, version, true));
    let place = dir.path().join("mount");
    let destination = place.join("assets");
    let push = |version: usize| {
        let (source, to) = (text(&builds[version - 1]), text(&destination));
        machine.run(["push", "--delete", "--max-delete", "999", &source, &to])
    };
    let (mut failures, mut successes) = (0, 0);
    for free in 0.. {
        let _mount = mount_tmpfs_with(&place, "size=1m,nr_inodes=150");
        assert_eq!(push(1).code(), Some(0));
        short.leave(&place, free);
        let before = short.free(&place);
        let pushed = push(2);
        match pushed.code() {
            Some(0) => {
                successes += 1;
                assert_eq!(read(&destination), read(&builds[1]), "{free} left");
            }
            _ => {
                failures += 1;
                assert_eq!(read(&destination), read(&builds[0]), "{free}: {}", pushed.stderr());
                assert!(short.free(&place) >= before, "{free} left: {}", pushed.stderr());
            }
        }
        fs::remove_dir_all(place.join("filler")).or_fail();
        let again = push(2);
        assert_eq!(again.code(), Some(0), "{free} were left: {}", again.stderr());
        assert_eq!(read(&destination), read(&builds[1]));
        if successes == 3 {
            break;
        }
    }
    assert!(failures > 10, "{failures} failures");
}

#[test]
fn a_push_without_inodes_leaves_everything_as_it_was() {
    push_with_little(Short::Inodes);
}

#[test]
fn a_push_without_blocks_leaves_everything_as_it_was() {
    push_with_little(Short::Blocks);
}

/// Deploys to a host with plenty and one with little room: both publish, or none.
fn deploy_with_little(short: Short, settings: &str) {
    let fleet = Fleet::of(2);
    fleet.configure(&format!("build.command = \"true\"\nbuild.cleanup = false\n{settings}"));
    let small = fleet.hosts[1].deploy_to().join("shared/public");
    let versions = [1, 2].map(|version| {
        let dir = fleet.project().join(format!("build-{version}"));
        build(&dir, version, false);
        dir
    });
    let deploy = |version: usize| {
        build(&fleet.built(), u32::try_from(version).or_fail(), false);
        fleet.run("deploy production")
    };
    let (mut failures, mut successes) = (0, 0);
    for free in (0..).step_by(3) {
        let _mount = mount_tmpfs_with(&small, "size=1m,nr_inodes=150");
        let first = deploy(1);
        assert_eq!(first.code(), Some(0), "{}", first.stderr());
        short.leave(&small, free);
        let deployed = deploy(2);
        let expected = match deployed.code() {
            Some(0) => &versions[1],
            _ => &versions[0],
        };
        successes += usize::from(deployed.code() == Some(0));
        failures += usize::from(deployed.code() != Some(0));
        let page = |dir: &Path| fs::read_to_string(dir.join("index.html")).or_fail();
        for host in &fleet.hosts {
            let when = format!("{free} left on web2, {}: {}", host.name, deployed.stderr());
            assert_eq!(page(&host.assets()), page(expected), "{when}");
        }
        fs::remove_dir_all(small.join("filler")).or_fail();
        let again = deploy(2);
        assert_eq!(again.code(), Some(0), "{free} were left: {}", again.stderr());
        if successes == 2 {
            break;
        }
    }
    assert!(failures > 3, "{failures} failures");
}

#[test]
fn a_deploy_to_a_host_without_inodes_publishes_nowhere() {
    deploy_with_little(Short::Inodes, "");
}

#[test]
fn a_deploy_of_whole_directories_to_a_host_without_inodes_publishes_nowhere() {
    deploy_with_little(Short::Inodes, "assets.publish = \"directory\"");
}

#[test]
fn a_deploy_of_whole_directories_to_a_host_without_blocks_publishes_nowhere() {
    deploy_with_little(Short::Blocks, "assets.publish = \"directory\"");
}
