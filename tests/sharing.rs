//! Promise: a push to several destinations encodes once for all that are in the same state, and
//! none of them suffers from what befalls another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, Once};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use assetsync_agents::carried;
use assetsync_ssh::{Agents, NoPrompt, SshOptions, Target};
use assetsync_sync::internals::{encoded_bytes, push};
use assetsync_sync::{
    ConnectOptions, Event, Monitor, Options, Policy, PushError, PushGroup, Report, Source,
};
use assetsync_testbed::memory::peak_rss_of;
use assetsync_testbed::{Link, LinkSpec};
use serde_json::Value;
use tempfile::TempDir;

use crate::interruptions::faults::{OnDrop, until};
use crate::support::{
    Machine, OrFail, Ran, Way, assert_equal, fresh_corpus, local_shell, scratch, scratch_on_disk,
    sshd, text,
};

/// A source whose content takes a while to travel, and places to push it to, each by an agent of
/// its own.
struct Fleet {
    dir: TempDir,
    sharing: PushGroup,
}

/// A push on its way.
struct Under<'s> {
    pushed: ScopedJoinHandle<'s, Result<Report, PushError>>,
    begun: Receiver<()>,
}

/// Says when content begins to arrive, and does something when the plan is made.
struct Watch<'w> {
    begins: Sender<()>,
    planned: &'w (dyn Fn() + Sync),
    /// What a push waits for once content arrives.
    gate: &'w Gate,
}

/// Holds pushes on their way.
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

/// For pushes that nothing holds.
static OPEN: Gate = Gate { is_open: Mutex::new(true), opened: Condvar::new() };

impl Gate {
    const fn shut() -> Gate {
        Gate { is_open: Mutex::new(false), opened: Condvar::new() }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        drop(self.opened.wait_while(self.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }
}

impl Monitor for Watch<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Planned { .. } => (self.planned)(),
            // Nobody may wait for it any more.
            Event::Progress { done, .. } if done > 1 << 20 => {
                let _ = self.begins.send(());
                self.gate.pass();
            }
            _ => {}
        }
    }
}

impl Fleet {
    /// A source of files that nothing compresses, together 12 MiB.
    fn new() -> Fleet {
        let fleet = Fleet { dir: scratch(), sharing: PushGroup::for_destinations(2) };
        fs::create_dir(fleet.source()).or_fail();
        for number in 0..24 {
            let name = fleet.source().join(format!("photo-{number:02}.bin"));
            fs::write(name, noise(number, 512 << 10)).or_fail();
        }
        local_shell(fleet.dir.path());
        fleet
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn destination(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("host-{number}/assets"))
    }

    /// Pushes to a destination.
    fn push(
        &self,
        source: &Source,
        number: usize,
        timeout: Duration,
        watch: &Watch<'_>,
    ) -> Result<Report, PushError> {
        let agents = Agents::new(carried());
        let rsh = Some(text(&self.dir.path().join("shell")));
        let connection = ConnectOptions {
            agents: &agents,
            ssh: &SshOptions { rsh, ..SshOptions::default() },
            prompt: &NoPrompt,
            timeout,
            bytes_per_second: None,
            dry_run: false,
            checksum: false,
            store: None,
            group: Some(&self.sharing),
            run: None,
        };
        fs::create_dir_all(self.destination(number).parent().unwrap()).or_fail();
        let target = format!("host:{}", text(&self.destination(number)));
        let target = Target::parse(target.as_ref()).or_fail();
        push(source, &target, &connection, &Options::default(), watch)
    }

    /// Begins such a push, which waits at the gate.
    fn begin<'s, 'e: 's>(
        &'e self,
        scope: &'s Scope<'s, 'e>,
        (source, gate): (&'e Source, &'e Gate),
        number: usize,
        timeout: Duration,
    ) -> Under<'s> {
        let (begins, begun) = channel();
        let watch = move || Watch { begins, planned: &|| {}, gate };
        let pushed = scope.spawn(move || self.push(source, number, timeout, &watch()));
        Under { pushed, begun }
    }

    fn scan(&self) -> Source {
        Source::scan(&self.source(), &Policy::default()).or_fail()
    }

    fn assert_pushed(&self, number: usize) {
        assert_equal(&self.source(), &self.destination(number));
    }

    /// The agent that holds the lock of a destination.
    fn agent(&self, number: usize) -> u32 {
        agent_of(&self.destination(number))
    }
}

impl Under<'_> {
    /// Waits until content arrives.
    #[track_caller]
    fn wait(&self) {
        self.begun.recv_timeout(WAIT_LIMIT).expect("content arrives");
    }

    #[track_caller]
    fn join(self) -> Result<Report, PushError> {
        self.pushed.join().expect("the push does not panic")
    }
}

const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// `length` bytes that look random, the same every time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // xorshift64, by Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The process that holds the lock of a destination.
fn agent_of(destination: &Path) -> u32 {
    let lock = destination.with_file_name(".assetsync-assets").join("lock");
    until("an agent at work", || {
        fs::read_dir("/proc").or_fail().find_map(|process| {
            let process = process.ok()?;
            let pid = process.file_name().to_str()?.parse().ok()?;
            let mut files = fs::read_dir(process.path().join("fd")).ok()?;
            let holds = files.any(|file| {
                file.is_ok_and(|file| fs::read_link(file.path()).is_ok_and(|to| to == lock))
            });
            holds.then_some(pid)
        })
    })
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().or_fail();
    assert!(status.success(), "kill ended with {status}");
}

/// The reports of a push to several destinations.
#[track_caller]
fn events(ran: &Ran, count: usize) -> Vec<Value> {
    assert_eq!(ran.code(), Some(0), "stdout: {}\nstderr: {}", ran.stdout(), ran.stderr());
    let events = ran.done_events();
    assert_eq!(events.len(), count, "{}", ran.stdout());
    events
}

fn sum(events: &[Value], name: &str) -> u64 {
    events.iter().map(|event| event[name].as_u64().unwrap()).sum()
}

/// Pushes to several places at once, by the [`local_shell`] at `shell`.
fn push_to(machine: &Machine, shell: &Path, source: &Path, destinations: &[PathBuf]) -> Ran {
    let options = ["push", "--json", "--delete", "--recipes", "all", "-e"].map(str::to_owned);
    let args = options.into_iter().chain([text(shell), text(source)]);
    machine.run(args.chain(on_host(destinations)))
}

/// Places as the command takes them.
fn on_host(destinations: &[PathBuf]) -> impl Iterator<Item = String> {
    destinations.iter().map(|place| format!("host:{}", text(place)))
}

/// `count` destinations that do not exist yet.
fn places(dir: &TempDir, count: usize) -> Vec<PathBuf> {
    let place = |number| dir.path().join(format!("host-{number}/assets"));
    let places: Vec<_> = (0..count).map(place).collect();
    places.iter().for_each(|place| fs::create_dir(place.parent().unwrap()).or_fail());
    places
}

#[test]
fn eight_destinations_in_one_state_are_encoded_for_once() {
    let (machine, alone, dir) = (Machine::new(), Machine::new(), scratch());
    let (destinations, single) = (places(&dir, 8), dir.path().join("alone"));
    let shell = local_shell(dir.path());
    for release in ["n8n-2.40.2", "n8n-2.40.3"] {
        let source = fresh_corpus(release, &dir.path().join(release));
        let ran = push_to(&machine, &shell, &source, &destinations);
        let events = events(&ran, 8);
        destinations.iter().for_each(|place| assert_equal(&source, place));
        assert_eq!(sum(&events, "encodings"), 1, "{release}: {events:?}");
        // They are sent what one alone is sent, but for where frames end.
        let options = ["--delete", "--recipes", "all"];
        let one = alone.push(&Way::shell(&shell, &single), &options, &source);
        for event in &events {
            let sent = event["bytes_sent"].as_u64().unwrap();
            assert!(sent.abs_diff(one.bytes_sent) <= one.bytes_sent / 20, "{sent}, alone {one:?}");
            assert_eq!(event["files_sent"], one.files_sent);
        }
        let again = push_to(&machine, &shell, &source, &destinations);
        assert_eq!(sum(&self::events(&again, 8), "encodings"), 0, "{}", again.stdout());
    }
}

#[test]
fn destinations_in_other_states_are_encoded_for_by_themselves() {
    let (machine, dir) = (Machine::new(), scratch());
    let (destinations, shell) = (places(&dir, 7), local_shell(dir.path()));
    let old = fresh_corpus("n8n-2.40.2", &dir.path().join("old"));
    let new = fresh_corpus("n8n-2.40.3", &dir.path().join("new"));
    // Three hold the release before, three nothing, and one something of its own.
    events(&push_to(&machine, &shell, &old, &destinations[..4]), 4);
    fs::write(destinations[3].join("own.txt"), "not of the source").or_fail();
    let events = events(&push_to(&machine, &shell, &new, &destinations), 7);
    destinations.iter().for_each(|place| assert_equal(&new, place));
    let groups = [&events[..], &[]].concat();
    let of = |range: std::ops::Range<usize>| -> u64 {
        let here: Vec<_> = on_host(&destinations[range]).collect();
        let is_here = |event: &&Value| here.iter().any(|place| event["destination"] == **place);
        groups.iter().filter(is_here).map(|event| event["encodings"].as_u64().unwrap()).sum()
    };
    assert_eq!((of(0..3), of(3..4), of(4..7)), (1, 1, 1), "{events:?}");
}

#[test]
fn what_is_encoded_comes_to_the_bytes_of_one_destination() {
    let fleet = Fleet::new();
    let source = fleet.scan();
    let reports: Vec<Report> = thread::scope(|scope| {
        let pushes = (0..8).map(|at| fleet.begin(scope, (&source, &OPEN), at, WAIT_LIMIT));
        let pushes: Vec<_> = pushes.collect();
        pushes.into_iter().map(|push| push.join().or_fail()).collect()
    });
    (0..8).for_each(|number| fleet.assert_pushed(number));
    assert_eq!(fleet.sharing.encodings(), 1);
    assert_eq!(reports.iter().map(|report| report.encodings).sum::<u32>(), 1);
    let encoded = encoded_bytes(&fleet.sharing);
    assert!(encoded >= 12 << 20);
    for report in reports {
        // Greetings, and the dialog.
        assert!((encoded..encoded + 2000).contains(&report.bytes_sent), "{encoded}: {report:?}");
    }
}

/// Whose agent meets its fate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Whose {
    /// That of the push that encodes.
    First,
    /// That of one that listens.
    Second,
}

/// Three pushes on their way; `befalls` the agent of one of them. Gives what came of that one.
fn with_a_fate(whose: Whose, befalls: &str, timeout: Duration) -> PushError {
    let fleet = Fleet::new();
    let (source, victim, gate) = (fleet.scan(), whose as usize, Gate::shut());
    let unhappy = thread::scope(|scope| {
        // A test that fails must not wait for them.
        let _open = OnDrop(|| gate.open());
        let begin = |number, timeout| {
            let push = fleet.begin(scope, (&source, &gate), number, timeout);
            // So that the first is the one that encodes.
            push.wait();
            push
        };
        let mut pushes: Vec<_> = (0..victim).map(|number| begin(number, WAIT_LIMIT)).collect();
        pushes.push(begin(victim, timeout));
        let pid = fleet.agent(victim);
        let _kill = OnDrop(move || {
            drop(Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status())
        });
        signal(pid, befalls);
        pushes.extend((victim + 1..3).map(|number| begin(number, WAIT_LIMIT)));
        gate.open();
        let unhappy = pushes.remove(victim);
        for push in pushes {
            let report = push.join().or_fail();
            assert_eq!(report.retried, 0);
        }
        unhappy.join().expect_err("its agent is no more")
    });
    (0..3).filter(|number| *number != victim).for_each(|number| fleet.assert_pushed(number));
    let published = fs::read_dir(fleet.destination(victim)).or_fail().count();
    assert_eq!(published, 0, "half of it is published");
    assert_eq!(fleet.sharing.encodings(), 1);

    // What has arrived is used, and nobody is in the way.
    let watch = Watch { begins: channel().0, planned: &|| {}, gate: &gate };
    fleet.push(&source, victim, WAIT_LIMIT, &watch).or_fail();
    fleet.assert_pushed(victim);
    unhappy
}

#[test]
fn an_agent_that_dies_takes_no_other_with_it() {
    for whose in [Whose::First, Whose::Second] {
        let error = with_a_fate(whose, "KILL", WAIT_LIMIT);
        assert!(matches!(error, PushError::Closed(_)), "{whose:?}: {error:?}");
    }
}

#[test]
fn an_agent_that_stalls_holds_no_other_up_and_is_given_up() {
    for whose in [Whose::First, Whose::Second] {
        let error = with_a_fate(whose, "STOP", Duration::from_secs(10));
        assert!(matches!(error, PushError::Timeout(_)), "{whose:?}: {error:?}");
    }
}

#[test]
fn a_file_that_changes_on_its_way_is_published_nowhere() {
    let fleet = Fleet::new();
    let source = fleet.scan();
    let changing = fleet.source().join("photo-20.bin");
    // Whoever comes first changes it: others may have their plans by then or not, and all of them
    // are of before.
    let change = || fs::write(&changing, noise(99, 300_000)).or_fail();
    source.hashed().or_fail();
    let once = Once::new();
    thread::scope(|scope| {
        let (fleet, source, change, once) = (&fleet, &source, &change, &once);
        let pushes = (0..3).map(|number| {
            scope.spawn(move || {
                let planned = &|| once.call_once(change);
                let watch = Watch { begins: channel().0, planned, gate: &OPEN };
                fleet.push(source, number, WAIT_LIMIT, &watch)
            })
        });
        for push in pushes.collect::<Vec<_>>() {
            let refused = push.join().unwrap();
            assert!(matches!(refused, Err(PushError::Changing { .. })), "{refused:?}");
        }
    });
    for number in 0..3 {
        assert_eq!(fs::read_dir(fleet.destination(number)).or_fail().count(), 0);
    }
    assert_eq!(fleet.sharing.encodings(), 1);
}

#[test]
fn where_nothing_can_be_kept_for_others_each_is_pushed_to_alone() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, destinations) = (dir.path().join("source"), places(&dir, 2));
    fs::create_dir(&source).or_fail();
    (0..3).for_each(|at| fs::write(source.join(format!("{at}.bin")), noise(at, 4 << 20)).or_fail());
    let mut command = machine.command(["push", "--json", "-e"]);
    command.arg(local_shell(dir.path())).arg(&source).args(on_host(&destinations));
    command.env("TMPDIR", dir.path().join("missing"));
    let ran = Ran(command.output().or_fail());
    assert_eq!(sum(&events(&ran, 2), "encodings"), 2, "{}", ran.stdout());
    assert!(ran.stdout().contains("set TMPDIR"), "{}", ran.stdout());
    destinations.iter().for_each(|place| assert_equal(&source, place));
}

/// What a slow destination has not taken yet waits in a file.
#[test]
fn the_senders_memory_does_not_grow_with_what_a_stalled_destination_has_not_taken() {
    const SIZE: u64 = 300 << 20;
    const PEAK: u64 = 100 << 20;
    let (machine, dir) = (Machine::new(), scratch_on_disk());
    let (source, destinations) = (dir.path().join("source"), places(&dir, 2));
    fs::create_dir(&source).or_fail();
    for number in 0..SIZE >> 22 {
        fs::write(source.join(format!("{number}.bin")), noise(number, 4 << 20)).or_fail();
    }
    let options = ["push", "--json", "--no-store", "--timeout", "600", "-e"];
    let mut command = machine.command(options);
    command.arg(local_shell(dir.path())).arg(&source).args(on_host(&destinations));
    command.env("TMPDIR", dir.path());
    let push = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().or_fail();
    let sender = push.id();
    // Stopped before it has taken anything to speak of, or a little later: the other one goes on
    // all the same.
    let stalled = agent_of(&destinations[1]);
    signal(stalled, "STOP");
    until("the other destination is published", || destinations[0].exists().then_some(()));
    let peak = peak_rss_of(sender).expect("the sender waits for the stalled agent");
    signal(stalled, "CONT");
    let ran = Ran(push.wait_with_output().or_fail());
    let events = events(&ran, 2);
    assert_eq!(sum(&events, "encodings"), 1, "{events:?}");
    assert!(sum(&events, "bytes_sent") > 2 * SIZE);
    destinations.iter().for_each(|place| assert_equal(&source, place));
    assert!(peak < PEAK, "the sender took {peak} bytes, {PEAK} are allowed");
}

#[test]
fn hosts_behind_sshd_share_too() {
    let (machine, dir, sshd) = (Machine::new(), scratch(), sshd());
    let spec = LinkSpec { round_trip: Duration::from_millis(50), rate: None };
    let link = Link::to(sshd.port(), spec).or_fail();
    let route = sshd.via(link.port()).or_fail();
    let destinations = places(&dir, 3);
    for release in ["n8n-2.40.2", "n8n-2.40.3"] {
        let source = fresh_corpus(release, &dir.path().join(release));
        let ways = destinations.iter().map(|place| Way::ssh(&route, place));
        let ways: Vec<_> = ways.collect();
        let options = ways[0].options.iter().map(String::as_str);
        let args = ["push", "--json", "--delete"].into_iter().chain(options);
        let args = args.map(str::to_owned).chain([text(&source)]);
        let ran = machine.run(args.chain(ways.iter().map(|way| way.destination.clone())));
        let events = events(&ran, 3);
        destinations.iter().for_each(|place| assert_equal(&source, place));
        assert_eq!(sum(&events, "encodings"), 1, "{events:?}");
    }
}
