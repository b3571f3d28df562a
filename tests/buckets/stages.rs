//! Stages of buckets alone, which of a stage's buckets are meant, and what is shown of them.

use assetsync_testbed::s3::{S3Kind, S3Server, ask};
use serde_json::Value;

use super::deploys::{object, page, run, run_well, stage_of};
use super::{build, keys};
use crate::fleet::{events, rollout};
use crate::support::Ran;

const SHORT: &str = "assets.retention.keep = 1\nassets.retention.max_age = \"0s\"\n";

/// Lets another program do something with an object.
fn other(server: &S3Server, method: &str, path: &str, content: &str) {
    let target = format!("/assets/shop/{path}");
    let reply = ask(server.port, method, &target, content.as_bytes()).expect("an answer");
    assert!(reply.status() < 300, "{method} {path}: {}", reply.text());
}

/// The line of a bucket among those of `--json`.
#[track_caller]
fn of_bucket<'e>(events: &'e [Value], event: &str) -> &'e Value {
    let is_it = |line: &&Value| line["event"] == event && line["destination"] == "s3://assets/shop";
    events.iter().find(is_it).unwrap_or_else(|| panic!("no {event} in {events:?}"))
}

fn has(ran: &Ran, parts: &[&str]) {
    let shown = format!("{}{}", ran.stdout(), ran.stderr());
    for part in parts {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_stage_of_buckets_alone_is_deployed_rolled_back_and_pruned() {
    let server = S3Server::start(S3Kind::SeaweedFs).expect("a server");
    let hook = "hooks.after_publish = [\"cp $ASSETSYNC_CHANGED changed\"]\n";
    let fleet = stage_of(0, server.port, &format!("{SHORT}{hook}"));
    has(&run_well(&fleet, "status production"), &["s3://assets/shop", "no deploy yet"]);
    let early = run(&fleet, "verify production");
    assert_eq!(early.code(), Some(1), "{}", early.stdout());
    has(&early, &["no deploy is live there"]);
    for version in 1..=3 {
        build(&fleet.built(), version);
        let ran = run_well(&fleet, "deploy production");
        has(&ran, &["is live on 1 bucket", "publish  all buckets"]);
        assert!(!ran.stdout().contains("server memory"), "there is none: {}", ran.stdout());
        assert_eq!(object(&server, "index.html"), page(version));
    }
    let changed = std::fs::read_to_string(fleet.project().join("changed")).expect("a list");
    assert_eq!(changed, "/assets/\n/assets/index.html\n/assets/manifest.json\n/assets/style.css\n");
    has(&run_well(&fleet, "rollback production --dry-run"), &["s3://assets/shop:", "would"]);
    let back = run_well(&fleet, "rollback production --json");
    assert_eq!(of_bucket(&events(&back), "done")["stands"], "live");
    assert_eq!(object(&server, "index.html"), page(2));
    assert_eq!(object(&server, "style.css"), "body{order:2}");
    let shorter = "--set assets.retention.keep=0";
    let dry = run_well(&fleet, &format!("prune production --dry-run {shorter}"));
    has(&dry, &["*deleting   app-3f2a0003.js", "s3://assets/shop: 1 path would be pruned"]);
    has(&run_well(&fleet, &format!("prune production {shorter}")), &["pruned on 1 bucket"]);
    assert!(!keys(server.port).contains(&"app-3f2a0003.js".to_owned()));
    let ran = run(&fleet, "uninstall production");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    has(&ran, &["has no hosts, only buckets"]);
}

#[test]
fn status_and_verify_name_objects_that_are_not_as_the_last_push_left_them() {
    let server = S3Server::start(S3Kind::SeaweedFs).expect("a server");
    let fleet = stage_of(0, server.port, "");
    build(&fleet.built(), 1);
    let deployed = run_well(&fleet, "deploy production --json");
    let id = rollout(&events(&deployed))["deploy"].clone();
    has(
        &run_well(&fleet, "verify production"),
        &[
            "5 of 5 files as published, the headers of 5 of them compared",
            "1 bucket as the last push left it",
        ],
    );
    let verified = run_well(&fleet, "verify production --json");
    assert_eq!(rollout(&events(&verified))["deploy"], id);
    let served = of_bucket(&events(&verified), "served").clone();
    assert_eq!([&served["asked"], &served["files"], &served["headers"]], [5, 5, 5]);
    other(&server, "DELETE", "logo.svg", "");
    other(&server, "PUT", "style.css", "of another program");
    // Only its headers are others now.
    other(&server, "PUT", "index.html", &page(1));

    let shown = run_well(&fleet, "status production");
    has(&shown, &["logo.svg is missing", "style.css was changed"]);
    let lines = events(&run_well(&fleet, "status production --json"));
    let status = of_bucket(&lines, "status");
    assert_eq!(
        (&status["live"]["deploy"], status["changed"].as_array().map(Vec::len)),
        (&id, Some(2))
    );
    let wrong = [
        "logo.svg is missing",
        "style.css has other content",
        "cache-control of index.html is missing, not 'no-cache'",
    ];
    let ran = run(&fleet, "verify production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    has(&ran, &wrong);
    has(&ran, &["1 of 1 do not serve", "assetsync push STAGE"]);
    let told = events(&run(&fleet, "verify production --json"));
    let error = of_bucket(&told, "done")["error"].as_str().unwrap_or_default();
    assert!(wrong.iter().all(|part| error.contains(part)), "{error}");

    other(&server, "DELETE", "index.html", "");
    run_well(&fleet, "push production");
    run_well(&fleet, "verify production");

    let ran = run(&fleet, "deploy production --set build.command=false");
    has(&ran, &["every bucket serves what it served before"]);
    other(&server, "PUT", ".assetsync/state", "junk");
    let ran = run(&fleet, "status production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    has(&ran, &["it is damaged; the next push"]);
    run_well(&fleet, "deploy production --set build.command=true");
    run_well(&fleet, "verify production");
}

#[test]
fn buckets_are_chosen_by_their_urls_and_follow_hosts_in_a_rollback() {
    let server = S3Server::start(S3Kind::SeaweedFs).expect("a server");
    let fleet = stage_of(1, server.port, "");
    let on_host = || std::fs::read_to_string(fleet.hosts[0].assets().join("index.html"));
    build(&fleet.built(), 1);
    has(
        &run_well(&fleet, "deploy production"),
        &["live on 1 host and 1 bucket", "publish  all hosts and buckets"],
    );
    build(&fleet.built(), 2);
    has(&run_well(&fleet, "deploy production --hosts s3://assets/shop/"), &["live on 1 bucket"]);
    assert_eq!((object(&server, "index.html"), on_host().expect("a page")), (page(2), page(1)));
    has(&run_well(&fleet, "status production"), &["different deploys are live", "web1"]);
    let status = run_well(&fleet, "status production --hosts web1");
    assert!(!status.stdout().contains("s3://"), "{}", status.stdout());
    run_well(&fleet, "deploy production --roles web");
    assert_eq!(on_host().expect("a page"), page(2));
    let ran = run(&fleet, "deploy production --hosts s3://assets/other");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    has(&ran, &["has no host 's3://assets/other'"]);

    // What the bucket has lost comes from this machine.
    for key in keys(server.port).iter().filter(|key| key.contains("kept/") || key.contains("0001"))
    {
        other(&server, "DELETE", key, "");
    }
    run_well(&fleet, "rollback production");
    assert_eq!((object(&server, "index.html"), on_host().expect("a page")), (page(1), page(1)));
    assert_eq!(object(&server, "app-3f2a0001.js"), "console.log(1)\n".repeat(50));
}
