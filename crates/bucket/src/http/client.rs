//! Sends requests, and again if that may help.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assetsync_https::Authorities;
use backon::{BlockingRetryable, ExponentialBuilder};
use jiff::Timestamp;
use rusty_s3::Bucket;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body};

use super::error::{Cause, Refusal, RequestError};
use super::sign::Request;
use super::xml;
use crate::credentials::CredentialStore;

/// Requests under way at one time, whatever they send.
pub const AT_A_TIME: usize = 16;

/// Requests under way at one time, if they send little.
pub const SMALL_AT_A_TIME: usize = 64;

/// How often a request is tried again.
const RETRIES: usize = 8;

/// The longest pause before another try.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The largest answer that is read: a state of some hundred thousand objects.
const LARGEST_ANSWER: u64 = 64 << 20;

/// How a server is connected to.
#[derive(Debug, Clone)]
pub struct Connection {
    /// A server that says nothing for so long is given up.
    pub timeout: Duration,
    /// The authorities to trust.
    pub authorities: Authorities,
}

/// A server's answer.
#[derive(Debug)]
pub struct Answer {
    /// The status: of success, or one that was expected.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The content.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What was asked and sent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, every try counted.
    pub requests: u64,
    /// Bytes of content sent.
    pub sent: u64,
    /// Bytes of content received.
    pub received: u64,
}

/// Sends requests about one bucket.
pub struct Client {
    agent: Agent,
    bucket: Bucket,
    credentials: CredentialStore,
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// An HTTP client that trusts and waits as `connection` says.
pub fn agent(connection: &Connection) -> Agent {
    let silence = Some(connection.timeout);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(SMALL_AT_A_TIME)
        .max_idle_connections_per_host(SMALL_AT_A_TIME)
        // It would change no answer, and thousands of requests are made.
        .accept(AutoHeaderValue::None)
        .user_agent(concat!("assetsync/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(silence)
        .timeout_recv_response(silence)
        .timeout_per_read(silence)
        .timeout_per_write(silence)
        .build();
    assetsync_https::agent(config, connection.authorities.clone(), DefaultResolver::default())
}

impl Client {
    /// A client for a bucket.
    pub fn new(bucket: Bucket, credentials: CredentialStore, connection: &Connection) -> Client {
        Client {
            agent: agent(connection),
            bucket,
            credentials,
            requests: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// The URL of the bucket.
    pub fn base_url(&self) -> &str {
        self.bucket.base_url().as_str()
    }

    /// What was asked and sent so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }

    /// Asks; `action` says for what, in an error. Asks again, after pauses that grow and vary, if
    /// there was no answer or the server is busy.
    pub fn send(&self, action: &str, request: &Request<'_>) -> Result<Answer, RequestError> {
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_max_delay(LONGEST_PAUSE)
            .with_min_delay(Duration::from_millis(100))
            .with_max_times(RETRIES);
        let answer = (|| self.send_fresh(request)).retry(pauses).when(Cause::may_pass).call();
        answer.map_err(|cause| self.error(action, cause))
    }

    /// An error of a request to this bucket's server.
    pub fn error(&self, action: &str, cause: Cause) -> RequestError {
        let host = self.bucket.base_url().host_str().unwrap_or_default();
        let port = self.bucket.base_url().port().map(|port| format!(":{port}"));
        let server = format!("{host}{}", port.unwrap_or_default());
        RequestError { action: action.to_owned(), server, cause }
    }

    /// Asks once; if the credentials have expired, with new ones.
    fn send_fresh(&self, request: &Request<'_>) -> Result<Answer, Cause> {
        match self.send_once(request) {
            Err(Cause::Refused { refusal: Refusal::Expired, .. })
                if self.credentials.renew(&self.agent).is_ok() =>
            {
                self.send_once(request)
            }
            other => other,
        }
    }

    fn send_once(&self, request: &Request<'_>) -> Result<Answer, Cause> {
        let credentials = self.credentials.get(&self.agent).map_err(Cause::Credentials)?;
        let signed = request.signed(&self.bucket, &credentials, Timestamp::now());
        let signed =
            signed.map_err(|_| Cause::Credentials("the request can't be signed".to_owned()))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = self.agent.run(signed).map_err(no_answer)?;
        self.sent.fetch_add(request.body.len() as u64, Ordering::Relaxed);
        self.answer(request, response)
    }

    fn answer(&self, request: &Request<'_>, response: Response<Body>) -> Result<Answer, Cause> {
        let (head, mut body) = response.into_parts();
        let read = body.with_config().limit(LARGEST_ANSWER).read_to_vec();
        let body = read.map_err(no_answer)?;
        self.received.fetch_add(body.len() as u64, Ordering::Relaxed);
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
        // A copy may begin with status 200 and end with an error.
        let is_success = head.status.is_success() && xml::error(&answer.body).is_none();
        let is_expected = request.expected.contains(&answer.status)
            && !(head.status == StatusCode::NOT_FOUND && is_about_bucket(&answer));
        if is_success || is_expected { Ok(answer) } else { Err(refused(&answer)) }
    }
}

fn is_about_bucket(answer: &Answer) -> bool {
    xml::error(&answer.body).is_some_and(|(code, _)| code == "NoSuchBucket")
}

fn refused(answer: &Answer) -> Cause {
    let (code, message) = xml::error(&answer.body).unwrap_or_default();
    let status = answer.status;
    let refusal = match answer.header("x-amz-bucket-region") {
        Some(_) if status == 400 => Refusal::Region,
        // An error within a success is one of the server.
        _ if status == 200 => Refusal::Busy,
        _ => Refusal::of(status, &code),
    };
    let message = match answer.header("x-amz-bucket-region") {
        Some(region) if refusal == Refusal::Region => format!("the bucket is in {region}"),
        _ => message,
    };
    Cause::Refused { status, refusal, code, message }
}

/// Errors that another try does not help against are those of this side, and of TLS.
fn no_answer(error: ureq::Error) -> Cause {
    let may_pass = matches!(
        error,
        ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::Protocol(_)
            | ureq::Error::ConnectionFailed
    );
    Cause::NoAnswer { reason: assetsync_https::reason(&error), may_pass }
}
