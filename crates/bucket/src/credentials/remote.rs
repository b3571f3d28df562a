//! Credentials that services give: for a token, to a container, to a virtual machine.

use std::time::Duration;

use assetsync_core::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::Agent;
use ureq::http::{Request, StatusCode};

use super::environment::NONE;
use super::source::{CredentialSource, Credentials, WebIdentity};
use crate::http::xml;

/// The service of a machine answers at once, or is not there.
const SILENCE: Duration = Duration::from_secs(2);

/// The largest answer that is read.
const LARGEST: u64 = 256 << 10;

/// What the services of machines answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: Option<String>,
}

/// Asks the source for credentials.
pub fn fetch(source: &CredentialSource, agent: &Agent) -> Result<Credentials, String> {
    match source {
        CredentialSource::Given(given) => Ok(given.clone()),
        CredentialSource::WebIdentity(identity) => assume(identity, agent),
        CredentialSource::Container { url, authorization } => {
            let request = Request::get(url);
            let request = match authorization {
                Some(text) => request.header("authorization", text),
                None => request,
            };
            let request = request.body(Vec::new()).map_err(|_| format!("{url} is not a URL"))?;
            let text = ask(agent, request, Some(SILENCE))?;
            given(&text)
        }
        CredentialSource::Instance { url } => of_instance(agent, url),
    }
}

fn of_instance(agent: &Agent, url: &str) -> Result<Credentials, String> {
    let token = Request::put(format!("{url}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .body(Vec::new());
    let token = ask(agent, token.map_err(|_| NONE)?, Some(SILENCE)).map_err(|_| NONE)?;
    let get = |path: &str| {
        let url = format!("{url}/latest/meta-data/iam/security-credentials/{path}");
        let request = Request::get(url).header("x-aws-ec2-metadata-token", &token);
        ask(agent, request.body(Vec::new()).map_err(|_| NONE)?, Some(SILENCE))
    };
    let role = get("").map_err(|_| format!("this machine has no role, and {NONE}"))?;
    given(&get(role.lines().next().unwrap_or_default().trim())?)
}

fn assume(identity: &WebIdentity, agent: &Agent) -> Result<Credentials, String> {
    let token = std::fs::read_to_string(&identity.token_file).map_err(|error| {
        format!("can't read the token in {}: {error}", text::path(&identity.token_file))
    })?;
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let form = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}\
         &WebIdentityToken={}",
        encode(&identity.role),
        encode(&identity.session),
        encode(token.trim())
    );
    let request = Request::post(&identity.service)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into_bytes())
        .map_err(|_| format!("{} is not a URL", identity.service))?;
    let answer = ask(agent, request, None)?;
    let part = |name| xml::value(answer.as_bytes(), name);
    let found = part("AccessKeyId").zip(part("SecretAccessKey"));
    let (key, secret) = found.ok_or("the answer for the web identity has no credentials")?;
    let expires = part("Expiration").and_then(|text| text.parse().ok());
    Ok(Credentials { key, secret, token: part("SessionToken"), expires })
}

fn given(answer: &str) -> Result<Credentials, String> {
    // What is wrong with it may show a secret.
    let given: Given = serde_json::from_str(answer)
        .map_err(|_| "the service for credentials answered something else".to_owned())?;
    Ok(Credentials {
        key: given.access_key_id,
        secret: given.secret_access_key,
        token: Some(given.token),
        expires: given.expiration.and_then(|text| text.parse().ok()),
    })
}

fn ask(
    agent: &Agent,
    request: Request<Vec<u8>>,
    silence: Option<Duration>,
) -> Result<String, String> {
    let service = request.uri().host().unwrap_or_default().to_owned();
    let configured = agent.configure_request(request);
    let request = match silence {
        Some(_) => configured.timeout_global(silence).build(),
        None => configured.build(),
    };
    let failed =
        |reason: &dyn std::fmt::Display| format!("can't get credentials from {service}: {reason}");
    let mut response =
        agent.run(request).map_err(|error| failed(&assetsync_https::reason(&error)))?;
    let read = response.body_mut().with_config().limit(LARGEST).read_to_string();
    let body = read.map_err(|error| failed(&error))?;
    if response.status() != StatusCode::OK {
        let said = xml::error(body.as_bytes()).map(|(code, message)| format!(" {code}: {message}"));
        let said = text::line(said.unwrap_or_default().as_bytes());
        return Err(failed(&format!("status {}{said}", response.status().as_u16())));
    }
    Ok(body)
}
