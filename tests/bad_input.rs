//! Bad input: a clear error that names the thing, exit code 1 or 2, and nothing changed at the
//! destination.

mod agents;
mod terminal;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use assetsync_testbed::Sshd;

use super::interruptions::faults::{
    OnDrop, Outcome, Push, Site, cache, gated_shell, killing_shell, need, open_gate, run, script,
    until,
};
use crate::support::MEANT;

/// A file system that goes away in the end.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(path: &Path, options: &str) -> Mount {
        need("mount", "mount");
        let path_text = path.to_str().unwrap();
        run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path_text]);
        Mount(path.into())
    }

    fn read_only(&self) {
        run("mount", ["-o", "remount,ro", self.0.to_str().unwrap()]);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A site on a host whose file system has these options. The mount must go first, and does, being
/// last.
fn site_on(options: &str) -> (Site, Mount) {
    let mut mount = None;
    let site = Site::on(|host| mount = Some(Mount::tmpfs(host, options)));
    (site, mount.unwrap())
}

/// A remote shell that is this script; it gets the host as `$1` and the command as `$2`.
fn shell(site: &Site, lines: &str) -> PathBuf {
    let path = site.dir.join("shell");
    script(&path, &format!("#!/bin/sh\n{lines}\n"));
    path
}

fn code(outcome: &Outcome, code: i32) {
    assert_eq!(outcome.code, Some(code), "{outcome:#?}");
}

// ---- the source ----

#[test]
fn a_missing_source() {
    let site = Site::new();
    let outcome = Push::new(&site.dir.join("nothing"), site.destination()).with(["--delete"]).run();
    outcome.assert_failed(&["nothing", "No such file"]);
    code(&outcome, 2);
    site.check_untouched("no source");
    assert!(!site.work().exists());
}

#[test]
fn a_source_that_is_no_file_and_no_directory() {
    let site = Site::new();
    let outcome = Push::new(&site.source().join("style.css/"), site.destination()).run();
    outcome.assert_failed(&["style.css", "ot a directory"]);
    code(&outcome, 2);
    let fifo = site.dir.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    Push::new(&fifo, site.destination()).run().assert_failed(&["Nothing to push"]);
    site.check_untouched("a source that can't be pushed");
}

#[test]
fn an_empty_source_empties_only_if_that_is_allowed() {
    let site = Site::new();
    let empty = site.dir.join("empty");
    fs::create_dir(&empty).unwrap();
    let push = || Push::new(&empty, site.destination());
    push().run().assert_ok();
    site.check_untouched("nothing to do");
    let outcome = push().with(["--delete"]).run();
    outcome.assert_failed(&["empty", "--allow-empty"]);
    assert!(matches!(outcome.code, Some(1 | 2)));
    site.check_untouched("empty source");
    push().with(["--delete", "--allow-empty"]).run().assert_ok();
    assert!(site.standing().is_empty());
}

#[test]
fn a_source_file_that_can_not_be_read() {
    let site = Site::new();
    let secret = site.source().join("style.css");
    let dir = site.source().join("only-2/empty");
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read anything, so it is nobody who pushes, to where nobody may write.
    give_to_nobody(&site.destination());
    chown(site.dir.join("host"), Some(65534), None).unwrap();
    let words = as_nobody();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = site.push().under(&words).run();
    outcome.assert_failed(&["style.css", "Permission denied"]);
    site.check_untouched("unreadable");
}

#[test]
fn a_source_file_that_changes_before_it_is_sent_is_not_published() {
    let site = Site::new();
    let (file, gone) = (site.source().join("style.css"), site.source().join("touched.txt"));
    // Leaves the agent on the host: it would not fit through the gate.
    site.push().run().assert_ok();
    let (shell, gate) = gated_shell(&site.dir);
    let push_with_change = |change: &dyn Fn()| {
        site.reset();
        let push = site.push_by(&shell).env("FAULT_BYTES", "300").env("FAULT_GATE", &gate);
        let running = push.start();
        // Scanned, and waiting for the agent.
        until("the lock", || site.work().join("lock").exists().then_some(()));
        change();
        let _open = open_gate(&gate);
        running.wait()
    };
    for (when, content) in [("grown", "changed".repeat(9000)), ("shrunk", "less".into())] {
        let outcome = push_with_change(&|| fs::write(&file, &content).unwrap());
        if outcome.ok() {
            // It changed before it was read.
            site.check_equal(when);
        } else {
            outcome.assert_failed(&["style.css", "changes while"]);
            site.check_untouched(when);
        }
        fs::write(&file, "and again").unwrap();
    }
    let outcome = push_with_change(&|| fs::remove_file(&file).unwrap());
    outcome.assert_failed(&["style.css", "No such file"]);
    site.check_untouched("vanished");
    fs::write(&file, "and again").unwrap();
    let outcome = push_with_change(&|| {
        fs::remove_file(&file).unwrap();
        symlink("/etc/passwd", &file).unwrap();
    });
    outcome.assert_failed(&["style.css"]);
    site.check_untouched("became a link");
    assert!(gone.exists());
}

#[test]
fn a_source_file_that_never_stops_changing_is_never_mixed() {
    let site = Site::new();
    let file = site.source().join("style.css");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _leave = OnDrop(|| done.store(true, Ordering::Relaxed));
        let (file, done, next) = (&file, &done, site.dir.join("next"));
        scope.spawn(move || {
            for letter in (b'a'..=b'z').cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                fs::write(&next, vec![letter; 300_000]).unwrap();
                fs::rename(&next, file).unwrap();
            }
        });
        for _ in 0..20 {
            let outcome = site.push().run();
            outcome.assert_no_panic();
            if !outcome.ok() {
                outcome.assert_failed(&["style.css", "changes while"]);
            }
            let there = fs::read(site.destination().join("style.css")).unwrap();
            let whole = there.len() == 300_000 && there.iter().all(|byte| *byte == there[0]);
            let old = site.before[&b"style.css"[..]].size == there.len() as u64;
            assert!(old || whole, "mixed content of {} bytes", there.len());
        }
    });
}

// ---- the destination ----

#[test]
fn destinations_that_can_not_be_read() {
    let site = Site::new();
    for destination in ["", "host:", "ssh://host", "ssh://host:0/x", "user@:/x", "host::module"] {
        let outcome = Push::new(&site.source(), destination).run();
        outcome.assert_failed(&[]);
        code(&outcome, 2);
        assert!(destination.is_empty() || outcome.stderr.contains(destination), "{outcome:#?}");
    }
}

#[test]
fn a_destination_where_nobody_listens() {
    let site = Site::new();
    // The port of a connection is nobody else's, and nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let outcome = Push::new(&site.source(), format!("ssh://127.0.0.1:{port}/x")).run();
    outcome.assert_failed(&["127.0.0.1", &port.to_string(), "refused"]);
    code(&outcome, 1);
}

#[test]
fn a_host_that_does_not_exist() {
    let site = Site::new();
    let outcome = Push::new(&site.source(), "no-such-host.invalid:/x").run();
    outcome.assert_failed(&["no-such-host.invalid"]);
    code(&outcome, 1);
}

/// A push to a site over an sshd, which `spoil` has done something to.
fn push_over_ssh(site: &Site, sshd: &Sshd) -> Outcome {
    let destination = format!("testbed:{}", site.destination().display());
    let push = Push::new(&site.source(), destination).with(MEANT).with(["-F"]);
    push.with([sshd.ssh_config()]).run()
}

#[test]
fn a_host_that_refuses_the_key() {
    let (site, sshd) = (Site::new(), Sshd::start().unwrap());
    fs::write(sshd.dir().join("authorized_keys"), "").unwrap();
    let outcome = push_over_ssh(&site, &sshd);
    outcome.assert_failed(&["127.0.0.1", "refused the login of", sshd.user()]);
    code(&outcome, 1);
    site.check_untouched("refused");
}

#[test]
fn a_host_whose_key_is_not_known() {
    let (site, sshd) = (Site::new(), Sshd::start().unwrap());
    fs::write(sshd.known_hosts(), "").unwrap();
    let outcome = push_over_ssh(&site, &sshd);
    outcome.assert_failed(&["127.0.0.1", "not known", "SHA256:", "ssh-keyscan"]);
    code(&outcome, 1);
    site.check_untouched("unknown host");
}

#[test]
fn a_host_whose_key_has_changed() {
    let (site, sshd) = (Site::new(), Sshd::start().unwrap());
    let other = fs::read_to_string(sshd.client_key().with_extension("pub")).unwrap();
    fs::write(sshd.known_hosts(), format!("[127.0.0.1]:{} {other}", sshd.port())).unwrap();
    let outcome = push_over_ssh(&site, &sshd);
    outcome.assert_failed(&["127.0.0.1", "HAS CHANGED", "SHA256:", "ssh-keygen -R"]);
    code(&outcome, 1);
    site.check_untouched("changed host key");
}

#[test]
fn a_destination_that_is_a_file_or_below_one() {
    let site = Site::new();
    let file = site.dir.join("host/outside/secret");
    for destination in [file.clone(), file.join("below")] {
        for push in [
            Push::new(&site.source(), &destination),
            site.push_by_to(&shell(&site, "exec /bin/sh -c \"$2\""), &destination),
        ] {
            let outcome = push.run();
            outcome.assert_failed(&["secret"]);
            assert!(matches!(outcome.code, Some(1 | 2)));
            site.check_untouched("a file as destination");
        }
    }
}

/// Words that run a program as the user nobody.
fn as_nobody() -> Vec<String> {
    need("setpriv", "util-linux");
    // A cache of its own: agents must belong to who runs them.
    let own = cache().join("nobody");
    fs::create_dir_all(&own).unwrap();
    chown(&own, Some(65534), Some(65534)).unwrap();
    let cache = format!("XDG_CACHE_HOME={}", own.display());
    let words =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/", &cache];
    words.map(str::to_owned).to_vec()
}

/// A remote shell whose commands run as the user nobody.
fn nobodys_shell(site: &Site) -> PathBuf {
    shell(site, &format!("exec {} /bin/sh -c \"$2\"", as_nobody().join(" ")))
}

fn give_to_nobody(path: &Path) {
    run("chown", ["-R", "-h", "65534:65534", path.to_str().unwrap()]);
}

#[test]
fn a_destination_that_can_not_be_written() {
    let site = Site::new();
    let outcome = site.push_by(&nobodys_shell(&site)).run();
    outcome.assert_failed(&["site", "Permission denied"]);
    code(&outcome, 1);
    site.check_untouched("not writable");
    assert!(!site.work().exists());
}

#[test]
fn a_destination_in_a_directory_that_can_not_be_written_is_fine() {
    let site = Site::new();
    give_to_nobody(&site.destination());
    site.push_by(&nobodys_shell(&site)).run().assert_ok();
    let inside = site.destination().join(".assetsync");
    assert!(inside.is_dir());
    fs::remove_dir_all(inside).unwrap();
    site.check_equal("work directory inside");
}

#[test]
fn a_destination_of_which_a_part_can_not_be_written() {
    let site = Site::new();
    // Where files are placed, where one is deleted, and where one makes way for another kind.
    for part in ["assets", "only-1/deep/er", "kind-a"] {
        site.reset();
        give_to_nobody(&site.destination());
        chown(site.destination().join(part), Some(0), Some(0)).unwrap();
        let outcome = site.push_by(&nobodys_shell(&site)).run();
        outcome.assert_failed(&[part, "Permission denied"]);
        code(&outcome, 1);
        let _ = fs::remove_dir_all(site.destination().join(".assetsync"));
        site.check_untouched(part);
    }
}

#[test]
fn a_full_destination_is_named_and_stays_as_it_was() {
    let (site, _mount) = site_on("size=1300k");
    let outcome = site.push().run();
    outcome.assert_failed(&["Disk full", "free"]);
    code(&outcome, 1);
    site.check_untouched("full");
    assert!(site.staged().is_empty(), "{:?}", site.staged());
}

#[test]
fn a_destination_without_room_for_a_single_name() {
    let count = 1 + walk(&Site::new().dir.join("host"));
    for spare in [0, 1, 2, 3, 4, 6, 12, 20, 80] {
        let (site, _mount) = site_on(&format!("nr_inodes={}", count + spare));
        let outcome = site.push().run();
        if outcome.ok() {
            site.check_equal("enough names");
            continue;
        }
        assert!(spare < 80, "{outcome:#?}");
        outcome.assert_failed(&[]);
        let said = &outcome.stderr;
        assert!(said.contains("Disk full") || said.contains("No space left"), "{outcome:#?}");
        site.check_untouched("no inodes");
        assert!(site.staged().is_empty(), "{:?}", site.staged());
    }
}

/// Number of paths at and below one.
fn walk(path: &Path) -> usize {
    let meta = fs::symlink_metadata(path).unwrap();
    let below = meta.is_dir().then(|| fs::read_dir(path).unwrap());
    1 + below.into_iter().flatten().map(|item| walk(&item.unwrap().path())).sum::<usize>()
}

#[test]
fn what_an_interrupted_push_left_does_not_stand_in_the_way_of_the_next() {
    let (site, _mount) = site_on("size=1900k");
    let total = site.push().run().number("bytes_sent");
    site.reset();
    // The first stages most, the others find it there and are interrupted early.
    for part in [95, 20, 20, 20] {
        let push = site.push_by(&killing_shell(&site.dir));
        push.env("FAULT_BYTES", (total * part / 100).to_string()).run();
        site.wait_alone();
        assert!(site.staged().len() >= 3, "{part} %: {:?}", site.staged());
    }
    site.check_untouched("interrupted");
    site.push_again();
    site.check_equal("after leftovers");
}

#[test]
fn a_read_only_destination() {
    let (site, mount) = site_on("size=10m");
    mount.read_only();
    let outcome = site.push().run();
    outcome.assert_failed(&["site", "Read-only file system"]);
    code(&outcome, 1);
    site.check_untouched("read-only");
}

// ---- the way there ----

#[test]
fn a_login_shell_that_prints_a_little_is_warned_of_and_one_that_prints_much_is_refused() {
    let site = Site::new();
    let sshd = Sshd::builder().noise(3000).start().unwrap();
    let outcome = push_over_ssh(&site, &sshd);
    outcome.assert_ok();
    assert!(outcome.stderr.contains("####") || outcome.stdout.contains("####"), "{outcome:#?}");
    site.check_equal("a little noise");
    site.reset();
    let sshd = Sshd::builder().noise(1_000_000).start().unwrap();
    let outcome = push_over_ssh(&site, &sshd);
    // SFTP needs no shell.
    outcome.assert_ok();
    assert!(
        outcome.stdout.contains("prints more than") && outcome.stdout.contains("SFTP"),
        "{outcome:#?}"
    );
    assert_eq!(site.missing_contents(), 0);
    site.reset();
    let outcome = site.push_by(&shell(&site, "exec yes noise")).run();
    outcome.assert_failed(&["somewhere", "prints more than", "noise"]);
    site.check_untouched("endless noise");
}

/// Makes `$1` the nonce.
const NONCE: &str = "set -- ${2#*\"' sh \"}\n";

#[test]
fn a_way_that_goes_silent() {
    let site = Site::new();
    for (lines, seconds, said) in [
        ("exec sleep 600".to_owned(), "1", "did not answer within 1 s"),
        // So many that a busy machine has started the shell and said the word by then.
        (
            format!("{NONCE}echo assetsync:$1:ready; exec sleep 600"),
            "20",
            "Nothing received for 20 s",
        ),
    ] {
        let outcome = site.push_by(&shell(&site, &lines)).with(["--timeout", seconds]).run();
        outcome.assert_failed(&[said]);
        code(&outcome, 1);
        site.check_untouched("silent");
    }
}

#[test]
fn a_remote_shell_that_does_not_exist_or_ends() {
    let site = Site::new();
    let destination = format!("somewhere:{}", site.destination().display());
    let push = |command: &str| Push::new(&site.source(), &destination).with(["-e", command]).run();
    let outcome = push("/no/such/program -x");
    outcome.assert_failed(&["/no/such/program", "No such file"]);
    let outcome = push("ssh 'open");
    outcome.assert_failed(&["ssh 'open"]);
    code(&outcome, 2);
    let outcome = push("/bin/sh -c 'echo my own reason >&2; exit 7'");
    outcome.assert_failed(&["somewhere", "my own reason", "7"]);
    site.check_untouched("no remote shell");
}
