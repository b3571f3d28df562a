//! How an answer differs from what was published.

use std::fmt;
use std::io::Read;

use assetsync_core::text;
use ureq::http::{HeaderMap, StatusCode, header};

use crate::content_type;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// There was none, for this reason.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The server refused, or does not have the file.
    #[error("status {}", named(*.0))]
    Status(u16),
    /// The file is said to be elsewhere.
    #[error("status {status}: it is at {location}")]
    Redirect {
        /// The status.
        status: u16,
        /// The URL that the server names.
        location: String,
    },
    /// The content type is one with which browsers do not use the file.
    #[error("content type '{0}', with which browsers do not use it")]
    ContentType(String),
    /// The content is compressed in a way that was not asked for.
    #[error("encoded as '{0}', which was not asked for")]
    Encoding(String),
    /// Another content.
    #[error("other content than was published{}", compressed(.encoding))]
    Content {
        /// How the answer was compressed, if it was.
        encoding: Option<Encoding>,
    },
}

fn named(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    known.map_or_else(|| status.to_string(), |words| format!("{status} ({words})"))
}

fn compressed(encoding: &Option<Encoding>) -> String {
    let told = |encoding| format!(" (compressed with {encoding}; is an old copy kept?)");
    encoding.map(told).unwrap_or_default()
}

/// A header, escaped; empty if there is none.
fn shown(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).map(|value| text::line(value.as_bytes())).unwrap_or_default()
}

/// How an answer's content is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// By gzip.
    Gzip,
    /// By Brotli.
    Brotli,
}

impl Encoding {
    /// What is asked for.
    pub(crate) const ACCEPTED: &str = "gzip, br";

    /// The content.
    pub(crate) fn decode<'r>(self, body: impl Read + 'r) -> Box<dyn Read + 'r> {
        match self {
            Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body)),
            Encoding::Brotli => Box::new(brotli_decompressor::Decompressor::new(body, 4096)),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::Gzip => "gzip",
            Encoding::Brotli => "Brotli",
        })
    }
}

/// What is wrong with an answer before its content, or else how that is compressed.
pub(crate) fn of_head(
    path: &[u8],
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Encoding>, Difference> {
    if status.is_redirection() {
        let location = shown(headers, header::LOCATION);
        return Err(Difference::Redirect { status: status.as_u16(), location });
    }
    if status != StatusCode::OK {
        return Err(Difference::Status(status.as_u16()));
    }
    let content_type = shown(headers, header::CONTENT_TYPE);
    if !content_type::is_fine(path, &content_type) {
        return Err(Difference::ContentType(content_type));
    }
    match shown(headers, header::CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Encoding::Gzip)),
        "br" => Ok(Some(Encoding::Brotli)),
        other => Err(Difference::Encoding(other.to_owned())),
    }
}

impl Difference {
    /// Whether it may end by itself: a server that is being restarted answers so.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Difference::NoAnswer(_) | Difference::Status(502..=504))
    }
}
