//! Credentials as the provider's own tools find them, and HTTPS with an authority of one's own.

use std::fs;
use std::process::Command;

use assetsync_testbed::s3::{KEY, S3Kind, S3Server, SECRET};

use super::{Ran, Site, URL};
use crate::support::{OrFail, scratch, text};

/// A push whose environment has these variables and no others of the provider.
pub fn push_with(site: &Site, variables: &[(&str, &str)]) -> Ran {
    push_options(site, &[], variables)
}

/// The same, with options.
pub fn push_options(site: &Site, options: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = site.machine.command(["push", "--json"].iter().chain(options));
    command.args([&text(site.source.path()), URL]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    Ran(command.envs(variables.iter().copied()).output().or_fail())
}

#[test]
fn credentials_come_from_profiles_and_from_web_identities() {
    let site = Site::start(S3Kind::Moto);
    site.build(1);
    let none = push_with(&site, &[("AWS_ENDPOINT_URL", &site.server.endpoint())]);
    assert_eq!(none.code(), Some(2));
    assert!(none.stderr().contains("AWS_ACCESS_KEY_ID"), "{}", none.stderr());

    let folder = site.machine.home().join(".aws");
    fs::create_dir(&folder).or_fail();
    let endpoint = site.server.endpoint();
    let config = format!("[profile ci]\nregion = eu-west-1\nendpoint_url = {endpoint}\n");
    fs::write(folder.join("config"), config).or_fail();
    let keys = format!("[ci]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    fs::write(folder.join("credentials"), keys).or_fail();
    push_with(&site, &[("AWS_PROFILE", "ci")]).done();
    site.assert_equal();

    let token = site.machine.home().join("token");
    fs::write(&token, "header.body.signature").or_fail();
    site.build(2);
    let file = text(&token);
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ENDPOINT_URL_STS", &endpoint),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/deploy"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &file),
    ];
    push_with(&site, &variables).done();
    fs::remove_file(&token).or_fail();
    let gone = push_with(&site, &variables);
    assert!(gone.stderr().contains("can't read the token"), "{}", gone.stderr());
}

#[test]
fn https_trusts_the_authorities_that_are_given_and_no_others() {
    let folder = scratch();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("ca.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    let made = openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().or_fail();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let site = Site::of(S3Server::start_tls(&certificate, &key).or_fail());
    site.build(1);
    let endpoint = format!("https://127.0.0.1:{}", site.server.tls_port);
    let given = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    let unknown = push_with(&site, &given);
    assert_eq!(unknown.code(), Some(1), "{}", unknown.stdout());
    assert!(unknown.stderr().contains("certificate"), "{}", unknown.stderr());
    let ca = text(&certificate);
    push_with(&site, &[&given[..], &[("AWS_CA_BUNDLE", ca.as_str())]].concat()).done();
    site.assert_equal();
}
