//! Promise: uninstall removes from a host what assetsync left there, and never what is served.

use std::fs;
use std::path::Path;

use assetsync_testbed::tree::snapshot;
use rustix::fs::{FlockOperation, flock};

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Ran, Way, assert_untouched, scratch, sshd, text};

fn uninstall(machine: &Machine, way: &Way, options: &[&str]) -> Ran {
    let given = way.options.iter().map(String::as_str).chain(options.iter().copied());
    machine.run(["uninstall"].into_iter().chain(given).chain([way.destination.as_str()]))
}

/// Every file of assetsync below a directory.
fn left_in(dir: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.or_fail().path();
        let name = text(Path::new(path.file_name().unwrap_or_default()));
        if name.starts_with(".assetsync") || name.starts_with("agent-") {
            left.push(text(&path));
        } else if path.is_dir() {
            left.extend(left_in(&path));
        }
    }
    left
}

fn source(dir: &Path) -> std::path::PathBuf {
    let source = dir.join("source");
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    source
}

#[test]
fn what_is_served_stays_and_all_else_goes() {
    let (machine, dir) = (Machine::new(), scratch());
    let sshd = assetsync_testbed::Sshd::builder().in_home().start().or_fail();
    let (source, live) = (source(dir.path()), sshd.home().join("www/assets"));
    fs::create_dir(sshd.home().join("www")).or_fail();
    for transport in [&[][..], &["--transport", "openssh"]] {
        let way = Way::ssh(sshd.route(), &live).with(transport);
        machine.push(&way, &[], &source);
        let before = snapshot(&live).or_fail();
        assert_eq!(left_in(&sshd.home()).len(), 2, "a work directory and an agent");
        let dry = uninstall(&machine, &way, &["--dry-run"]);
        assert_eq!(dry.code(), Some(0), "{}", dry.stderr());
        assert!(dry.stdout().contains("would remove"), "{}", dry.stdout());
        assert_eq!(left_in(&sshd.home()).len(), 2, "a dry run");
        let ran = uninstall(&machine, &way, &[]);
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        let said = ran.stdout();
        for part in ["www/.assetsync-assets (", "the agents in ", "www/assets and all that"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(left_in(&sshd.home()), Vec::<String>::new());
        assert_untouched(&before, &live);
        let again = uninstall(&machine, &way, &[]).stdout();
        assert!(again.contains("nothing: there is no work directory"), "{again}");
    }
}

#[test]
fn a_local_destination_and_one_whose_work_directory_is_inside() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, live) = (source(dir.path()), dir.path().join("live"));
    machine.push(&Way::local(&live), &[], &source);
    fs::rename(dir.path().join(".assetsync-live"), live.join(".assetsync")).or_fail();
    machine.push(&Way::local(&live), &[], &source);
    let ran = uninstall(&machine, &Way::local(&live), &[]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let left = [left_in(dir.path()), left_in(machine.home())].concat();
    assert_eq!(left, Vec::<String>::new());
    assert!(live.join("app.js").exists());
    assert!(machine.home().join(".cache/assetsync/store").exists(), "the store is no leftover");
}

#[test]
fn refused_while_a_push_is_under_way() {
    let (machine, sshd, dir) = (Machine::new(), sshd(), scratch());
    let (source, live) = (source(dir.path()), dir.path().join("live"));
    let way = Way::ssh(sshd.route(), &live);
    machine.push(&way, &[], &source);
    let lock = fs::File::open(dir.path().join(".assetsync-live/lock")).or_fail();
    flock(&lock, FlockOperation::LockExclusive).or_fail();
    let ran = uninstall(&machine, &way, &[]);
    assert_eq!((ran.code(), ran.stdout().as_str()), (Some(1), ""));
    assert!(ran.stderr().contains("A push is under way ("), "{}", ran.stderr());
    assert!(dir.path().join(".assetsync-live/index").exists());
}

/// A stage names all its hosts and asset sets.
#[test]
fn a_stage() {
    let fleet = Fleet::of(2);
    fleet.build(&[("app.js", "app()")]);
    fleet.json("deploy production");
    let ran = fleet.run("uninstall production --hosts web2");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(
        ran.stdout().starts_with("web2\n") && !ran.stdout().contains("web1"),
        "{}",
        ran.stdout()
    );
    assert!(!left_in(&fleet.hosts[0].sshd.home()).is_empty());
    assert_eq!(left_in(&fleet.hosts[1].sshd.home()), Vec::<String>::new());
    fleet.assert_serves(&fleet.built());
    // The next deploy begins anew.
    fleet.json("deploy production");
}

#[test]
fn what_can_not_be_meant_is_bad_usage() {
    let fleet = Fleet::of(1);
    for (words, expected) in [
        ("uninstall prodction", "prodction is neither a stage nor a directory"),
        ("uninstall production -p 2222", "--port can't be used with the stage production"),
        ("uninstall web1:/srv --hosts web1", "--hosts can only be used with a stage"),
        ("uninstall production --hosts web9", "web9"),
    ] {
        let ran = fleet.run(words);
        assert_eq!((ran.code(), ran.stdout().as_str()), (Some(2), ""), "{words}");
        assert!(ran.stderr().contains(expected), "{words}: {}", ran.stderr());
    }
}
