//! Signed requests: what is asked, as a URL that a server lets through for some minutes.

use jiff::Timestamp;
use rusty_s3::{Bucket, Method};
use ureq::http::{self, Uri};

use crate::credentials::Credentials;

/// For how long a signature counts. Longer than any single request takes.
const VALID_SECONDS: u64 = 3600;

/// A request about an object, or about the bucket.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `GET`, `PUT` and the like.
    pub method: Method,
    /// The object; if none, the bucket.
    pub key: Option<&'a str>,
    /// The query.
    pub query: Vec<(&'static str, String)>,
    /// The headers, with lower-case names; all of them are signed.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: &'a [u8],
    /// Statuses besides those of success that are answers, and no errors.
    pub expected: &'static [u16],
}

impl<'a> Request<'a> {
    /// A request about an object, without query, headers and content.
    pub fn object(method: Method, key: &'a str) -> Request<'a> {
        Request { key: Some(key), ..Request::bucket(method) }
    }

    /// A request about the bucket.
    pub fn bucket(method: Method) -> Request<'a> {
        let (query, headers) = (Vec::new(), Vec::new());
        Request { method, key: None, query, headers, body: &[], expected: &[] }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request<'a> {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a part of the query.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Request<'a> {
        self.query.push((name, value.into()));
        self
    }

    /// The request as it is sent at a time.
    pub(super) fn signed(
        &self,
        bucket: &Bucket,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<http::Request<&'a [u8]>, http::Error> {
        let (mut query, mut headers) = (self.query.clone(), self.headers.clone());
        query.sort();
        headers.sort();
        let url = match self.key {
            Some(key) => bucket.object_url(key),
            None => bucket.base_url().clone(),
        };
        let url = rusty_s3::signing::sign(
            &now,
            self.method,
            url,
            &credentials.key,
            &credentials.secret,
            credentials.token.as_deref(),
            bucket.region(),
            VALID_SECONDS,
            query.iter().map(|(name, value)| (*name, value.as_str())),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let uri = Uri::try_from(url.as_str())?;
        let mut request = http::Request::builder().method(self.method.to_str()).uri(uri);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request.body(self.body)
    }
}
