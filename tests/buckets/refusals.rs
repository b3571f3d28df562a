//! What a push to a bucket refuses, and what it says of servers that refuse.

use assetsync_testbed::s3::{HttpProxy, S3Kind, SECRET, Verdict, ask};

use super::{Ran, Site, URL, environment};
use crate::support::{Machine, OrFail, scratch, text};

#[test]
fn refusals_of_servers_say_what_to_do() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    let expired = HttpProxy::to(site.server.port, |_, _| Verdict::Answer(400, "ExpiredToken"));
    let expired = expired.or_fail();
    let (port, proxied) = (site.server.port, expired.port());
    let rows: [(u16, &str, &str, &str, [&str; 2]); 4] = [
        (port, "s3://missing/x", "AKIDTEST", SECRET, ["NoSuchBucket", "create the bucket first"]),
        (port, URL, "AKIDREADER", SECRET, ["AccessDenied", "s3:PutObject"]),
        (port, URL, "AKIDTEST", "wrong", ["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"]),
        (proxied, URL, "AKIDTEST", SECRET, ["ExpiredToken", "get new credentials"]),
    ];
    for (port, url, key, secret, words) in rows {
        let endpoint = format!("http://127.0.0.1:{port}");
        let source = text(site.source.path());
        let args = ["push", "--json", "--endpoint", &endpoint, &source, url];
        let mut command = site.machine.command(args);
        command.envs(environment()).env("AWS_ACCESS_KEY_ID", key);
        let ran = Ran(command.env("AWS_SECRET_ACCESS_KEY", secret).output().or_fail());
        assert_eq!(ran.code(), Some(1), "{url}: {}", ran.stderr());
        let said = ran.stderr();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!said.contains(secret) && !ran.stdout().contains(secret), "{said}");
        assert_eq!(ran.done_events()[0]["ok"], false);
    }
    let list = ask(site.server.port, "GET", "/assets?list-type=2", b"").or_fail().text();
    assert!(!list.contains("<Key>"), "nothing was written: {list}");
}

#[test]
fn what_can_not_be_meant_is_refused_before_any_request() {
    let (machine, dir) = (Machine::new(), scratch());
    std::fs::write(dir.path().join("a.js"), "a").or_fail();
    let source = text(dir.path());
    let url = "s3://assets/x";
    let rows: [(&[&str], &str); 9] = [
        (&["s3://a/x"], "bucket name"),
        (&["s3://assets/../x"], "prefix"),
        (&[url, "web1:/srv"], "one after the other"),
        (&[url, url], "given twice"),
        (&["-e", "ssh", url], "--rsh is for hosts"),
        (&["--bwlimit", "10", url], "--bwlimit is for hosts"),
        (&["--header", "Expires: x", url], "no pattern"),
        (&["--header", "* Host: x", url], "no header 'host'"),
        (&["--endpoint", "ftp://x", url], "endpoint"),
    ];
    for (words, reason) in rows {
        let (options, urls): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| !word.contains(":/") || word.starts_with("ftp"));
        let words = ["push"].into_iter().chain(options).chain([source.as_str()]).chain(urls);
        let ran = Ran(machine.command(words).envs(environment()).output().or_fail());
        assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
        assert!(ran.stderr().contains(reason), "{reason}: {}", ran.stderr());
    }
}

#[test]
fn an_empty_source_does_not_empty_a_bucket() {
    let site = Site::start(S3Kind::Moto);
    site.build(1);
    site.push(&[]);
    for path in super::files(site.source.path()) {
        site.remove(&path);
    }
    let ran = site.try_push(&["--delete"]);
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    assert_eq!(site.get("index.html").status(), 200);
    site.push(&["--delete", "--allow-empty"]);
    site.assert_equal();
}

#[test]
fn a_state_of_another_version_is_left_alone_and_a_damaged_one_is_made_anew() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    site.push(&[]);
    let path = "/assets/shop/.assetsync/state";
    let put = |body: &[u8]| ask(site.server.port, "PUT", path, body).or_fail().status();
    assert_eq!(put(b"assetsync bucket state 2\nx"), 200);
    site.build(2);
    let ran = site.try_push(&[]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("another version"), "{}", ran.stderr());
    assert_eq!(put(b"junk"), 200);
    site.push(&["--delete", "--max-delete", "9"]);
    site.assert_equal();
}
