//! Destinations on file systems that lack a call or keep other times and modes, and what a push
//! finds closed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assetsync_testbed::tree::{DiffOptions, Mtimes, diff_trees, snapshot};
use assetsync_testbed::{Limit, Limited};

use crate::support::{Done, Machine, OrFail, Way, scratch, text};

/// A build with files of very different times, a link and a directory.
fn build(dir: &Path, content: &str) -> PathBuf {
    let source = dir.join("source");
    fs::create_dir_all(source.join("css")).or_fail();
    let times =
        [("app.js", 1_700_000_001), ("css/app.css", 1_600_000_000), ("far.js", 4_000_000_000)];
    for (name, secs) in times {
        fs::write(source.join(name), format!("{name} {content}")).or_fail();
        let time = SystemTime::UNIX_EPOCH + Duration::new(secs, 123_456_789);
        fs::File::open(source.join(name)).or_fail().set_modified(time).or_fail();
    }
    let _ = fs::remove_file(source.join("link"));
    symlink("app.js", source.join("link")).or_fail();
    source
}

/// What has been done with files, by recipe; a file that is kept as it is has none.
fn recipes(done: &Done) -> Vec<&str> {
    done.recipes.keys().map(String::as_str).filter(|recipe| *recipe != "keep").collect()
}

#[track_caller]
fn assert_same_contents(source: &Path, destination: &Path) {
    let options = DiffOptions { mtimes: Mtimes::Ignore, modes: false, ..DiffOptions::default() };
    let trees = [source, destination].map(|tree| snapshot(tree).or_fail());
    assert_eq!(diff_trees(&trees[0], &trees[1], &options), Vec::<String>::new());
}

#[test]
fn file_systems_with_limits_get_every_build_and_the_same_build_changes_nothing() {
    use Limit::*;
    for limits in [
        &[][..],
        &[ModesRefused],
        &[ModesIgnored, TwoSeconds],
        &[TimesRefused],
        &[Seconds, Until2038],
        &[NoDirectorySync],
        &[NoDirectorySync, NoFileSync],
        &[NoReplacing],
        &[NoStatistics],
    ] {
        let (machine, dir, mount) = (Machine::new(), scratch(), Limited::mount(limits).or_fail());
        let place = mount.path().join("assets");
        let way = Way::local(&place);
        for content in ["first", "second"] {
            let source = build(dir.path(), content);
            machine.push(&way, &["--delete"], &source);
            assert_same_contents(&source, &place);
            let again = machine.push(&way, &["--delete"], &source);
            assert_eq!(recipes(&again), Vec::<&str>::new(), "{limits:?}, {content}");
            let shown =
                machine.run(["push", "-n", "--itemize-changes", &text(&source), &text(&place)]);
            let changes = shown.stdout();
            let is_change = |line: &&str| line.starts_with(['<', '>', '.', 'c']);
            assert_eq!(changes.lines().find(is_change), None, "{limits:?}, {content}");
        }
    }
}

#[test]
fn modes_and_times_that_a_file_system_does_not_take_are_told_once() {
    let (machine, dir) = (Machine::new(), scratch());
    let mount = Limited::mount(&[Limit::ModesRefused]).or_fail();
    let (source, place) = (build(dir.path(), "first"), mount.path().join("assets"));
    let told = |text: &str| text.contains("have other permission bits or times than were pushed");
    let first = machine.run(["push", &text(&source), &text(&place)]);
    assert_eq!((first.code(), told(&first.stderr())), (Some(0), true), "{}", first.stderr());
    let second = machine.run(["push", &text(&source), &text(&place)]);
    assert_eq!((second.code(), told(&second.stderr())), (Some(0), false), "{}", second.stderr());
}

/// A shell that runs what it is given as the user nobody, who has no rights beyond an owner's.
fn nobodys_shell(dir: &Path) -> PathBuf {
    let (path, home) = (dir.join("shell"), dir.join("home"));
    fs::create_dir(&home).or_fail();
    chown(&home, Some(65534), Some(65534)).or_fail();
    let home = text(&home);
    let who = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let lines = format!(
        "#!/bin/sh\nshift\nexec {who} env HOME='{home}' XDG_CACHE_HOME='{home}' /bin/sh -c \"$1\"\n"
    );
    fs::write(&path, lines).or_fail();
    set_mode(&path, 0o755);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).or_fail();
}

#[test]
fn own_files_and_directories_that_are_closed_are_opened_up_and_put_right() {
    let (machine, dir) = (Machine::new(), scratch());
    set_mode(dir.path(), 0o755);
    let (source, srv) = (build(dir.path(), "first"), dir.path().join("srv"));
    fs::create_dir(&srv).or_fail();
    chown(&srv, Some(65534), Some(65534)).or_fail();
    let place = srv.join("assets");
    let way = Way::shell(&nobodys_shell(dir.path()), &place);
    machine.push(&way, &["--delete"], &source);
    for closed in [0o000, 0o300, 0o600, 0o100] {
        set_mode(&place.join("app.js"), closed & 0o600);
        fs::create_dir(place.join("extra")).or_fail();
        fs::write(place.join("extra/file"), "extra").or_fail();
        for name in ["extra/file", "extra"] {
            chown(place.join(name), Some(65534), Some(65534)).or_fail();
            set_mode(&place.join(name), closed);
        }
        set_mode(&place.join("css"), closed);
        machine.push(&way, &["--delete"], &source);
        let options = DiffOptions::default();
        let trees = [&source, &place].map(|tree| snapshot(tree).or_fail());
        assert_eq!(diff_trees(&trees[0], &trees[1], &options), Vec::<String>::new(), "{closed:o}");
    }
}
