//! Two pushes at once, and visitors meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use assetsync_testbed::s3::{HttpProxy, S3Kind, Verdict, ask};

use super::{Ran, Site, build, command, files};
use crate::support::{Machine, OrFail, scratch};

#[test]
fn of_two_pushes_at_once_both_never_win() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(0);
    site.push(&[]);
    for round in 1..=6 {
        let pushers: Vec<_> = [1, 2].map(|at| (Machine::new(), scratch(), 10 * round + at)).into();
        let port = site.server.port;
        let start = |(machine, source, version): &(Machine, tempfile::TempDir, u32)| {
            build(source.path(), *version);
            Ran(command(machine, source.path(), port, &["--delete"]).output().or_fail())
        };
        let ran: Vec<Ran> = thread::scope(|scope| {
            let running: Vec<_> =
                pushers.iter().map(|pusher| scope.spawn(|| start(pusher))).collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let won = |at: usize| ran[at].code() == Some(0);
        assert!(won(0) || won(1), "{}\n{}", ran[0].stderr(), ran[1].stderr());
        for lost in ran.iter().filter(|ran| ran.code() != Some(0)) {
            let said = lost.stderr();
            assert!(said.contains("pushing to this bucket") || said.contains("quicker"), "{said}");
        }
        // What is there is what one of the winners pushed, all of it.
        let winner = (0..2).filter(|at| won(*at)).find(|at| {
            let source = pushers[*at].1.path();
            let same =
                |path: &String| site.get(path).body == std::fs::read(source.join(path)).or_fail();
            files(source).iter().all(same)
        });
        assert!(winner.is_some(), "the bucket has parts of both");
    }
}

/// From the page to what it names, again and again, while one build after the other is published.
#[test]
fn visitors_never_meet_a_page_that_names_what_is_not_there() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(0);
    site.push(&[]);
    let (over, port) = (AtomicBool::new(false), site.server.port);
    let visit = || {
        let mut visits = 0;
        while !over.load(Ordering::Relaxed) {
            let get = |path: &str| ask(port, "GET", &format!("/assets/shop/{path}"), b"").or_fail();
            let (page, manifest) = (get("index.html").text(), get("manifest.json").text());
            for text in [page, manifest] {
                let names = text.split(['/', '>', '"']).find(|part| part.starts_with("app-"));
                let name = names.unwrap_or_else(|| panic!("half a page: {text:?}"));
                assert_eq!(get(name).status(), 200, "{text}");
            }
            visits += 1;
        }
        visits
    };
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..2).map(|_| scope.spawn(visit)).collect();
        for version in 1..=8 {
            site.build(version);
            site.push(&[]);
        }
        over.store(true, Ordering::Relaxed);
        let visits: usize = visitors.into_iter().map(|one| one.join().expect("a visitor")).sum();
        assert!(visits > 8, "{visits} visits");
    });
}

/// The lease of a push that is alive elsewhere, as another machine finds it.
#[test]
fn a_bucket_that_another_machine_holds_is_left_alone() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    site.push(&[]);
    let (other, source) = (Machine::new(), scratch());
    build(source.path(), 3);
    // While the first push puts its page, another machine begins.
    let upstream = site.server.port;
    let (said, source_path) =
        (std::sync::Arc::new(std::sync::Mutex::new(None)), source.path().to_owned());
    let heard = std::sync::Arc::clone(&said);
    let proxy = HttpProxy::to(upstream, move |_, request| {
        let mut said = said.lock().or_fail();
        if request.first.starts_with("PUT /assets/shop/index.html") && said.is_none() {
            *said = Some(Ran(command(&other, &source_path, upstream, &[]).output().or_fail()));
        }
        Verdict::Pass
    });
    let proxy = proxy.or_fail();
    site.build(2);
    let ran = Ran(site.command(proxy.port(), &["--delete"]).output().or_fail());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    site.assert_equal();
    let other = heard.lock().or_fail().take().expect("it was pushed meanwhile");
    assert_eq!(other.code(), Some(1), "{}", other.stdout());
    assert!(other.stderr().contains("is pushing to this bucket"), "{}", other.stderr());
}
