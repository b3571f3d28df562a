//! Calls of the agent that fail while it publishes, each of them: what was published is taken back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::situations::{Host, Mount, WORKING, forgotten, mount_tmpfs};
use super::{Entry, check_but, own_names, push, wrong};
use crate::interruptions::faults::{Outcome, Push, need, script};
use crate::interruptions::{Point, points, spread, traced_agent};
use crate::support::MEANT;

/// The agent's calls that change a tree.
const MUTATING: &str = "renameat,renameat2,mkdirat,unlinkat,symlinkat,linkat,fchmod,fchmodat,\
                        fchown,utimensat,fsync,syncfs";

/// A push to a destination that is reset before each.
struct Traced {
    /// Ended before the host's directory is removed.
    mounts: Vec<Mount>,
    host: Host,
    agent: std::path::PathBuf,
    /// What the file system does not keep.
    forget: fn(&mut Entry),
}

impl Traced {
    fn new(mounts: impl FnOnce(&Host) -> Vec<Mount>, forget: fn(&mut Entry)) -> Traced {
        need("strace", "strace");
        let host = Host::new();
        let agent = traced_agent(host.dir());
        let mounts = mounts(&host);
        // Installs the agent.
        push(&host, 0).assert_ok();
        Traced { mounts, host, agent, forget }
    }

    fn push(&self, fault: &str) -> Outcome {
        self.push_by(&format!("/bin/sh {}", self.agent.display()), fault)
    }

    /// As a host pushes on which new files are closed to others.
    fn push_with_umask(&self, fault: &str) -> Outcome {
        let shell = self.host.dir().join("umask");
        script(
            &shell,
            &format!("#!/bin/sh\numask 077\nexec /bin/sh {} \"$@\"\n", self.agent.display()),
        );
        self.push_by(&shell.display().to_string(), fault)
    }

    fn push_by(&self, shell: &str, fault: &str) -> Outcome {
        let destination = format!("somewhere:{}", self.host.destination().display());
        let push = Push::new(&self.host.source(1), destination).with(MEANT).with(["-e", shell]);
        let push = push.env("XDG_CACHE_HOME", self.host.cache()).env("FAULT", fault);
        push.env("FAULT_LOG", self.host.dir().join("strace.log")).run()
    }

    /// Every call of a push without faults.
    fn points(&self) -> Vec<Point> {
        self.push(&format!("-e trace={MUTATING}")).assert_ok();
        check_but(&self.host, 1, "without a fault", self.forget);
        points(&self.host.dir().join("strace.log"))
    }

    /// Lets each call fail once; what was neither wholly old nor wholly new afterwards.
    fn fail_each(&self, errno: &str) -> Vec<String> {
        let all = self.points();
        assert!(all.len() > 30, "only {} calls", all.len());
        let (wrong, failed) = self.fail(errno, &all);
        assert!(failed > 10, "only {failed} failed");
        wrong
    }

    /// The same for these calls; also how many pushes failed.
    fn fail(&self, errno: &str, points: &[Point]) -> (Vec<String>, usize) {
        let (mut all_wrong, mut failed) = (Vec::new(), 0);
        let mut is_old = false;
        for Point { call, nth } in points {
            if !is_old {
                // From whatever the last fault left.
                push(&self.host, 0).assert_ok();
                check_but(&self.host, 0, &format!("before {call} number {nth}"), self.forget);
            }
            let fault = format!("-e trace={call} -e inject={call}:error={errno}:when={nth}");
            let outcome = self.push(&fault);
            outcome.assert_no_panic();
            failed += usize::from(!outcome.ok());
            let found =
                wrong(&self.host.destination(), &self.host, outcome.ok().into(), self.forget);
            is_old = !outcome.ok() && found.is_empty();
            if !found.is_empty() {
                let when = format!("{errno} at {call} number {nth}: {}", outcome.stderr);
                all_wrong.push(format!("{when}: neither: {found:?}"));
            }
        }
        push(&self.host, 0).assert_ok();
        check_but(&self.host, 0, "after the last fault", self.forget);
        (all_wrong, failed)
    }
}

/// In every situation, a few of the calls that change the tree.
#[test]
fn a_push_that_fails_is_taken_back_in_every_situation() {
    const OF_NAMES: [&str; 6] =
        ["renameat", "renameat2", "mkdirat", "unlinkat", "symlinkat", "linkat"];
    for (name, prepare) in WORKING {
        let traced = Traced::new(prepare, forgotten(name));
        let mut points = traced.points();
        points.retain(|point| OF_NAMES.contains(&point.call.as_str()));
        let (wrong, failed) = traced.fail("EIO", &spread(&points, 8));
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
        assert!(failed > 0, "{name}: no push failed");
    }
}

/// In a plain directory, and where part of it is on another mount.
fn a_call_fails(errno: &str) {
    for mounts in
        [|_: &Host| Vec::new(), |host: &Host| vec![mount_tmpfs(&host.destination().join("packs"))]]
    {
        let traced = Traced::new(mounts, |_| ());
        let wrong = traced.fail_each(errno);
        assert_eq!(wrong, Vec::<String>::new(), "{} mounts", traced.mounts.len());
        assert_eq!(own_names(&traced.host.destination()), Vec::<String>::new());
        let stage = traced.host.work().join("stage");
        assert_eq!(fs::read_dir(stage).unwrap().count(), 0);
    }
}

#[test]
fn a_call_that_fails_with_exdev_is_taken_back() {
    a_call_fails("EXDEV");
}

#[test]
fn a_call_that_fails_with_eperm_is_taken_back() {
    a_call_fails("EPERM");
}

#[test]
fn a_call_that_fails_with_eacces_is_taken_back() {
    a_call_fails("EACCES");
}

#[test]
fn a_call_that_fails_with_ebusy_is_taken_back() {
    a_call_fails("EBUSY");
}

#[test]
fn a_call_that_fails_with_einval_is_taken_back() {
    a_call_fails("EINVAL");
}

#[test]
fn a_call_that_fails_with_eio_is_taken_back() {
    a_call_fails("EIO");
}

#[test]
fn a_call_that_fails_with_enospc_is_taken_back() {
    a_call_fails("ENOSPC");
}

#[test]
fn a_path_that_changes_its_kind_is_there_at_any_moment() {
    let traced = Traced::new(|_| Vec::new(), |_| {});
    for Point { call, nth } in &traced.points() {
        push(&traced.host, 0).assert_ok();
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        traced.push(&fault);
        // A directory becomes a file, and a file a directory.
        for path in ["m", "n"] {
            let there = fs::symlink_metadata(traced.host.destination().join(path));
            assert!(there.is_ok(), "{path} after a kill at {call} number {nth}");
        }
    }
}

#[test]
fn directories_have_their_permission_bits_before_anything_in_them_is_published() {
    let traced = Traced::new(|_| Vec::new(), |_| {});
    for Point { call, nth } in &traced.points() {
        push(&traced.host, 0).assert_ok();
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        traced.push_with_umask(&fault);
        for (dir, file) in [("n", "b.js"), ("new", "c.js"), ("packs/new/e", "x.js")] {
            let dir = traced.host.destination().join(dir);
            if dir.join(file).exists() {
                let mode = fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o755, "{} at {call} number {nth}", dir.display());
            }
        }
    }
}
