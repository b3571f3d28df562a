//! What a machine gives: credentials of its role or its container, and a proxy on the way.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use assetsync_testbed::s3::{HttpProxy, KEY, Reply, S3Kind, SECRET, Verdict};

use super::Site;
use super::credentials::push_with;
use crate::support::{OrFail, text};

/// Serves every connection of a new port, each by a thread of its own.
fn serve(each: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).or_fail();
    let (port, each) = (listener.local_addr().or_fail().port(), Arc::new(each));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let each = Arc::clone(&each);
            // A connection that fails is for its client to notice.
            thread::spawn(move || drop(each(client)));
        }
    });
    port
}

/// A service that answers requests with these texts; where there is none, with 404.
fn service(answer: impl Fn(&Reply) -> Option<String> + Send + Sync + 'static) -> u16 {
    serve(move |mut client| {
        let mut reader = BufReader::new(client.try_clone()?);
        while let Some(request) = Reply::read(&mut reader, false)? {
            let found = answer(&request);
            let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
            let body = found.unwrap_or_else(|| "none".to_owned()).into_bytes();
            Reply { first: format!("HTTP/1.1 {status}"), headers: Vec::new(), body }
                .write(&mut client)?;
        }
        Ok(())
    })
}

fn credentials(key: &str) -> Option<String> {
    Some(format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"{SECRET}","Token":"session","Expiration":"2099-01-01T00:00:00Z"}}"#
    ))
}

#[test]
fn a_virtual_machine_gives_credentials_and_newer_ones_when_those_have_expired() {
    let site = Site::start(S3Kind::Moto);
    site.build(1);
    let keys = Mutex::new(vec![KEY, "AKIDEXPIRED"]);
    let metadata = service(move |request| {
        let path = request.first.split(' ').nth(1).unwrap_or_default();
        if request.first.starts_with("PUT /latest/api/token ") {
            let ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds");
            return ttl.map(|_| "of-this-session".to_owned());
        }
        request.header("x-aws-ec2-metadata-token").filter(|token| *token == "of-this-session")?;
        match path {
            "/latest/meta-data/iam/security-credentials/" => Some("deploy-role\n".to_owned()),
            "/latest/meta-data/iam/security-credentials/deploy-role" => {
                credentials(keys.lock().or_fail().pop()?)
            }
            _ => None,
        }
    });
    let proxy = HttpProxy::to(site.server.port, |_, request| {
        let is_old = request.first.contains("AKIDEXPIRED");
        if is_old { Verdict::Answer(400, "ExpiredToken") } else { Verdict::Pass }
    });
    let proxy = proxy.or_fail();
    let endpoint = format!("http://127.0.0.1:{}", proxy.port());
    let push = |metadata: u16| {
        let metadata = format!("http://127.0.0.1:{metadata}/");
        let variables = [
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str()),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ];
        push_with(&site, &variables)
    };
    push(metadata).done();
    site.assert_equal();
    let refused = push(service(|request| {
        request.first.starts_with("PUT ").then(|| "of-this-session".to_owned())
    }));
    assert_eq!(refused.code(), Some(1), "{}", refused.stdout());
    assert!(refused.stderr().contains("this machine has no role"), "{}", refused.stderr());
}

#[test]
fn a_container_gives_credentials_to_who_has_its_token() {
    let site = Site::start(S3Kind::Moto);
    site.build(1);
    let container = service(|request| {
        let is_right = request.first.starts_with("GET /v1/credentials ")
            && request.header("authorization") == Some("of-this-pod");
        credentials(KEY).filter(|_| is_right)
    });
    let token = site.machine.home().join("token");
    std::fs::write(&token, "of-this-pod\n").or_fail();
    let (endpoint, file) = (site.server.endpoint(), text(&token));
    let url = format!("http://127.0.0.1:{container}/v1/credentials");
    let given = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
    ];
    let refused = push_with(&site, &given);
    assert_eq!(refused.code(), Some(1), "{}", refused.stdout());
    let said = refused.stderr();
    assert!(said.contains("can't get credentials from 127.0.0.1: status 404"), "{said}");
    let with_token = [("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.as_str())];
    push_with(&site, &[&given[..], &with_token].concat()).done();
    site.assert_equal();
}

#[test]
fn the_buckets_name_is_in_the_host_if_that_is_asked_for_and_proxies_are_used() {
    let site = Site::start(S3Kind::Moto);
    site.build(1);
    let (asked, server) = (Arc::new(Mutex::new(Vec::new())), site.server.port);
    let noted = Arc::clone(&asked);
    let tunnel = serve(move |mut client| {
        let mut from_client = BufReader::new(client.try_clone()?);
        let Some(request) = Reply::read(&mut from_client, true)? else { return Ok(()) };
        noted.lock().or_fail().push(request.first);
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        let (mut back, mut server) = (client, TcpStream::connect((Ipv4Addr::LOCALHOST, server))?);
        let mut from_server = server.try_clone()?;
        thread::spawn(move || {
            drop(io::copy(&mut from_server, &mut back));
            back.shutdown(Shutdown::Both)
        });
        io::copy(&mut from_client, &mut server)?;
        server.shutdown(Shutdown::Both)
    });
    let proxy = format!("http://127.0.0.1:{tunnel}");
    let variables = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("HTTP_PROXY", proxy.as_str()),
    ];
    let options = ["--endpoint", "http://objects.invalid", "--addressing", "host"];
    super::credentials::push_options(&site, &options, &variables).done();
    site.assert_equal();
    let asked = asked.lock().or_fail();
    let is_named = |line: &String| line.starts_with("CONNECT assets.objects.invalid:80 ");
    assert!(!asked.is_empty() && asked.iter().all(is_named), "{asked:?}");
}
