//! Stages with hosts and a bucket: live everywhere or nowhere.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assetsync_testbed::s3::{HttpProxy, S3Kind, S3Server, Verdict, ask};

use super::{Ran, build, environment, keys};
use crate::fleet::Fleet;
use crate::support::{OrFail, assert_equal, text};

/// Two hosts, and a bucket that is reached by the port.
fn stage(port: u16, more: &str) -> Fleet {
    stage_of(2, port, more)
}

/// So many hosts, and a bucket that is reached by the port.
pub fn stage_of(hosts: usize, port: u16, more: &str) -> Fleet {
    let fleet = Fleet::of(hosts);
    fleet.configure(&format!(
        "{more}\n[[stages.production.buckets]]\nurl = \"s3://assets/shop\"\n\
         endpoint = \"http://127.0.0.1:{port}\"\nheaders = [\"*.svg Cache-Control: max-age=60\"]\n"
    ));
    fleet
}

pub fn run(fleet: &Fleet, words: &str) -> Ran {
    Ran(fleet.command(words).envs(environment()).output().or_fail())
}

#[track_caller]
pub fn run_well(fleet: &Fleet, words: &str) -> Ran {
    let ran = run(fleet, words);
    assert_eq!(ran.code(), Some(0), "{words}: {}{}", ran.stdout(), ran.stderr());
    ran
}

/// The bucket's object at a path, as text; empty if there is none.
pub fn object(server: &S3Server, path: &str) -> String {
    let reply = ask(server.port, "GET", &format!("/assets/shop/{path}"), b"").or_fail();
    if reply.status() == 200 { reply.text() } else { String::new() }
}

pub fn page(version: u32) -> String {
    format!("<script src=/app-{:08x}.js></script>", 0x3f2a_0000 + version)
}

#[test]
fn a_stage_of_hosts_and_a_bucket_is_deployed_pruned_and_rolled_back_as_one() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let fleet =
        stage(server.port, "assets.retention.keep = 1\nassets.retention.max_age = \"0s\"\n");
    for version in 1..=3 {
        build(&fleet.built(), version);
        run_well(&fleet, "deploy production");
        assert_eq!(object(&server, "index.html"), page(version));
        assert!(fleet.hosts.iter().all(|host| {
            fs::read_to_string(host.assets().join("index.html")).or_fail() == page(version)
        }));
    }
    let head = ask(server.port, "GET", "/assets/shop/logo.svg", b"").or_fail();
    assert_eq!(head.header("cache-control"), Some("max-age=60"));
    let scripts = |server: &S3Server| -> Vec<String> {
        keys(server.port).into_iter().filter(|key| key.starts_with("app-")).collect()
    };
    assert_eq!(scripts(&server), ["app-3f2a0002.js", "app-3f2a0003.js"], "as on hosts");

    run_well(&fleet, "rollback production");
    assert_eq!(object(&server, "index.html"), page(2));
    assert_eq!(object(&server, "style.css"), "body{order:2}");
    assert!(!object(&server, "app-3f2a0002.js").is_empty());
    let host = &fleet.hosts[0];
    assert_eq!(fs::read_to_string(host.assets().join("index.html")).or_fail(), page(2));
    run_well(&fleet, "prune production");
    let dry = run_well(&fleet, "deploy production --dry-run");
    assert_eq!(object(&server, "index.html"), page(2), "{}", dry.stdout());
}

#[test]
fn a_bucket_that_refuses_at_the_end_leaves_everything_as_it_was_everywhere() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let refuses = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&refuses);
    let proxy = HttpProxy::to(server.port, move |_, request| {
        let is_last = request.first.starts_with("PUT /assets/shop/manifest.json");
        match is_last && asked.load(Ordering::Relaxed) {
            true => Verdict::Answer(403, "AccessDenied"),
            false => Verdict::Pass,
        }
    });
    let proxy = proxy.or_fail();
    let fleet = stage(proxy.port(), "");
    build(&fleet.built(), 1);
    run_well(&fleet, "deploy production");
    let before = assetsync_testbed::tree::snapshot(&fleet.hosts[0].assets()).or_fail();
    refuses.store(true, Ordering::Relaxed);
    build(&fleet.built(), 2);
    let ran = run(&fleet, "deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    let said = ran.stderr();
    assert!(said.contains("s3://assets/shop") && said.contains("AccessDenied"), "{said}");
    assert!(said.contains("every host and bucket serves what it served before"), "{said}");
    assert_eq!(object(&server, "index.html"), page(1));
    assert_eq!(object(&server, "style.css"), "body{order:1}");
    for host in &fleet.hosts {
        let now = assetsync_testbed::tree::snapshot(&host.assets()).or_fail();
        assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        assert_eq!(fs::read_to_string(host.assets().join("index.html")).or_fail(), page(1));
    }
    refuses.store(false, Ordering::Relaxed);
    run_well(&fleet, "deploy production");
    assert_eq!(object(&server, "index.html"), page(2));
    assert_equal(&fleet.hosts[0].assets(), &fleet.hosts[1].assets());
}

/// Settings with a bucket and without retention.
fn mirror(port: u16, more: &str) -> String {
    format!(
        "{more}\nassets.delete = \"mirror\"\n[[stages.production.buckets]]\n\
         url = \"s3://assets/shop\"\nendpoint = \"http://127.0.0.1:{port}\"\n"
    )
}

/// Deploys a second build to hosts of which the last one fails at the end.
fn deploy_to_a_host_that_fails(hosts: usize, server: &S3Server, options: &str) -> (Fleet, Ran) {
    let fleet = stage_of(hosts, server.port, "");
    build(&fleet.built(), 1);
    run_well(&fleet, "deploy production");
    // The last file that a host publishes can't be changed once everything is staged.
    let manifest = text(&fleet.hosts[hosts - 1].assets().join("manifest.json"));
    let hook = format!("hooks.before_publish = [\"chattr +i {manifest}\"]");
    fleet.configure(&mirror(server.port, &hook));
    build(&fleet.built(), 2);
    let ran = run(&fleet, &format!("deploy production {options}"));
    let freed = Command::new("chattr").args(["-i", &manifest]).status().or_fail();
    assert!(freed.success(), "{manifest}");
    (fleet, ran)
}

#[test]
fn a_host_that_fails_at_the_end_puts_the_bucket_back() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let (_fleet, ran) = deploy_to_a_host_that_fails(1, &server, "");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("s3://assets/shop is put back as it was"), "{}", ran.stderr());
    assert_eq!(object(&server, "index.html"), page(1));
    assert_eq!(object(&server, "style.css"), "body{order:1}");
    assert!(!object(&server, "app-3f2a0001.js").is_empty());
}

/// One host can't be taken back, and its pages name what is new; those of the other name what is
/// old.
#[test]
fn a_bucket_keeps_what_hosts_may_name_where_one_stays_new_and_one_old() {
    for (options, exit, because) in [
        ("", 1, "because web1 may serve the new version"),
        ("--keep-going", 3, "because web2 may serve the old version"),
    ] {
        keeps_what_hosts_may_name(options, exit, because);
    }
}

fn keeps_what_hosts_may_name(options: &str, exit: i32, because: &str) {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let (fleet, ran) = deploy_to_a_host_that_fails(2, &server, options);
    assert_eq!(ran.code(), Some(exit), "{}", ran.stderr());
    let on_host = |at: usize| fs::read_to_string(fleet.hosts[at].assets().join("index.html"));
    assert_eq!((on_host(0).or_fail(), on_host(1).or_fail()), (page(2), page(1)));
    let said = ran.stderr();
    assert!(said.contains("s3://assets/shop is new") && said.contains(because), "{said}");
    assert_eq!(object(&server, "index.html"), page(2));
    assert_eq!(object(&server, "style.css"), "body{order:2}");
    for version in 1..=2 {
        assert!(!object(&server, &format!("app-3f2a000{version}.js")).is_empty(), "{said}");
    }
    fleet.configure(&mirror(server.port, ""));
    run_well(&fleet, "deploy production");
    assert_eq!((on_host(1).or_fail(), object(&server, "index.html")), (page(2), page(2)));
    assert!(object(&server, "app-3f2a0001.js").is_empty(), "no host names it any more");
}

#[test]
fn settings_of_buckets_that_can_not_be_are_told_before_anything_is_done() {
    let fleet = Fleet::of(1);
    let rows = [
        ("endpoint = \"http://x\"", "url"),
        ("url = \"s3://a\"", "bucket name"),
        ("url = \"s3://assets\"\nspeed = 3", "is not a setting"),
        ("url = \"s3://assets\"\naddressing = \"x\"", "neither path nor host"),
        ("url = \"s3://assets\"\nencoding = \"x\"", "neither gzip, br nor zstd"),
        ("url = \"s3://assets\"\nheaders = [\"* Host: x\"]", "no header 'host'"),
        ("url = \"s3://assets\"\nassets = \"x\"", "names no set"),
    ];
    for (settings, reason) in rows {
        fleet.configure(&format!("[[stages.production.buckets]]\n{settings}\n"));
        let ran = run(&fleet, "deploy production");
        assert_eq!(ran.code(), Some(2), "{settings}: {}", ran.stderr());
        assert!(ran.stderr().contains(reason), "{settings}: {}", ran.stderr());
    }
}
