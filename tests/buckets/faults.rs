//! Servers that are busy, lines that break, pushes that are killed: nobody meets half of a build.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use assetsync_testbed::s3::{HttpProxy, S3Kind, Verdict, ask};
use assetsync_testbed::{Direction, Link, LinkSpec};

use super::{Ran, Site};
use crate::support::OrFail;

/// The page names a script that is there.
#[track_caller]
fn assert_whole(site: &Site) {
    let page = site.get("index.html");
    assert_eq!(page.status(), 200, "the page is never missing");
    let page = page.text();
    let script = page.split(['/', '>']).find(|part| part.starts_with("app-")).expect("a script");
    assert_eq!(site.get(script).status(), 200, "{page}");
}

#[test]
fn busy_servers_and_lost_answers_are_asked_again() {
    let site = Site::start(S3Kind::SeaweedFs);
    for (version, every) in [(1, 3), (2, 2), (3, 4)] {
        let proxy = HttpProxy::to(site.server.port, move |number, _| {
            match (number % every == 0, number / every % 4) {
                (false, _) => Verdict::Pass,
                (true, 0) => Verdict::Answer(503, "SlowDown"),
                (true, 1) => Verdict::DropAnswer,
                (true, 2) => Verdict::Answer(500, "InternalError"),
                (true, _) => Verdict::Drop,
            }
        });
        let proxy = proxy.or_fail();
        site.build(version);
        let ran = Ran(site.command(proxy.port(), &["--delete"]).output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        site.assert_equal();
    }
}

#[test]
fn a_line_that_breaks_within_a_content_is_no_failure() {
    let site = Site::start(S3Kind::SeaweedFs);
    let link = Link::to(site.server.port, LinkSpec::default()).or_fail();
    site.build(1);
    site.write(&[("large.bin", &"0123456789abcdef".repeat(1 << 17))]);
    link.cut_after(Direction::Sent, 1 << 20);
    let ran = Ran(site.command(link.port(), &[]).output().or_fail());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    site.assert_equal();
}

#[test]
fn a_slow_line_is_no_failure() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    site.write(&[("large.bin", &"0123456789abcdef".repeat(1 << 13))]);
    let link = Link::to(site.server.port, LinkSpec::parse("300ms,1mbit").or_fail()).or_fail();
    let ran = Ran(site.command(link.port(), &[]).output().or_fail());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    site.assert_equal();
}

/// Which push is killed, and when.
#[derive(Default)]
struct Killer {
    child: Option<Child>,
    /// Requests of this push.
    count: usize,
    /// The request at which it is killed; 0 for never.
    at: usize,
    /// Whether the server does not get that request; else the push does not get the answer.
    is_lost: bool,
}

impl Killer {
    fn verdict(&mut self) -> Verdict {
        self.count += 1;
        if self.at == 0 || self.count < self.at {
            return Verdict::Pass;
        }
        if self.count == self.at && !self.is_lost {
            return Verdict::DropAnswer;
        }
        if let Some(child) = &mut self.child {
            child.kill().or_fail();
            child.wait().or_fail();
        }
        Verdict::Drop
    }

    fn is_over(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().or_fail().is_some())
    }
}

#[test]
fn a_push_that_is_killed_at_any_request_leaves_a_whole_build_and_the_next_one_completes_it() {
    let site = Site::start(S3Kind::SeaweedFs);
    let killer = Arc::new(Mutex::new(Killer::default()));
    let asked = Arc::clone(&killer);
    let proxy = HttpProxy::to(site.server.port, move |_, _| asked.lock().or_fail().verdict());
    let proxy = proxy.or_fail();
    let port = proxy.port();
    let push = || {
        let ran = Ran(site.command(port, &["--delete"]).output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    };
    site.build(0);
    push();
    let mut killed = 0;
    for at in 1..=15 {
        for is_lost in [true, false] {
            site.build(u32::try_from(2 * at).or_fail() + u32::from(is_lost));
            let mut command = site.command(port, &["--delete"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            // Held until the process is there to be killed.
            let mut held = killer.lock().or_fail();
            *held = Killer { child: Some(command.spawn().or_fail()), count: 0, at, is_lost };
            drop(held);
            while !killer.lock().or_fail().is_over() {
                thread::sleep(Duration::from_millis(1));
            }
            killed += usize::from(killer.lock().or_fail().count >= at);
            *killer.lock().or_fail() = Killer::default();
            assert_whole(&site);
            push();
            site.assert_equal();
        }
    }
    assert!(killed >= 24, "only {killed} pushes had so many requests");
}

/// What it leaves in the state does not count as a push to the bucket.
#[test]
fn after_a_first_push_that_failed_nothing_of_others_is_deleted() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    let foreign = "/assets/shop/uploads/me.png";
    assert_eq!(ask(site.server.port, "PUT", foreign, b"mine").or_fail().status(), 200);
    let proxy = HttpProxy::to(site.server.port, |_, request| {
        let is_last = request.first.starts_with("PUT /assets/shop/manifest.json");
        if is_last { Verdict::Answer(403, "AccessDenied") } else { Verdict::Pass }
    });
    let proxy = proxy.or_fail();
    let failed = Ran(site.command(proxy.port(), &[]).output().or_fail());
    assert_eq!(failed.code(), Some(1), "{}", failed.stdout());
    assert_eq!(site.get(".assetsync/state").status(), 200, "the push had begun to publish");
    let refused = site.try_push(&["-c", "--delete"]);
    assert_eq!(refused.code(), Some(1), "{}{}", refused.stdout(), refused.stderr());
    assert!(refused.stderr().contains("uploads/me.png"), "{}", refused.stderr());
    site.push(&[]);
    assert_eq!(site.get("uploads/me.png").text(), "mine");
}

#[test]
fn a_bucket_that_refuses_at_the_end_is_put_back() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    site.push(&[]);
    let old =
        ["index.html", "style.css", "manifest.json", "logo.svg"].map(|path| site.get(path).body);
    let proxy = HttpProxy::to(site.server.port, |_, request| {
        let is_last = request.first.starts_with("PUT /assets/shop/manifest.json");
        if is_last { Verdict::Answer(403, "AccessDenied") } else { Verdict::Pass }
    });
    let proxy = proxy.or_fail();
    site.build(2);
    site.write(&[("about.html", "new")]);
    let ran = Ran(site.command(proxy.port(), &["--delete"]).output().or_fail());
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("manifest.json") && ran.stderr().contains("AccessDenied"));
    let now =
        ["index.html", "style.css", "manifest.json", "logo.svg"].map(|path| site.get(path).body);
    assert_eq!(now, old);
    assert_eq!(site.get("about.html").status(), 404);
    site.push(&["--delete"]);
    site.assert_equal();
}
