//! Whatever interrupts a push, and whenever: no reader ever sees a broken site, and the next push
//! completes it without sending again what had arrived.

#[path = "faults.rs"]
pub(crate) mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use assetsync_testbed::{Direction, Link, LinkSpec, Sshd};

use self::faults::{
    Dir, ENTRY_POINTS, OnDrop, Outcome, Push, Site, build, fingerprint, gated_shell, killing_shell,
    need, open_gate, run, script, until,
};
use crate::support::MEANT;

/// The agent's calls that change something, somewhere.
pub(crate) const MUTATING: &str = "openat,write,renameat,renameat2,mkdir,mkdirat,unlinkat,symlinkat,fchmod,utimensat,\
                        ftruncate,syncfs,fsync,flock";

/// A system call of the agent's main thread: the `nth` of that name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub call: String,
    pub nth: u32,
}

/// Runs the agent, and nothing of the login shell's, under strace; `FAULT` says what strace shall
/// do.
pub(crate) fn traced_agent(dir: &Dir) -> PathBuf {
    need("strace", "strace");
    let path = dir.join("traced");
    script(
        &path,
        "#!/bin/sh\n\
         set -- ${2#*\"' sh \"}\n\
         nonce=$1; shift; here=$(uname -s)-$(uname -m)\n\
         for word; do case $word in \"$here=\"*) hash=${word#*=}; hash=${hash%%.*} ;; esac; done\n\
         agent=$XDG_CACHE_HOME/assetsync/agent-$here-$hash\n\
         test -x \"$agent\" || { echo \"no $agent\" >&2; exit 1; }\n\
         exec strace -f -qq -o \"$FAULT_LOG\" $FAULT \"$agent\" \"$nonce\"\n",
    );
    path
}

/// The calls in a log of strace that change something, of the thread that made the first.
pub(crate) fn points(log: &Path) -> Vec<Point> {
    let log = fs::read_to_string(log).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    let mut points = Vec::new();
    let main = log.split_whitespace().next().unwrap_or_default();
    for line in log.lines() {
        let Some(rest) = line.strip_prefix(main) else { continue };
        let Some((call, arguments)) = rest.trim().split_once('(') else { continue };
        let nth: &mut u32 = counts.entry(call.to_owned()).or_default();
        *nth += 1;
        let is_name = call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if is_name && (call != "openat" || arguments.contains("O_CREAT")) {
            points.push(Point { call: call.to_owned(), nth: *nth });
        }
    }
    points
}

/// At most `count` of `all`, evenly spread.
pub(crate) fn spread<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).map(|index| all[index * all.len() / count].clone()).collect()
}

/// Where a clean push can be interrupted.
fn agent_points(site: &Site, agent: &Path) -> Vec<Point> {
    // Installs the agent, where that is still to be done.
    site.push().run().assert_ok();
    site.reset();
    let outcome = trace(site, agent, &format!("-e trace={MUTATING}"));
    outcome.assert_ok();
    site.check_equal("clean");
    points(&site.dir.join("strace.log"))
}

pub(crate) fn trace(site: &Site, agent: &Path, fault: &str) -> Outcome {
    let push = site.push_by(agent).env("FAULT", fault);
    push.env("FAULT_LOG", site.dir.join("strace.log")).run()
}

/// Checks a destination after an interruption, and that the next push completes it.
fn check_recovery(site: &Site, when: &str) {
    site.check(when);
    let missing = site.missing_contents();
    let again = site.push_again();
    let sent = again.number("files_sent");
    assert!(sent <= missing, "{when}: {missing} files were missing, {sent} were sent: {again:?}");
    site.check_equal(when);
}

#[test]
fn an_agent_killed_at_any_change_leaves_a_whole_site_that_the_next_push_completes() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    let all = agent_points(&site, &agent);
    let mut killed = 0;
    for point in spread(&all, 120) {
        site.reset();
        let Point { call, nth } = &point;
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let outcome = trace(&site, &agent, &fault);
        outcome.assert_no_panic();
        if !outcome.ok() {
            killed += 1;
            outcome.assert_failed(&[]);
        }
        check_recovery(&site, &format!("agent killed at {call} number {nth} of {}", all.len()));
    }
    assert!(killed >= 50, "only {killed} kills, of {} calls", all.len());
}

/// Leaves a site as a sender killed towards the end of a push leaves it: much is staged, nothing
/// published.
pub(crate) fn interrupt(site: &Site, total: u64) {
    site.reset();
    let push = site.push_by(&killing_shell(&site.dir));
    push.env("FAULT_BYTES", (total * 19 / 20).to_string()).run();
    site.wait_alone();
    site.check_untouched("interrupted");
    assert!(site.staged().len() >= 3, "{:?}", site.staged());
}

#[test]
fn an_agent_killed_while_it_uses_what_an_interrupted_push_left_loses_nothing_of_it() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    site.push().run().assert_ok();
    site.reset();
    let total = site.push().run().number("bytes_sent");
    interrupt(&site, total);
    trace(&site, &agent, &format!("-e trace={MUTATING}")).assert_ok();
    let all = points(&site.dir.join("strace.log"));
    let mut killed = 0;
    for Point { call, nth } in spread(&all, 50) {
        interrupt(&site, total);
        let missing = site.missing_contents();
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let outcome = trace(&site, &agent, &fault);
        outcome.assert_no_panic();
        killed += u32::from(!outcome.ok());
        let when = format!("second agent killed at {call} number {nth} of {}", all.len());
        assert!(site.missing_contents() <= missing, "{when}: lost what was staged");
        check_recovery(&site, &when);
    }
    assert!(killed >= 40, "only {killed} kills of {} calls", all.len());
}

#[test]
fn what_an_interrupted_push_left_is_not_trusted() {
    let site = Site::new();
    site.push().run().assert_ok();
    site.reset();
    let total = site.push().run().number("bytes_sent");
    // As a host that loses power may leave them: cut off, empty, or with blocks that were never
    // written.
    let spoil: [&dyn Fn(Vec<u8>) -> Vec<u8>; 4] = [
        &|bytes| bytes[..bytes.len() / 2].to_vec(),
        &|_| Vec::new(),
        &|bytes| vec![0; bytes.len()],
        &|bytes| [&bytes[..], b"more"].concat(),
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        interrupt(&site, total);
        for name in site.staged() {
            let path = site.work().join("stage").join(name);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, spoil(bytes)).unwrap();
        }
        site.push_again();
        site.check_equal(&format!("damage {number}"));
    }
}

#[test]
fn calls_of_the_agent_that_fail_are_reported_and_change_nothing_before_publishing() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    let all = agent_points(&site, &agent);
    for (errno, words) in [
        ("ENOSPC", &["No space left", "Disk full"][..]),
        ("EIO", &["Input/output error"]),
        ("EINTR", &["Interrupted"]),
    ] {
        for Point { call, nth } in spread(&all, 16) {
            let when = format!("{errno} at {call} number {nth}");
            site.reset();
            let fault = format!("-e trace={call} -e inject={call}:error={errno}:when={nth}");
            let outcome = trace(&site, &agent, &fault);
            outcome.assert_no_panic();
            if !outcome.ok() {
                outcome.assert_failed(&[]);
                let said = &outcome.stderr;
                let named = words.iter().any(|word| said.contains(word));
                // It could not even say so.
                let mute =
                    said.contains("was closed before") || said.contains("closed the connection");
                assert!(named || mute, "{when}: {outcome:?}");
                if !said.contains("Can't publish") && !mute {
                    site.check_untouched(&when);
                }
            }
            check_recovery(&site, &when);
        }
    }
}

#[test]
fn calls_of_the_agent_that_are_interrupted_change_nothing_about_the_result() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    site.push().run().assert_ok();
    for calls in ["read", "write", "pread64", "ppoll", "read,write,pread64,ppoll"] {
        site.reset();
        let fault = format!("-e trace={calls} -e inject={calls}:error=EINTR:when=2+3");
        trace(&site, &agent, &fault).assert_ok();
        let log = fs::read_to_string(site.dir.join("strace.log")).unwrap();
        assert!(calls == "pread64" || log.contains("EINTR"), "no {calls} was interrupted");
        site.check_equal(&format!("{calls} interrupted"));
    }
}

#[test]
fn a_sender_killed_after_any_byte_leaves_a_whole_site_that_the_next_push_completes() {
    let site = Site::new();
    let shell = killing_shell(&site.dir);
    site.push().run().assert_ok();
    site.reset();
    let total = site.push().run().number("bytes_sent");
    for step in 0..50 {
        site.reset();
        let bytes = total * step / 50;
        let outcome = site.push_by(&shell).env("FAULT_BYTES", bytes.to_string()).run();
        assert_eq!(outcome.code, None, "killed after {bytes} bytes: {outcome:?}");
        site.wait_alone();
        check_recovery(&site, &format!("sender killed after {bytes} of {total} bytes"));
    }
}

#[test]
fn a_sender_killed_at_any_call_leaves_a_whole_site_that_the_next_push_completes() {
    need("strace", "strace");
    let site = Site::new();
    let log = site.dir.join("strace.log");
    let strace = |fault: &str| {
        let mut words = vec!["strace", "-f", "-qq", "-o", log.to_str().unwrap()];
        words.extend(fault.split(' '));
        site.push().under(&words).run()
    };
    site.push().run().assert_ok();
    site.reset();
    strace("-e trace=write,read,poll,clone3,openat").assert_ok();
    let all: Vec<Point> = sender_points(&log);
    let mut killed = 0;
    for Point { call, nth } in spread(&all, 24) {
        site.reset();
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let outcome = strace(&fault);
        outcome.assert_no_panic();
        killed += u32::from(!outcome.ok());
        site.wait_alone();
        check_recovery(&site, &format!("sender or agent killed at {call} number {nth}"));
    }
    assert!(killed >= 12, "only {killed} kills of {} calls", all.len());
}

/// All calls of the sender's main thread.
fn sender_points(log: &Path) -> Vec<Point> {
    let log_text = fs::read_to_string(log).unwrap();
    let main = log_text.split_whitespace().next().unwrap_or_default().to_owned();
    let mut counts = std::collections::BTreeMap::new();
    let lines = log_text.lines().filter_map(|line| line.strip_prefix(&main));
    lines
        .filter_map(|line| line.trim().split_once('('))
        .map(|(call, _)| {
            let nth: &mut u32 = counts.entry(call.to_owned()).or_default();
            *nth += 1;
            Point { call: call.to_owned(), nth: *nth }
        })
        .filter(|point| point.call.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .collect()
}

/// A site behind a real sshd and a link that breaks.
struct Remote {
    site: Site,
    link: Link,
    route: assetsync_testbed::Route,
    _sshd: Sshd,
    /// What a clean push takes, both ways.
    sent: u64,
    received: u64,
}

impl Remote {
    fn new() -> Remote {
        let site = Site::new();
        let sshd = Sshd::start().unwrap();
        let link = Link::to(sshd.port(), LinkSpec::UNSHAPED).unwrap();
        let route = sshd.via(link.port()).unwrap();
        let mut remote = Remote { site, link, route, _sshd: sshd, sent: 0, received: 0 };
        // The first one installs the agent.
        remote.push().run().assert_ok();
        remote.site.check_equal("over ssh");
        remote.start_over();
        remote.push().run().assert_ok();
        assert!(remote.link.wait_idle(faults::WAIT_LIMIT));
        let counts = remote.link.counts();
        (remote.sent, remote.received) = (counts.sent, counts.received);
        remote
    }

    fn push(&self) -> Push {
        let destination = format!("testbed:{}", self.site.destination().display());
        let push = Push::new(&self.site.source(), destination).with(MEANT).with(["-F"]);
        push.with([self.route.config()])
    }

    fn start_over(&self) {
        self.site.reset();
        self.link.reset();
    }
}

#[test]
fn a_connection_cut_after_any_byte_leaves_a_whole_site_that_the_next_push_completes() {
    let remote = Remote::new();
    for (direction, total) in
        [(Direction::Sent, remote.sent), (Direction::Received, remote.received)]
    {
        for step in 1..=20 {
            let bytes = total * step / 21;
            let when = format!("cut after {bytes} of {total} bytes {direction:?}");
            remote.start_over();
            remote.link.cut_after(direction, bytes);
            let outcome = remote.push().run();
            // Before the login, the ssh program connects again.
            match outcome.ok() {
                true => remote.site.check_equal(&when),
                false => outcome.assert_failed(&[]),
            }
            // Until the agent has noticed; its lock goes with it.
            let _ = remote.site.push_again();
            remote.site.check_equal(&when);
        }
    }
}

#[test]
fn a_bit_that_flips_below_ssh_publishes_nothing() {
    let remote = Remote::new();
    // After the key exchange, whose padding nothing protects, and before the last content and
    // answers.
    for (direction, total, percents) in
        [(Direction::Sent, remote.sent, 10..70), (Direction::Received, remote.received, 50..75)]
    {
        for percent in percents.step_by(5) {
            let offset = total * percent / 100;
            remote.start_over();
            remote.link.flip_bit(direction, offset);
            let outcome = remote.push().with(["--timeout", "5"]).run();
            outcome.assert_failed(&[]);
            remote.site.check_untouched(&format!("bit {offset} flipped {direction:?}"));
        }
    }
}

#[test]
fn a_link_that_goes_silent_ends_both_sides_and_frees_the_lock() {
    let remote = Remote::new();
    for (direction, bytes) in
        [(Direction::Sent, remote.sent * 2 / 3), (Direction::Received, remote.received * 2 / 3)]
    {
        remote.start_over();
        remote.link.freeze_after(direction, bytes);
        let outcome = remote.push().with(["--timeout", "2"]).run();
        outcome.assert_failed(&[]);
        let said = &outcome.stderr;
        assert!(
            said.contains("Nothing received for") || said.contains("did not answer"),
            "{outcome:?}"
        );
        // The link stays frozen: nobody tells the agent.
        check_recovery_while_locked(&remote.site, &format!("silent after {bytes} {direction:?}"));
    }
}

fn check_recovery_while_locked(site: &Site, when: &str) {
    let _ = site.push_again();
    site.check_equal(when);
}

#[test]
fn of_two_pushes_to_one_destination_the_second_is_refused_until_the_first_is_gone() {
    let site = Site::new();
    site.push().run().assert_ok();
    let (shell, gate) = gated_shell(&site.dir);
    let start = || {
        site.reset();
        let push = site.push_by(&shell).env("FAULT_BYTES", "60000").env("FAULT_GATE", &gate);
        let running = push.start();
        let holder = until("the lock", || {
            let text = fs::read_to_string(site.work().join("lock")).ok()?;
            text.split_once("process ")?.1.parse::<u32>().ok()
        });
        let refused = site.push().run();
        refused.assert_failed(&["Another push", &format!("process {holder}")]);
        assert_eq!(refused.code, Some(1));
        site.check_untouched("while the first one waits");
        (running, holder)
    };
    let (first, _) = start();
    let open = open_gate(&gate);
    first.wait().assert_ok();
    site.check_equal("the first one");
    drop(open);

    let (first, holder) = start();
    run("kill", ["-9", &holder.to_string()]);
    check_recovery(&site, "its holder killed");
    let _open = open_gate(&gate);
    first.wait().assert_failed(&[]);
    site.check_equal("after the first one's end");
}

/// Reads the entry point and every file it names, as a visitor would; `true` if all were there.
fn visit(destination: &Path, entry_point: &str) -> bool {
    let read = || fs::read_to_string(destination.join(entry_point)).expect("always an entry point");
    let page = read();
    for name in page.lines().filter(|line| line.starts_with("assets/")) {
        let Ok(bytes) = fs::read(destination.join(name)) else {
            assert_ne!(page, read(), "{entry_point} names {name}, which is missing");
            return false;
        };
        let expected = name.rsplit_once('-').and_then(|(_, end)| end.split('.').next());
        assert_eq!(Some(&fingerprint(&bytes)[..]), expected, "{name} has other content");
    }
    true
}

#[test]
fn a_visitor_never_meets_a_page_that_names_a_missing_or_a_mixed_file() {
    let site = Site::new();
    site.push().run().assert_ok();
    let (done, visits) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // However this ends, the visitors leave.
        let _leave = OnDrop(|| done.store(true, Ordering::Relaxed));
        for entry_point in ENTRY_POINTS {
            let (site, done, visits) = (&site, &done, &visits);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let whole = visit(&site.destination(), entry_point);
                    visits.fetch_add(u64::from(whole), Ordering::Relaxed);
                }
            });
        }
        let mut outcomes = Vec::new();
        for revision in 3..33 {
            fs::remove_dir_all(site.source()).unwrap();
            build(revision).write_to(&site.source()).unwrap();
            outcomes.push(site.push().run());
        }
        outcomes.iter().for_each(Outcome::assert_ok);
    });
    let visits = visits.into_inner();
    assert!(visits >= 30, "only {visits} visits");
}
