//! After a deploy, the web server of each host is asked for what was published: a real nginx, by
//! HTTP and by HTTPS.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::fleet::{Fleet, events, rollout};
use crate::support::{OrFail, scratch, text};

/// The port of every site; each test has addresses of its own.
const PORT: u16 = 8443;

/// A web server with one site.
struct Nginx {
    address: Ipv4Addr,
    process: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts the server with this number in the test; `settings` are those of the site.
    fn start(number: u8, tls: Option<&Authority>, settings: &str) -> Nginx {
        Nginx::start_as("root", number, tls, settings)
    }

    /// The same, as another user.
    fn start_as(user: &str, number: u8, tls: Option<&Authority>, settings: &str) -> Nginx {
        let address = own_address(number);
        let folder = scratch();
        let (ssl, certificate) = tls.map_or_else(Default::default, |authority| {
            let (key, made) = (text(&authority.key()), text(&authority.certificate()));
            (" ssl", format!("ssl_certificate {made}; ssl_certificate_key {key};"))
        });
        let at = text(folder.path());
        let config = format!(
            "daemon off; user {user}; worker_processes 1; pid {at}/pid; error_log {at}/error.log;
             events {{ worker_connections 64; }}
             http {{
                 access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
                 fastcgi_temp_path {at}/fcgi; uwsgi_temp_path {at}/uwsgi;
                 scgi_temp_path {at}/scgi; include /etc/nginx/mime.types;
                 server {{
                     listen {address}:{PORT}{ssl}; server_name shop.example.com;
                     {certificate}
                     {settings}
                 }}
                 server {{ listen {address}:{PORT}{ssl} default_server; {certificate} return 421; }}
             }}"
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config).or_fail();
        let mut nginx = Command::new("nginx");
        nginx.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(&path);
        let process = nginx.stdin(Stdio::null()).spawn().or_fail();
        let mut server = Nginx { address, process, folder };
        while TcpStream::connect((address, PORT)).is_err() {
            if let Some(ended) = server.process.try_wait().or_fail() {
                let said = fs::read_to_string(server.folder.path().join("error.log"));
                panic!("nginx ended: {ended}: {}", said.unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// An address of loopback that no other test has, as each has a process of its own.
fn own_address(number: u8) -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    // Of the 22 bits that process ids have, with the number of the server above them.
    Ipv4Addr::new(127, (number << 6) | high | 0x20, middle, low)
}

/// A certificate authority that this test alone trusts, and the certificate of the site.
struct Authority(TempDir);

impl Authority {
    fn new() -> Authority {
        let authority = Authority(scratch());
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "2", "-subj", "/CN=shop.example.com"]);
        openssl.args(["-addext", "subjectAltName=DNS:shop.example.com"]);
        openssl.arg("-keyout").arg(authority.key()).arg("-out").arg(authority.certificate());
        let made = openssl.output().or_fail();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        authority
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }
}

/// Settings of a site that serves a host's files.
fn serving(fleet: &Fleet, host: usize) -> String {
    format!("root {}/shared/public;", text(&fleet.hosts[host].deploy_to()))
}

fn build(fleet: &Fleet, version: u32) {
    let app = format!("app-{version:08x}.js");
    let manifest = format!(r#"{{"app.js":"{app}"}}"#);
    fleet.build(&[
        (&app, &format!("console.log({version})\n").repeat(50)),
        ("index.html", &format!("<script src=/assets/{app}></script>")),
        ("style.css", "body{}"),
        (".vite/manifest.json", &manifest),
    ]);
}

/// Names the web server of each host.
fn configure(fleet: &Fleet, scheme: &str, servers: &[Nginx], more: &str) {
    let more = format!("verify.url = \"{scheme}://shop.example.com:{PORT}\"\n{more}");
    fleet.configure_hosts(&more, |at| format!("verify.address = \"{}\"\n", servers[at].address));
}

#[test]
fn visitors_of_every_host_get_what_was_deployed() {
    let (fleet, authority) = (Fleet::of(2), Authority::new());
    let start = |at: usize| Nginx::start(at as u8, Some(&authority), &serving(&fleet, at));
    let servers = [start(0), start(1)];
    configure(&fleet, "https", &servers, "");
    build(&fleet, 1);
    let run = |words: &str| {
        let trusting = fleet.command(words).env("SSL_CERT_FILE", authority.certificate()).output();
        crate::support::Ran(trusting.or_fail())
    };
    let ran = run("deploy production --json");
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    let lines = events(&ran);
    let verified: Vec<_> = lines.iter().filter(|line| line["event"] == "served").collect();
    assert_eq!(verified.len(), 2, "{lines:?}");
    // The hidden manifest is not asked for.
    assert!(verified.iter().all(|line| line["asked"] == 3 && line["files"] == 3), "{verified:?}");
    let ran = run("verify production");
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    assert_eq!(ran.stdout(), "production: visitors get what is live on 2 hosts\n");
    assert!(
        ran.stderr().contains("verify   web2: 3 of 3 files as published\n"),
        "{}",
        ran.stderr()
    );
    let asked = events(&run("verify production --json"));
    assert_eq!(rollout(&asked)["deploy"], rollout(&lines)["deploy"], "{asked:?}");
    let done: Vec<_> = asked.iter().filter(|line| line["event"] == "done").collect();
    assert!(done.iter().all(|done| done["ok"] == true && done["stands"] == "live"), "{done:?}");
    assert_eq!(done.len(), 2);
    // Nobody else trusts the certificate.
    let ran = fleet.run("verify production --set timeouts.verify=0s");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(ran.stderr().contains("certificate"), "{}", ran.stderr());
}

/// What is wrong with the second of two servers, and what is said of it.
fn assert_said(fleet: &Fleet, settings: &str, said: &str) {
    let servers = [
        Nginx::start(0, None, &serving(fleet, 0)),
        Nginx::start(1, None, &format!("{} {settings}", serving(fleet, 1))),
    ];
    configure(fleet, "http", &servers, "timeouts.verify = \"0s\"\n");
    let ran = fleet.run("verify production");
    assert_eq!(ran.code(), Some(1), "{settings}: {}", ran.stderr());
    let error = format!("error: web2: http://shop.example.com:{PORT}/assets/{said}");
    let asked = format!("(asked at {})", servers[1].address);
    let line = ran.stderr().lines().find(|line| line.starts_with("error: web")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("{settings}: {}", ran.stderr()));
    assert!(line.starts_with(&error) && line.contains(&asked), "{settings}: {line}");
    let end = "error: 1 of 2 do not serve to visitors what was published";
    assert!(ran.stderr().contains(end), "{}", ran.stderr());
}

#[test]
fn what_visitors_get_wrong_is_named_with_its_server() {
    let fleet = Fleet::of(2);
    build(&fleet, 1);
    fleet.json("deploy production");
    let second = fleet.hosts[1].assets();
    for (settings, said) in [
        ("location /assets/style.css { return 404; }", "style.css: status 404 (Not Found) "),
        ("location ~ css$ { types {} default_type text/plain; }", "style.css: content type 'text/"),
        (
            "location ~ js$ { return 301 https://cdn.example.com/x.js; }",
            "app-00000001.js: status 3",
        ),
        ("location ~ css$ { add_header Content-Encoding zstd; }", "style.css: encoded as 'zstd'"),
        (
            "location ~ css$ { return 200 'body{ }'; types {} default_type text/css; }",
            "style.css: other content than was published",
        ),
        ("location /assets { return 503; }", "index.html: status 503 (Service Unavailable) "),
        ("return 444;", "index.html: no answer: "),
    ] {
        assert_said(&fleet, settings, said);
    }
    // An old compressed copy, which browsers get and simple requests do not.
    fs::write(second.join("style.css.gz"), gzip("old{}")).or_fail();
    assert_said(
        &fleet,
        "gzip_static on;",
        "style.css: other content than was published (compressed",
    );
    fs::write(second.join("style.css.gz"), "no gzip").or_fail();
    assert_said(
        &fleet,
        "gzip_static on;",
        "style.css: other content than was published (compressed",
    );
    fs::write(second.join("style.css.gz"), gzip("body{}")).or_fail();
    let servers = [0, 1].map(|at| {
        Nginx::start(at as u8, None, &format!("{} gzip_static on;", serving(&fleet, at)))
    });
    configure(&fleet, "http", &servers, "");
    let ran = fleet.run("verify production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
}

fn gzip(content: &str) -> Vec<u8> {
    let printed =
        Command::new("sh").args(["-c", "printf %s \"$1\" | gzip", "sh", content]).output();
    printed.or_fail().stdout
}

/// A build under umask 077 that is deployed as it is: nginx, as another user, is refused.
#[test]
fn files_that_the_web_server_can_not_read_are_found() {
    let fleet = Fleet::of(1);
    build(&fleet, 1);
    fs::set_permissions(fleet.built().join("style.css"), fs::Permissions::from_mode(0o600))
        .or_fail();
    let folder = fleet.hosts[0].assets();
    fs::create_dir_all(&folder).or_fail();
    let temporary = std::env::temp_dir();
    for folder in folder.ancestors().take_while(|folder| *folder != temporary) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).or_fail();
    }
    let server = Nginx::start_as("nobody nogroup", 0, None, &serving(&fleet, 0));
    configure(&fleet, "http", std::slice::from_ref(&server), "");
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    let said = "style.css: status 403 (Forbidden)";
    assert!(ran.stderr().contains(said), "{}", ran.stderr());
}

#[test]
fn a_deploy_that_visitors_do_not_get_is_rolled_back_everywhere() {
    let fleet = Fleet::of(2);
    let settings = "verify.on_failure = \"rollback\"\nassets.retention.keep = 1\n";
    let good = [0, 1].map(|at| Nginx::start(at as u8, None, &serving(&fleet, at)));
    build(&fleet, 1);
    configure(&fleet, "http", &good, settings);
    fleet.json("deploy production");
    let before =
        fleet.hosts.iter().map(|host| fs::read(host.assets().join("index.html")).or_fail());
    let before: Vec<_> = before.collect();
    drop(good);
    let bad = [
        Nginx::start(0, None, &serving(&fleet, 0)),
        Nginx::start(
            1,
            None,
            &format!("{} location ~ /app-00000002 {{ return 404; }}", serving(&fleet, 1)),
        ),
    ];
    configure(&fleet, "http", &bad, settings);
    build(&fleet, 2);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}{}", ran.stdout(), ran.stderr());
    for said in ["web2: http://shop.example.com", "was rolled back; live again: "] {
        assert!(ran.stderr().contains(said), "{said}: {}", ran.stderr());
    }
    for (host, before) in fleet.hosts.iter().zip(&before) {
        assert_eq!(&fs::read(host.assets().join("index.html")).or_fail(), before);
    }
    // With --json, too, and where there is nothing to go back to.
    let lines = events(&fleet.run("deploy production --json"));
    assert!(rollout(&lines)["rolled_back_by"].is_string(), "{}", rollout(&lines));
    let fresh = Fleet::of(1);
    build(&fresh, 1);
    let server = [Nginx::start(2, None, "return 404;")];
    configure(&fresh, "http", &server, settings);
    let ran = fresh.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    let said = "warning: Nothing was rolled back: web1: this is its first deploy";
    assert!(ran.stderr().contains(said), "{}", ran.stderr());
    assert!(fresh.hosts[0].assets().join("index.html").exists());
}

#[test]
fn without_a_site_there_is_nothing_to_ask() {
    let fleet = Fleet::of(1);
    let ran = fleet.run("verify production");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    assert!(ran.stderr().contains("has a verify.url"), "{}", ran.stderr());
    fleet.configure("verify.url = \"shop.example.com\"\n");
    let ran = fleet.run("verify production");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    assert!(ran.stderr().contains("not a URL like https://shop.example.com"), "{}", ran.stderr());
    fleet.configure("verify.url = \"http://127.0.0.1\"\nassets.destination = \"elsewhere\"\n");
    let ran = fleet.run("verify production");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    assert!(ran.stderr().contains("'assets.url_path' is not set"), "{}", ran.stderr());
}
