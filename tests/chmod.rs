//! `--chmod` and `assets.chmod`: permissions as rsync gives them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Way, scratch, text};

/// A build with all kinds of permissions.
fn build(dir: &Path) -> PathBuf {
    let source = dir.join("source");
    for (name, mode) in [("closed", 0o700), ("open", 0o755)] {
        let dir = source.join(name);
        fs::create_dir_all(&dir).or_fail();
        for (file, mode) in [("page", 0o600), ("script", 0o711), ("shared", 0o664)] {
            fs::write(dir.join(file), file).or_fail();
            set_mode(&dir.join(file), mode);
        }
        set_mode(&dir, mode);
    }
    source
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).or_fail();
}

/// The permissions of everything in a tree, without those that a push never sets.
fn modes(root: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(dir) = left.pop() {
        for item in fs::read_dir(dir).or_fail() {
            let path = item.or_fail().path();
            let meta = fs::symlink_metadata(&path).or_fail();
            left.extend(meta.is_dir().then(|| path.clone()));
            let below = path.strip_prefix(root).or_fail().to_path_buf();
            found.push((below, meta.permissions().mode() & 0o775));
        }
    }
    found.sort();
    found
}

#[test]
fn permissions_are_those_that_rsync_gives() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = build(dir.path());
    let lines: [&[&str]; 9] = [
        &["D755,F644"],
        &["D755", "F644"],
        &["u=rwX,go=rX"],
        &["ugo=rwX"],
        &["Dg+w,Fo-r", "a+X"],
        &["g=u,o="],
        &["D2750,F640"],
        &["F+x,u-w"],
        &["+w,u+rwx"],
    ];
    for (at, line) in lines.into_iter().enumerate() {
        let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(format!("{name}-{at}")));
        let options: Vec<String> = line.iter().map(|chmod| format!("--chmod={chmod}")).collect();
        let given: Vec<&str> = options.iter().map(String::as_str).collect();
        machine.push(&Way::local(&ours), &given, &source);
        let rsync = "umask 022 && exec rsync -a \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", rsync, "rsync"]).args(&options);
        command.arg(format!("{}/", text(&source))).arg(&theirs);
        assert!(command.status().or_fail().success(), "rsync {line:?}");
        assert_eq!(modes(&ours), modes(&theirs), "{line:?}");
        // What is as it should be is not touched again.
        let again = machine.push(&Way::local(&ours), &given, &source);
        assert_eq!(again.recipes.keys().filter(|recipe| *recipe != "keep").count(), 0, "{line:?}");
    }
}

#[test]
fn a_made_destination_gets_the_changed_mode_of_the_source() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, place) = (build(dir.path()), dir.path().join("new"));
    set_mode(&source, 0o700);
    machine.push(&Way::local(&place), &["--chmod=D750,F640"], &source);
    assert_eq!(fs::metadata(&place).or_fail().permissions().mode() & 0o7777, 0o750);
}

#[test]
fn a_build_that_only_its_owner_can_read_is_warned_about() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = build(dir.path());
    let push = |options: &[&str]| {
        let place = text(&dir.path().join("place"));
        let mut words = vec!["push"];
        words.extend(options);
        let source = text(&source);
        words.extend([source.as_str(), place.as_str()]);
        let ran = machine.run(words);
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        ran.stderr()
    };
    let warned = push(&[]);
    let wanted = "5 paths of the source can be read by the owner alone, so not by a web server";
    assert!(warned.contains(wanted) && warned.contains("--chmod=D755,F644"), "{warned}");
    assert!(!push(&["--chmod=D755,F644"]).contains("by the owner alone"));
}

#[test]
fn what_is_no_mode_change_is_refused() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, place) = (text(&build(dir.path())), text(&dir.path().join("place")));
    for line in ["755x", "u=rw+x", "DF755", "D", ""] {
        let ran = machine.run(["push", &format!("--chmod={line}"), &source, &place]);
        let why = ran.stderr();
        assert_eq!(ran.code(), Some(2), "{line}: {why}");
        assert!(why.contains(&format!("'{line}' is not a mode change")), "{why}");
    }
    assert!(!dir.path().join("place").exists());
}

#[test]
fn deploys_set_permissions_and_warn_about_builds_that_only_their_owner_can_read() {
    let fleet = Fleet::of(1);
    fs::write(fleet.built().join("app.js"), "app()").or_fail();
    set_mode(&fleet.built().join("app.js"), 0o600);
    let warning = "public/assets: 1 path of the source can be read by the owner alone";
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stderr().contains(warning), "{}", ran.stderr());
    assert!(ran.stderr().contains("assets.chmod"), "{}", ran.stderr());
    fleet.configure("assets.chmod = [\"D755\", \"F644\"]\n");
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(!ran.stderr().contains("owner alone"), "{}", ran.stderr());
    let published = fs::metadata(fleet.hosts[0].assets().join("app.js")).or_fail();
    assert_eq!(published.permissions().mode() & 0o7777, 0o644);
    fleet.configure("assets.chmod = [\"755x\"]\n");
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    assert!(ran.stderr().contains("'755x' is not a mode change"), "{}", ran.stderr());
}
