//! The objects below one prefix of a bucket: read, put, copied, listed, deleted.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use md5::{Digest as _, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusty_s3::Method;

use crate::headers::Headers;
use crate::http::client::{Answer, Client};
use crate::http::error::{Cause, RequestError};
use crate::http::sign::Request;
use crate::http::xml::{self, Listed};

/// The most objects of one request to delete.
const DELETED_AT_ONCE: usize = 1000;

/// The most pages of a list that are read: ten million objects.
const PAGES: usize = 10_000;

/// What the name of a source of a copy has plain.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// When a request may change an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Always.
    Always,
    /// If there is no object yet.
    IfMissing,
    /// If the object has this ETag.
    IfIs(&'a str),
}

/// What has become of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It has this ETag now.
    Done(String),
    /// The condition does not hold.
    Refused,
}

/// An object that was read.
#[derive(Debug)]
pub enum Read {
    /// It still has the ETag that is known.
    Same,
    /// There is none.
    Missing,
    /// Its content and its ETag, and how long ago it was written, by the server's clock.
    Found {
        /// The content.
        content: Vec<u8>,
        /// The ETag.
        etag: String,
        /// How long ago, if the server tells.
        age: Option<Duration>,
    },
}

/// The objects below a prefix.
pub struct Objects<'c> {
    /// Who is asked.
    pub client: &'c Client,
    /// The name of the bucket.
    pub bucket: &'c str,
    /// What the keys begin with.
    pub prefix: &'c str,
}

impl Objects<'_> {
    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// What an error calls a request.
    fn action(&self, verb: &str, path: &str) -> String {
        let key = assetsync_core::text::name(self.key(path).as_bytes());
        format!("{verb} {key} in bucket {}", self.bucket)
    }

    /// Reads an object, unless it has the known ETag.
    pub fn read(&self, path: &str, known: Option<&str>) -> Result<Read, RequestError> {
        let key = self.key(path);
        let mut request = Request::object(Method::Get, &key);
        request.expected = &[304, 404];
        if let Some(etag) = known {
            request = request.header("if-none-match", format!("\"{etag}\""));
        }
        let answer = self.client.send(&self.action("read", path), &request)?;
        Ok(match answer.status {
            304 => Read::Same,
            404 => Read::Missing,
            _ => {
                let (etag, age) = (etag(&answer), age(&answer));
                Read::Found { content: answer.body, etag, age }
            }
        })
    }

    /// The headers of an object, if there is one.
    pub fn head(&self, path: &str) -> Result<Option<Answer>, RequestError> {
        let key = self.key(path);
        let mut request = Request::object(Method::Head, &key);
        request.expected = &[404];
        let answer = self.client.send(&self.action("look at", path), &request)?;
        Ok(Some(answer).filter(|answer| answer.status != 404))
    }

    /// The ETag of an object, if there is one.
    pub fn etag(&self, path: &str) -> Result<Option<String>, RequestError> {
        Ok(self.head(path)?.as_ref().map(etag))
    }

    /// Puts an object.
    pub fn put(
        &self,
        path: &str,
        content: &[u8],
        headers: &Headers,
        condition: Condition<'_>,
    ) -> Result<Written, RequestError> {
        let key = self.key(path);
        let mut request = Request::object(Method::Put, &key);
        request.body = content;
        // Whatever comes in between, the object has this content or is refused.
        request = request.header("content-md5", STANDARD.encode(Md5::digest(content)));
        request = with_headers(request, headers);
        request = match condition {
            Condition::Always => request,
            Condition::IfMissing => request.header("if-none-match", "*"),
            Condition::IfIs(etag) => request.header("if-match", format!("\"{etag}\"")),
        };
        // A refused condition, also where the object has gone or is being written.
        request.expected = match condition {
            Condition::Always => &[],
            Condition::IfMissing => &[409, 412],
            Condition::IfIs(_) => &[404, 409, 412],
        };
        let answer = self.client.send(&self.action("write", path), &request)?;
        Ok(written(&answer))
    }

    /// Lets the server copy an object; without headers, it has those of the source.
    pub fn copy(
        &self,
        from: &str,
        to: &str,
        headers: Option<&Headers>,
        source_is: Option<&str>,
    ) -> Result<Written, RequestError> {
        let key = self.key(to);
        let source = format!("{}/{}", self.bucket, self.key(from));
        let source = utf8_percent_encode(&source, COPY_SOURCE).to_string();
        let mut request = Request::object(Method::Put, &key).header("x-amz-copy-source", source);
        if let Some(headers) = headers {
            request = request.header("x-amz-metadata-directive", "REPLACE");
            request = with_headers(request, headers);
        }
        if let Some(etag) = source_is {
            request = request.header("x-amz-copy-source-if-match", format!("\"{etag}\""));
            request.expected = &[404, 412];
        }
        let answer = self.client.send(&self.action("copy to", to), &request)?;
        if answer.status != 200 {
            return Ok(Written::Refused);
        }
        let invalid = || self.client.error(&self.action("copy to", to), Cause::Invalid("no ETag"));
        let etag = xml::value(&answer.body, "ETag").ok_or_else(invalid)?;
        Ok(Written::Done(xml::unquoted(&etag)))
    }

    /// Fails unless objects can be listed.
    pub fn list_one(&self) -> Result<(), RequestError> {
        self.client.send(&self.listing(), &self.list_request().query("max-keys", "1")).map(drop)
    }

    /// All objects below the prefix.
    pub fn list(&self) -> Result<Vec<Listed>, RequestError> {
        let action = self.listing();
        let (mut objects, mut next) = (Vec::new(), None);
        for _ in 0..PAGES {
            let mut request = self.list_request();
            if let Some(token) = next {
                request = request.query("continuation-token", token);
            }
            let answer = self.client.send(&action, &request)?;
            let page = xml::page(&answer.body);
            let page = page
                .ok_or_else(|| self.client.error(&action, Cause::Invalid("no list of objects")))?;
            objects.extend(page.objects);
            next = page.next;
            if next.is_none() {
                return Ok(objects);
            }
        }
        Err(self.client.error(&action, Cause::Invalid("a list without an end")))
    }

    fn listing(&self) -> String {
        format!("list {} in bucket {}", self.prefix, self.bucket)
    }

    fn list_request(&self) -> Request<'_> {
        Request::bucket(Method::Get)
            .query("list-type", "2")
            .query("encoding-type", "url")
            .query("prefix", self.prefix)
    }

    /// Deletes objects; gives the paths of those that could not be, with the reasons.
    pub fn delete(&self, paths: &[String]) -> Result<Vec<(String, String)>, RequestError> {
        let mut failed = Vec::new();
        for some in paths.chunks(DELETED_AT_ONCE) {
            let keys = some.iter().map(|path| {
                format!("<Object><Key>{}</Key></Object>", xml::escaped(&self.key(path)))
            });
            let keys: String = keys.collect();
            let body = format!("<Delete><Quiet>true</Quiet>{keys}</Delete>");
            let mut request = Request::bucket(Method::Post).query("delete", "");
            request = request.header("content-md5", STANDARD.encode(Md5::digest(&body)));
            request.body = body.as_bytes();
            let action = self.action("delete", &some[0]);
            let answer = self.client.send(&action, &request)?;
            let undeleted = xml::undeleted(&answer.body)
                .ok_or_else(|| self.client.error(&action, Cause::Invalid("no list of deletes")))?;
            failed.extend(undeleted);
        }
        Ok(failed)
    }

    /// Begins an object that is sent in parts; gives the number of the upload.
    pub fn begin_parts(&self, path: &str, headers: &Headers) -> Result<String, RequestError> {
        let key = self.key(path);
        let request = Request::object(Method::Post, &key).query("uploads", "");
        let action = self.action("begin to write", path);
        let answer = self.client.send(&action, &with_headers(request, headers))?;
        xml::value(&answer.body, "UploadId")
            .ok_or_else(|| self.client.error(&action, Cause::Invalid("no number of the upload")))
    }

    /// Sends a part; gives its ETag.
    pub fn put_part(
        &self,
        path: &str,
        upload: &str,
        number: usize,
        content: &[u8],
    ) -> Result<String, RequestError> {
        let key = self.key(path);
        let mut request = Request::object(Method::Put, &key)
            .query("partNumber", number.to_string())
            .query("uploadId", upload)
            .header("content-md5", STANDARD.encode(Md5::digest(content)));
        request.body = content;
        let answer = self.client.send(&self.action("write a part of", path), &request)?;
        Ok(etag(&answer))
    }

    /// Makes an object of the parts with these ETags.
    pub fn end_parts(
        &self,
        path: &str,
        upload: &str,
        etags: &[String],
        condition: Condition<'_>,
    ) -> Result<Written, RequestError> {
        let key = self.key(path);
        let parts = etags.iter().enumerate().map(|(at, etag)| {
            let (number, etag) = (at + 1, xml::escaped(etag));
            format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
        });
        let parts: String = parts.collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let mut request = Request::object(Method::Post, &key).query("uploadId", upload);
        request.body = body.as_bytes();
        if condition == Condition::IfMissing {
            request = request.header("if-none-match", "*");
            request.expected = &[409, 412];
        }
        let action = self.action("write", path);
        let answer = self.client.send(&action, &request)?;
        if answer.status != 200 {
            return Ok(Written::Refused);
        }
        let invalid = || self.client.error(&action, Cause::Invalid("no ETag"));
        let etag = xml::value(&answer.body, "ETag").ok_or_else(invalid)?;
        Ok(Written::Done(xml::unquoted(&etag)))
    }

    /// Forgets an upload and its parts.
    pub fn abort_parts(&self, path: &str, upload: &str) -> Result<(), RequestError> {
        let key = self.key(path);
        let mut request = Request::object(Method::Delete, &key).query("uploadId", upload);
        request.expected = &[404];
        self.client.send(&self.action("end an upload of", path), &request).map(drop)
    }
}

fn with_headers<'a>(request: Request<'a>, headers: &Headers) -> Request<'a> {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn written(answer: &Answer) -> Written {
    match answer.status {
        200..=299 => Written::Done(etag(answer)),
        _ => Written::Refused,
    }
}

fn etag(answer: &Answer) -> String {
    xml::unquoted(answer.header("etag").unwrap_or_default())
}

/// How long ago an object was written, by the clock of the server alone.
fn age(answer: &Answer) -> Option<Duration> {
    let time = |name| -> Option<Timestamp> {
        Some(rfc2822::parse(answer.header(name)?).ok()?.timestamp())
    };
    (time("date")? - time("last-modified")?).try_into().ok()
}
