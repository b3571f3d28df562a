//! Promise: how many bytes a push takes, both ways, SSH and all, as a forwarder in front of sshd
//! counts them, on a way of 50 ms. The agent is there already, as it is after the first push to a
//! server, unless a test says otherwise. Each budget holds either for a machine that pushed before,
//! or for one that knows nothing, as a fresh CI machine does. Bytes decide (`--recipes all`), as on
//! a line that is narrow, too: how wide a line is, only a clock can say.

use std::path::Path;
use std::time::Duration;

use assetsync_testbed::{Link, LinkSpec, Route, Sshd};

use crate::support::{Done, Machine, OrFail, Way, assert_equal, fresh_corpus, scratch, sshd, tell};

/// A server that counts.
struct Counted {
    sshd: Sshd,
    link: Link,
    route: Route,
}

impl Counted {
    /// Long, so that it is taken for the way to a server, but not narrow: bytes are counted, not
    /// seconds.
    fn start() -> Counted {
        Counted::behind(LinkSpec { round_trip: Duration::from_millis(50), rate: None })
    }

    fn behind(spec: LinkSpec) -> Counted {
        let sshd = sshd();
        let link = Link::to(sshd.port(), spec).or_fail();
        let route = sshd.via(link.port()).or_fail();
        Counted { sshd, link, route }
    }

    /// Pushes straight, uncounted: it brings the agent and the first files.
    fn prepare(&self, machine: &Machine, source: &Path, destination: &Path) {
        machine.push(&Way::ssh(self.sshd.route(), destination), &[], source);
        assert_equal(source, destination);
    }

    /// Pushes; gives the report and the bytes both ways.
    fn push(&self, machine: &Machine, source: &Path, destination: &Path) -> (Done, u64) {
        const WAIT_LIMIT: Duration = Duration::from_secs(300);
        let options = ["--delete", "--recipes", "all"];
        self.link.reset();
        let done = machine.push(&Way::ssh(&self.route, destination), &options, source);
        assert!(self.link.wait_idle(WAIT_LIMIT), "a connection outlives the push");
        let counts = self.link.counts();
        (done, counts.sent + counts.received)
    }
}

/// Who pushes.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// The machine that pushed before.
    Same,
    /// One that never pushed.
    Fresh,
}

/// Pushes one release over another; gives the report and the bytes both ways.
fn redeploy(old: &str, new: &str, who: Who) -> (Done, u64) {
    let (server, dir, machine) = (Counted::start(), scratch(), Machine::new());
    let old = fresh_corpus(old, &dir.path().join("old"));
    let new = fresh_corpus(new, &dir.path().join("new"));
    let destination = dir.path().join("srv/assets");
    server.prepare(&machine, &old, &destination);
    let machine = if who == Who::Same { machine } else { Machine::new() };
    let (done, bytes) = server.push(&machine, &new, &destination);
    assert_equal(&new, &destination);
    (done, bytes)
}

/// Checks the bytes, and that the report is of the same push: SSH adds to what it counts, and every
/// file of the source came by some recipe.
fn assert_within(name: &str, (done, bytes): &(Done, u64), budget: u64) {
    tell(&format!("{name}: {bytes} bytes both ways of {budget} allowed; {done:?}"));
    let told = done.bytes_sent + done.bytes_received;
    assert!(
        told < *bytes && told + 10_000 > *bytes / 2,
        "{name}: {told} reported, {bytes} counted"
    );
    let by_recipe = done.recipes.values().map(|count| count["files"].as_u64().unwrap_or(0));
    assert_eq!(by_recipe.sum::<u64>(), done.files_total, "{name}: {done:?}");
    assert!(*bytes <= budget, "{name}: {bytes} bytes, {budget} are allowed; {done:?}");
}

#[test]
fn an_unchanged_tree_takes_one_short_message() {
    for (corpus, budget) in [("n8n-2.40.3", 12_000), ("home-assistant-20250109.1", 12_000)] {
        let (server, dir, machine) = (Counted::start(), scratch(), Machine::new());
        let source = fresh_corpus(corpus, &dir.path().join("src"));
        let destination = dir.path().join("srv/assets");
        server.prepare(&machine, &source, &destination);
        let pushed = server.push(&machine, &source, &destination);
        assert_eq!(pushed.0.files_sent, 0);
        assert_within(corpus, &pushed, budget);
    }
}

#[test]
fn new_times_alone_send_no_content() {
    for (who, budget) in [(Who::Same, 25_000), (Who::Fresh, 60_000)] {
        let (server, dir, machine) = (Counted::start(), scratch(), Machine::new());
        let before = fresh_corpus("n8n-2.40.3", &dir.path().join("before"));
        let destination = dir.path().join("srv/assets");
        server.prepare(&machine, &before, &destination);
        let machine = if who == Who::Same { machine } else { Machine::new() };
        let compiled_again = fresh_corpus("n8n-2.40.3", &dir.path().join("after"));
        let pushed = server.push(&machine, &compiled_again, &destination);
        assert_equal(&compiled_again, &destination);
        assert_eq!(pushed.0.files_sent, 0);
        assert_within("n8n 2.40.3, all mtimes changed", &pushed, budget);
    }
}

/// Much content is compressed as hard as the link leaves time for, so this one is slow: only where
/// encoding 4 MB takes five seconds is the level lowered, which is ten times as long as it takes.
#[test]
fn n8n_2_40_3_to_a_new_server_agent_and_all() {
    let spec = LinkSpec { round_trip: Duration::from_millis(50), rate: Some(500_000) };
    let (server, dir, machine) = (Counted::behind(spec), scratch(), Machine::new());
    let source = fresh_corpus("n8n-2.40.3", &dir.path().join("src"));
    let destination = dir.path().join("srv/assets");
    let pushed = server.push(&machine, &source, &destination);
    assert_equal(&source, &destination);
    assert_within("n8n 2.40.3, first push", &pushed, 9_400_000);
}

#[test]
fn n8n_2_40_2_to_2_40_3() {
    let pushed = redeploy("n8n-2.40.2", "n8n-2.40.3", Who::Same);
    assert_within("n8n 2.40.2 to 2.40.3", &pushed, 110_000);
}

#[test]
fn n8n_2_40_2_to_2_40_3_from_a_fresh_machine() {
    let pushed = redeploy("n8n-2.40.2", "n8n-2.40.3", Who::Fresh);
    assert_within("n8n 2.40.2 to 2.40.3, no store", &pushed, 300_000);
}

#[test]
fn n8n_2_40_3_to_2_41_0() {
    let pushed = redeploy("n8n-2.40.3", "n8n-2.41.0", Who::Same);
    assert_within("n8n 2.40.3 to 2.41.0", &pushed, 3_000_000);
}

#[test]
fn home_assistant_20250109_1_to_2() {
    let pushed = redeploy("home-assistant-20250109.1", "home-assistant-20250109.2", Who::Same);
    assert_within("home-assistant 20250109.1 to .2", &pushed, 3_600_000);
}

#[test]
fn home_assistant_20250109_1_to_2_from_a_fresh_machine() {
    let pushed = redeploy("home-assistant-20250109.1", "home-assistant-20250109.2", Who::Fresh);
    assert_within("home-assistant 20250109.1 to .2, no store", &pushed, 4_500_000);
}
