//! The power of a host fails at a sync: everything is lost that its file system was not told to
//! write. The site is whole then, and the next push or deploy completes.
//!
//! The destination is on an ext4 of its own, in an image. What the image holds at the moment of the
//! cut is what a disk would hold: the copy of it is mounted in its place, and the kernel's cache of
//! the other is lost. A file system may write its journal at any moment, and then names are on the
//! disk whose content is not; so each cut of a push is tried with and without that, those of a
//! deploy with it.

use std::fs::{self, File};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use assetsync_testbed::tree::{DiffOptions, diff_trees};

use crate::file_systems::situations::Mount;
use crate::interruptions::faults::{Site, need, run};
use crate::interruptions::{MUTATING, Point, points, trace, traced_agent};
use crate::rollout_faults;

/// An ext4 in an image, and where it is mounted.
struct Disk {
    dir: PathBuf,
    at: PathBuf,
    image: PathBuf,
    cuts: u32,
    mount: Option<Mount>,
}

impl Disk {
    /// An empty one, whose image is in `dir`.
    fn new(dir: &Path, at: &Path) -> Disk {
        need("mkfs.ext4", "e2fsprogs");
        let image = dir.join("image-0");
        File::create(&image).unwrap().set_len(48 << 20).unwrap();
        run("mkfs.ext4", ["-q".as_ref(), "-F".as_ref(), image.as_os_str()]);
        let mut disk = Disk { dir: dir.to_owned(), at: at.to_owned(), image, cuts: 0, mount: None };
        disk.mount = Some(Mount::image(&disk.image, at, "loop"));
        fs::remove_dir(at.join("lost+found")).unwrap();
        disk
    }

    /// Makes everything durable.
    fn sync(&self) {
        run("sync", ["-f".as_ref(), self.at.as_os_str()]);
    }

    /// Has the file system write its journal, and no content of files.
    fn write_journal(&self) {
        let other = self.at.join("other");
        fs::create_dir(&other).unwrap();
        fs::remove_dir(&other).unwrap();
        File::open(&self.at).unwrap().sync_all().unwrap();
    }

    /// Loses what is not on the disk.
    fn cut(&mut self, journal: Journal) {
        if let Journal::Written = journal {
            self.write_journal();
        }
        self.cuts += 1;
        let image = self.dir.join(format!("image-{}", self.cuts));
        run("cp", ["--sparse=always".as_ref(), self.image.as_os_str(), image.as_os_str()]);
        drop(self.mount.take());
        fs::remove_file(&self.image).unwrap();
        self.image = image;
        self.mount = Some(Mount::image(&self.image, &self.at, "loop"));
    }
}

/// Whether the file system has written its journal before the cut.
#[derive(Clone, Copy, Debug)]
enum Journal {
    Written,
    Old,
}

const BOTH: [Journal; 2] = [Journal::Written, Journal::Old];

/// Each call that syncs, before which the power fails, and the one after it.
fn around_syncs(all: &[Point]) -> Vec<Point> {
    let is_sync = |point: Option<&Point>| {
        point.is_some_and(|point| ["fsync", "fdatasync", "syncfs"].contains(&&*point.call))
    };
    let before = |at: usize| at.checked_sub(1).and_then(|before| all.get(before));
    let chosen = all.iter().enumerate();
    let chosen = chosen.filter(|(at, point)| is_sync(Some(point)) || is_sync(before(*at)));
    chosen.map(|(_, point)| point.clone()).collect()
}

fn killed_at(Point { call, nth }: &Point) -> String {
    format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}")
}

/// A site on a disk, and the shell whose agent is traced.
fn site_on_disk() -> (Site, Disk, PathBuf) {
    let mut disk = None;
    let site = Site::on(|host| {
        let dir = host.parent().expect("it is in a directory");
        disk = Some(Disk::new(dir, host));
    });
    let agent = traced_agent(&site.dir);
    // Installs the agent, where that is still to be done.
    site.push().run().assert_ok();
    (site, disk.expect("it was made"), agent)
}

#[test]
fn a_power_cut_at_any_sync_of_a_push_leaves_a_whole_site_that_the_next_push_completes() {
    let (site, mut disk, agent) = site_on_disk();
    site.reset();
    trace(&site, &agent, &format!("-e trace={MUTATING}")).assert_ok();
    let all = around_syncs(&points(&site.dir.join("strace.log")));
    assert!(all.len() >= 8, "{all:?}");
    for (point, journal) in all.iter().flat_map(|point| BOTH.map(|journal| (point, journal))) {
        site.reset();
        disk.sync();
        trace(&site, &agent, &killed_at(point)).assert_no_panic();
        site.wait_alone();
        disk.cut(journal);
        let when = format!("cut at {point:?}, journal {journal:?}");
        site.check(&when);
        site.push_again();
        site.check_equal(&when);
    }
}

#[test]
fn what_a_push_has_reported_as_done_is_there_after_a_power_cut() {
    let (site, mut disk, _) = site_on_disk();
    for journal in BOTH {
        site.reset();
        disk.sync();
        site.push().run().assert_ok();
        site.wait_alone();
        disk.cut(journal);
        // What was staged is removed after that; nothing depends on it.
        let lost = diff_trees(&site.wanted, &site.standing(), &DiffOptions::default());
        assert_eq!(lost, Vec::<String>::new(), "journal {journal:?}");
    }
}

/// Shows that the tests above would notice.
#[test]
fn a_push_whose_syncs_did_nothing_would_not_survive_a_power_cut() {
    let (site, mut disk, agent) = site_on_disk();
    site.reset();
    disk.sync();
    // The last one begins to write, and ext4 writes what has begun with its journal.
    let syncs = "fsync,fdatasync,syncfs,sync_file_range,fadvise64";
    trace(&site, &agent, &format!("-e trace={syncs} -e inject={syncs}:retval=0")).assert_ok();
    site.check_equal("before the cut");
    disk.cut(Journal::Written);
    let survived = std::panic::catch_unwind(AssertUnwindSafe(|| site.check("after the cut")));
    assert!(survived.is_err(), "everything is whole without a single sync");
}

/// Cuts the power at each sync of `command`, which leads from a version to another, and then runs
/// it again.
fn cut_at_each_sync_of(settings: &'static str, command: &str, from: u32, to: u32) {
    let mut disk = None;
    let site = rollout_faults::Site::on(settings, |dir, deploy_to| {
        disk = Some(Disk::new(dir, deploy_to));
    });
    let mut disk = disk.expect("it was made");
    let all = around_syncs(&site.changes(command, MUTATING, to));
    assert!(all.len() >= 6, "{all:?}");
    for point in &all {
        site.start(to);
        disk.sync();
        let killed = site.run(&site.traced, command, &killed_at(point));
        disk.cut(Journal::Written);
        site.is_completed(&killed, command, [from, to], &format!("{command} cut at {point:?}"));
    }
}

#[test]
fn a_power_cut_at_any_sync_of_a_deploy_leaves_whole_versions_and_the_next_deploy_completes() {
    cut_at_each_sync_of("", "deploy production", 3, 4);
}

#[test]
fn a_power_cut_at_any_sync_of_a_deploy_of_a_whole_directory_leaves_one_version() {
    cut_at_each_sync_of("assets.publish = \"directory\"", "deploy production", 3, 4);
}

#[test]
fn a_power_cut_at_any_sync_of_a_rollback_leaves_whole_versions_and_the_next_one_completes() {
    cut_at_each_sync_of("", "rollback production", 3, 2);
}
