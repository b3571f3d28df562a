//! Stages whose buckets store compressed files in place of plain ones: deployed, and rolled back.

use std::fs;

use assetsync_testbed::s3::{S3Kind, S3Server, ask};

use super::deploys::{run, run_well};
use super::{build, files, keys};
use crate::fleet::Fleet;
use crate::support::OrFail;

/// A bucket's table, of a prefix.
fn bucket(server: &S3Server, prefix: &str, more: &str) -> String {
    format!(
        "[[stages.production.buckets]]\nurl = \"s3://assets/{prefix}\"\n\
         endpoint = \"http://127.0.0.1:{}\"\n{more}\n",
        server.port
    )
}

/// A build with a compressed file beside each script and style.
fn build_compressed(fleet: &Fleet, version: u32) {
    let built = fleet.built();
    for old in files(&built).iter().filter(|path| path.ends_with(".gz") || path.ends_with(".br")) {
        fs::remove_file(built.join(old)).or_fail();
    }
    build(&built, version);
    for path in files(&built).iter().filter(|path| path.ends_with(".js") || path.ends_with(".css"))
    {
        for suffix in [".gz", ".br"] {
            let content = fs::read_to_string(built.join(path)).or_fail();
            let compressed = format!("{suffix} of {}", content.trim_end());
            fs::write(built.join(format!("{path}{suffix}")), compressed).or_fail();
        }
    }
}

/// What a browser gets: the content, and how it is encoded.
fn get(server: &S3Server, path: &str) -> (String, Option<String>) {
    let reply = ask(server.port, "GET", &format!("/assets/{path}"), b"").or_fail();
    assert_eq!(reply.status(), 200, "{path}");
    (reply.text(), reply.header("content-encoding").map(str::to_owned))
}

/// The bucket has a version, compressed with `suffix` in place of plain files.
#[track_caller]
fn assert_version(server: &S3Server, prefix: &str, version: u32, (suffix, encoding): (&str, &str)) {
    let encoding = Some(encoding.to_owned());
    let style = get(server, &format!("{prefix}/style.css"));
    assert_eq!(style, (format!("{suffix} of body{{order:{version}}}"), encoding.clone()));
    let app = get(server, &format!("{prefix}/app-{:08x}.js", 0x3f2a_0000 + version));
    assert!(app.0.starts_with(suffix) && app.1 == encoding, "{app:?}");
    let page = get(server, &format!("{prefix}/index.html"));
    assert!(page.0.contains(&format!("3f2a{version:04x}")) && page.1.is_none(), "{page:?}");
    assert_eq!(get(server, &format!("{prefix}/logo.svg")), ("<svg/>".to_owned(), None));
}

const GZIP: (&str, &str) = (".gz", "gzip");
const BROTLI: (&str, &str) = (".br", "br");

/// Without retention, so that a rollback has to bring back what was deleted, too.
const SHORT: &str = "assets.retention.keep = 1\nassets.retention.max_age = \"0s\"\n";

#[test]
fn a_bucket_of_compressed_files_is_rolled_back_and_forth() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let fleet = Fleet::of(0);
    let gzip = bucket(&server, "shop", "encoding = \"gzip\"");
    fleet.configure(&format!("{SHORT}{gzip}"));
    for version in 1..=2 {
        build_compressed(&fleet, version);
        run_well(&fleet, "deploy production");
        assert_version(&server, "shop", version, GZIP);
    }
    run_well(&fleet, "rollback production");
    assert_version(&server, "shop", 1, GZIP);
    run_well(&fleet, "verify production");
    build_compressed(&fleet, 3);
    run_well(&fleet, "deploy production");
    run_well(&fleet, "rollback production");
    assert_version(&server, "shop", 1, GZIP);
    assert_eq!(keys(server.port).iter().filter(|key| *key == "style.css.gz").count(), 0);

    // Nobody knows any more how a content that is lost was compressed.
    build_compressed(&fleet, 4);
    run_well(&fleet, "deploy production");
    for key in keys(server.port).iter().filter(|key| key.contains("kept/")) {
        let gone = ask(server.port, "DELETE", &format!("/assets/shop/{key}"), b"").or_fail();
        assert!(gone.status() < 300, "{key}");
    }
    let ran = run(&fleet, "rollback production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("are missing on s3://assets/shop"), "{}", ran.stderr());
    assert_version(&server, "shop", 4, GZIP);
}

#[test]
fn a_host_and_buckets_of_all_encodings_are_rolled_back_together() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    for hosts in [1, 0] {
        let fleet = Fleet::of(hosts);
        let (gzip, brotli, plain) = match hosts {
            1 => ("gz", "br", "both"),
            _ => ("gz0", "br0", "both0"),
        };
        let tables = [
            bucket(&server, gzip, "encoding = \"gzip\""),
            bucket(&server, brotli, "encoding = \"br\""),
            bucket(&server, plain, ""),
        ];
        fleet.configure(&format!("{SHORT}{}", tables.concat()));
        for version in 1..=2 {
            build_compressed(&fleet, version);
            run_well(&fleet, "deploy production");
        }
        run_well(&fleet, "rollback production");
        assert_version(&server, gzip, 1, GZIP);
        assert_version(&server, brotli, 1, BROTLI);
        let style = get(&server, &format!("{plain}/style.css"));
        assert_eq!(style, ("body{order:1}".to_owned(), None));
        let beside = get(&server, &format!("{plain}/style.css.gz"));
        assert_eq!(beside, (".gz of body{order:1}".to_owned(), Some("gzip".to_owned())));
        run_well(&fleet, "verify production");
    }
}

#[test]
fn buckets_of_different_encodings_alone_are_not_rolled_back_at_once() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let fleet = Fleet::of(0);
    let gzip = bucket(&server, "shop", "encoding = \"gzip\"");
    let brotli = bucket(&server, "br", "encoding = \"br\"");
    fleet.configure(&format!("{SHORT}{gzip}{brotli}"));
    for version in 1..=2 {
        build_compressed(&fleet, version);
        run_well(&fleet, "deploy production");
    }
    let ran = run(&fleet, "rollback production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("--hosts s3://assets/shop"), "{}", ran.stderr());
    assert_version(&server, "shop", 2, GZIP);
    run_well(&fleet, "rollback production --hosts s3://assets/shop");
    run_well(&fleet, "rollback production --hosts s3://assets/br");
    assert_version(&server, "shop", 1, GZIP);
    assert_version(&server, "br", 1, BROTLI);
}
