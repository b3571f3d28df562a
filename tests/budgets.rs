//! Promise: how many bytes a push takes, both ways, SSH and all, as a forwarder in front of sshd counts them.
//! The agent is there already, as it is after the first push to a server. Nothing is kept at the sender: a fresh
//! CI machine does as well.

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
    fn start() -> Counted {
        let sshd = sshd();
        let link = Link::to(sshd.port(), LinkSpec::UNSHAPED).or_fail();
        let route = sshd.via(link.port()).or_fail();
        Counted { sshd, link, route }
    }

    /// Pushes straight, uncounted: it brings the agent and the first files.
    fn prepare(&self, source: &Path, destination: &Path) {
        Machine::new().push(&Way::ssh(self.sshd.route(), destination), &[], source);
        assert_equal(source, destination);
    }

    /// Pushes from a machine that knows nothing; gives the report and the bytes both ways.
    fn push(&self, options: &[&str], source: &Path, destination: &Path) -> (Done, u64) {
        const PATIENCE: Duration = Duration::from_secs(20);
        self.link.reset();
        let done = Machine::new().push(&Way::ssh(&self.route, destination), options, source);
        assert!(self.link.wait_idle(PATIENCE), "a connection outlives the push");
        let counts = self.link.counts();
        (done, counts.sent + counts.received)
    }
}

/// Pushes one release over another; gives the report and the bytes both ways.
fn redeploy(old: &str, new: &str) -> (Done, u64) {
    let (server, dir) = (Counted::start(), scratch());
    let old = fresh_corpus(old, &dir.path().join("old"));
    let new = fresh_corpus(new, &dir.path().join("new"));
    let destination = dir.path().join("srv/assets");
    server.prepare(&old, &destination);
    let (done, bytes) = server.push(&["--delete"], &new, &destination);
    assert_equal(&new, &destination);
    (done, bytes)
}

/// Checks the bytes, and that the report is of the same push: SSH adds to what it counts, and every file of the
/// source came by some recipe.
fn assert_within(name: &str, (done, bytes): &(Done, u64), budget: u64) {
    tell(&format!("{name}: {bytes} bytes both ways of {budget} allowed; {done:?}"));
    let told = done.bytes_sent + done.bytes_received;
    assert!(told < *bytes && told > bytes / 2, "{name}: {told} reported, {bytes} counted");
    let by_recipe = done.recipes.values().map(|count| count["files"].as_u64().unwrap_or(0));
    assert_eq!(by_recipe.sum::<u64>(), done.files_total, "{name}: {done:?}");
    assert!(*bytes <= budget, "{name}: {bytes} bytes, {budget} are allowed; {done:?}");
}

#[test]
fn new_times_alone_send_no_content() {
    let (server, dir) = (Counted::start(), scratch());
    let before = fresh_corpus("n8n-2.40.3", &dir.path().join("before"));
    let destination = dir.path().join("srv/assets");
    server.prepare(&before, &destination);
    let compiled_again = fresh_corpus("n8n-2.40.3", &dir.path().join("after"));
    let pushed = server.push(&["--delete"], &compiled_again, &destination);
    assert_equal(&compiled_again, &destination);
    assert_eq!(pushed.0.files_sent, 0);
    assert_within("n8n 2.40.3, all mtimes changed", &pushed, 60_000);
}

#[test]
fn n8n_2_40_2_to_2_40_3() {
    let pushed = redeploy("n8n-2.40.2", "n8n-2.40.3");
    assert_within("n8n 2.40.2 to 2.40.3", &pushed, 500_000);
}

#[test]
fn home_assistant_20250109_1_to_2() {
    let pushed = redeploy("home-assistant-20250109.1", "home-assistant-20250109.2");
    assert_within("home-assistant 20250109.1 to .2", &pushed, 8_000_000);
}
