//! Pushes that go well: what is there then, and how many requests it took.

use assetsync_testbed::s3::{HttpProxy, S3Kind, S3Server, Verdict, ask};

use super::{Ran, Site, command, keys};
use crate::support::{Machine, OrFail, scratch};

fn requests(ran: &Ran) -> u64 {
    ran.done_events()[0]["round_trips"].as_u64().expect("a number")
}

fn sent(ran: &Ran) -> u64 {
    ran.done_events()[0]["files_sent"].as_u64().expect("a number")
}

/// First push, nothing changed, update, headers, deletes: as every server must have it.
fn a_life(kind: S3Kind) {
    let site = Site::start(kind);
    site.build(1);
    let first = site.push(&[]);
    assert_eq!(sent(&first), 5);
    site.assert_equal();
    let header = |path: &str, name: &str| site.get(path).header(name).map(str::to_owned);
    let forever = Some("public, max-age=31536000, immutable".to_owned());
    assert_eq!(header("app-3f2a0001.js", "cache-control"), forever);
    assert_eq!(header("index.html", "cache-control"), Some("no-cache".to_owned()));
    assert_eq!(header("style.css", "content-type"), Some("text/css; charset=utf-8".to_owned()));

    let again = site.push(&["--delete"]);
    assert_eq!((requests(&again), sent(&again)), (1, 0), "nothing changed: one request in all");

    site.build(2);
    let update = site.push(&[]);
    assert_eq!(sent(&update), 4, "the logo stays");
    assert_eq!(site.get("app-3f2a0001.js").status(), 200, "nothing is deleted unasked");
    site.push(&["--delete"]);
    site.assert_equal();

    let rule =
        ["--header", "*.svg Cache-Control: max-age=60", "--header", "* x-amz-meta-team: web"];
    let styled = site.push(&rule);
    assert_eq!(sent(&styled), 0, "headers need no content");
    assert_eq!(header("logo.svg", "cache-control"), Some("max-age=60".to_owned()));
    assert_eq!(header("index.html", "x-amz-meta-team"), Some("web".to_owned()));
    assert_eq!(header("index.html", "cache-control"), Some("no-cache".to_owned()));
    site.assert_equal();
    assert_eq!(requests(&site.push(&rule)), 1);
}

#[test]
fn a_bucket_of_seaweedfs_becomes_and_stays_equal() {
    a_life(S3Kind::SeaweedFs);
}

#[test]
fn a_bucket_of_moto_becomes_and_stays_equal() {
    a_life(S3Kind::Moto);
}

#[test]
fn odd_names_large_files_and_compressed_ones() {
    let site = Site::start(S3Kind::SeaweedFs);
    let odd =
        ["a b.js", "plus+plus.js", "100%.css", "\u{fc}\u{4e16}.js", "q?&=#.js", "it's(1)!*.js"];
    let odd: Vec<(&str, &str)> = odd.into_iter().map(|name| (name, name)).collect();
    site.write(&odd);
    site.write(&[("dir.d/~x/[1]@:;,$.js", "deep"), (".well-known/a", "hidden"), ("empty.txt", "")]);
    site.push(&[]);
    for (name, content) in &odd {
        assert_eq!(site.get(&super::encoded(name)).text(), *content, "{name}");
    }
    site.write(&[("a b.js", "changed")]);
    site.push(&[]);
    // A list has the same keys as the state.
    let listed = site.push(&["-c", "--delete"]);
    assert_eq!(sent(&listed), 0);
    assert_eq!(site.get("a%20b.js").text(), "changed");

    let large = "0123456789abcdef".repeat(9 << 16);
    site.write(&[("large.bin", &large), ("app.js", "plain"), ("app.js.gz", "\u{1f}zipped")]);
    site.push(&["--encoding", "gzip"]);
    assert_eq!(site.get("large.bin").text(), large);
    let script = site.get("app.js");
    assert_eq!(script.header("content-encoding"), Some("gzip"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!((script.text().as_str(), site.get("app.js.gz").status()), ("\u{1f}zipped", 404));
    site.write(&[("large.bin", &large.replacen('0', "x", 1))]);
    site.push(&["--encoding", "gzip"]);
    assert!(site.get("large.bin").text().starts_with("x123"));
}

#[test]
fn what_others_put_there_is_found_by_content_and_deleted_only_if_meant() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    let put = |path: &str, body: &[u8]| {
        let put = ask(site.server.port, "PUT", &format!("/assets/shop/{path}"), body).or_fail();
        assert_eq!(put.status(), 200);
    };
    put("logo.svg", b"<svg/>");
    put("style.css", b"other");
    put("uploads/me.png", b"mine");
    put("uploads/you.png", b"yours");
    let refused = site.try_push(&["--delete"]);
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr().contains("uploads/me.png"), "{}", refused.stderr());
    assert_eq!(site.get("index.html").status(), 404, "nothing was done");
    let first = site.push(&[]);
    assert_eq!(sent(&first), 4, "the logo is there; its headers are set");
    assert_eq!(site.get("logo.svg").header("content-type"), Some("image/svg+xml; charset=utf-8"));
    assert_eq!(site.get("uploads/me.png").text(), "mine");

    let dry = site.push(&["-n", "-c", "--delete", "--exclude", "/uploads/me.png"]);
    assert!(dry.stdout().contains("you.png") && !dry.stdout().contains("me.png"));
    assert_eq!(site.get("uploads/you.png").status(), 200, "a dry run deletes nothing");
    let too_many = site.try_push(&["-c", "--delete", "--max-delete", "1"]);
    assert_eq!(too_many.code(), Some(1), "{}", too_many.stderr());
    site.push(&["-c", "--delete", "--max-delete", "2"]);
    site.assert_equal();
    put("index.html", b"changed by hand");
    site.push(&["-c"]);
    site.assert_equal();
}

#[test]
fn what_another_program_changed_is_noticed_when_it_is_replaced() {
    let site = Site::start(S3Kind::SeaweedFs);
    site.build(1);
    site.push(&[]);
    let path = "/assets/shop/index.html";
    assert_eq!(ask(site.server.port, "PUT", path, b"by hand").or_fail().status(), 200);
    site.build(2);
    site.push(&["--delete"]);
    site.assert_equal();
}

/// Every request, in its order: contents first, then the lock, pages last, the state at the end.
#[test]
fn an_update_asks_for_what_changed_and_nothing_else() {
    let server = S3Server::start(S3Kind::Moto).or_fail();
    let proxy = HttpProxy::to(server.port, |_, _| Verdict::Pass).or_fail();
    let (machine, source) = (Machine::new(), scratch());
    let push = |options: &[&str]| {
        let before = proxy.requests().len();
        let ran = Ran(command(&machine, source.path(), proxy.port(), options).output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        proxy.requests()[before..].iter().map(|line| short(line)).collect::<Vec<_>>()
    };
    super::build(source.path(), 1);
    push(&[]);
    assert_eq!(push(&[]), ["GET state"]);
    super::build(source.path(), 2);
    let mut update = push(&["--delete"]);
    let order: Vec<&str> = update.iter().map(String::as_str).collect();
    assert_eq!(order[..2], ["GET state", "PUT app-3f2a0002.js"]);
    let at = |wanted: &str| order.iter().position(|line| *line == wanted).expect(wanted);
    let lock = at("PUT state");
    assert!(at("PUT app-3f2a0002.js") < lock && lock < at("PUT style.css"));
    assert!(
        at("PUT style.css") < at("PUT index.html") && at("PUT style.css") < at("PUT manifest.json")
    );
    assert_eq!(order[order.len() - 2..], ["POST ", "PUT state"]);
    update.sort();
    let mut expected = ["GET state", "PUT app-3f2a0002.js", "PUT state", "PUT state", "POST "]
        .map(str::to_owned)
        .to_vec();
    expected.extend(["style.css", "index.html", "manifest.json"].map(|path| format!("PUT {path}")));
    // Its old and its new content are kept while it is being replaced.
    expected.extend(std::iter::repeat_n("PUT kept".to_owned(), 6));
    expected.sort();
    assert_eq!(update, expected);
    assert_eq!(keys(server.port).len(), 6);
}

/// A list shows whether there is a state, and whether it is the remembered one.
#[test]
fn where_a_list_is_asked_for_it_is_the_only_question() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let proxy = HttpProxy::to(server.port, |_, _| Verdict::Pass).or_fail();
    let (machine, other, source) = (Machine::new(), Machine::new(), scratch());
    let push = |machine: &Machine, options: &[&str]| {
        let before = proxy.requests().len();
        let ran = Ran(command(machine, source.path(), proxy.port(), options).output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        proxy.requests()[before..].iter().map(|line| short(line)).collect::<Vec<_>>()
    };
    super::build(source.path(), 1);
    let first = push(&machine, &["-c"]);
    assert!(first[0].starts_with("GET ") && !first.contains(&"GET state".to_owned()), "{first:?}");
    assert_eq!(first.len(), 1 + 5 + 2, "{first:?}");
    assert_eq!(push(&machine, &["-c"]).len(), 1, "it is as remembered");
    let asked = push(&other, &["-c"]);
    assert_eq!((asked.len(), asked[1].as_str()), (2, "GET state"), "nothing is remembered");
    super::build(source.path(), 2);
    push(&machine, &["-c", "--delete"]);
    super::build(source.path(), 1);
    // The other machine remembers a state that is not there any more.
    let asked = push(&other, &["-c", "--delete"]);
    assert_eq!(asked[1], "GET state", "{asked:?}");
    assert_eq!(keys(server.port).len(), 6);
}

#[test]
fn a_content_that_several_files_have_is_sent_once() {
    for kind in [S3Kind::SeaweedFs, S3Kind::Moto] {
        let site = Site::start(kind);
        let font = "font".repeat(5000);
        let same = ["a-3f2a0001.woff2", "b-3f2a0001.woff2", "font.woff2", "404.html"];
        site.write(&same.map(|path| (path, font.as_str())));
        let first = site.push(&[]);
        assert_eq!(sent(&first), 1);
        let bytes = first.done_events()[0]["bytes_sent"].as_u64().expect("a number");
        assert!(bytes < 2 * font.len() as u64, "{bytes} bytes");
        site.assert_equal();
        let header = |path: &str| site.get(path).header("content-type").map(str::to_owned);
        assert_eq!(header("404.html").as_deref(), Some("text/html; charset=utf-8"));
        assert_eq!(header("b-3f2a0001.woff2").as_deref(), Some("font/woff2"));
        // An update that replaces some of them, too.
        let other = "more".repeat(5000);
        site.write(&["font.woff2", "404.html", "c-3f2a0002.woff2"].map(|path| (path, &*other)));
        assert_eq!(sent(&site.push(&[])), 1);
        site.assert_equal();
        assert_eq!(requests(&site.push(&[])), 1);
    }
}

/// What is copied has the content that the state says, or the push looks again.
#[test]
fn an_object_that_another_program_changed_is_not_copied() {
    let site = Site::start(S3Kind::SeaweedFs);
    let font = "font".repeat(5000);
    site.write(&[("font.woff2", &font)]);
    site.push(&[]);
    let path = "/assets/shop/font.woff2";
    assert_eq!(ask(site.server.port, "PUT", path, b"by hand").or_fail().status(), 200);
    site.write(&[("a-3f2a0001.woff2", &font)]);
    site.push(&[]);
    site.assert_equal();
}

/// `PUT /assets/shop/.assetsync/state HTTP/1.1` without what is the same in all.
fn short(line: &str) -> String {
    let (method, path) = line.split_once(' ').unwrap_or((line, ""));
    let path = path.split(['?', ' ']).next().unwrap_or_default();
    let path =
        path.trim_start_matches("/assets").trim_start_matches("/shop").trim_start_matches('/');
    match path.strip_prefix(".assetsync/") {
        Some(own) => format!("{method} {}", own.split('/').next().unwrap_or_default()),
        None => format!("{method} {path}"),
    }
}
