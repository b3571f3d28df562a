//! The headers that objects have: what kind of content it is, and how long it may be cached; pure.

use std::str::FromStr;

use assetsync_core::plan::PublishRank;
use assetsync_sync::EntryPoints;

/// Whoever has a fingerprinted file never has to ask for it again.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Whoever has a page asks whether it is still the newest.
const ASK: &str = "no-cache";

/// Headers that rules may set, besides those that begin with `x-amz-meta-`.
const KNOWN: [&str; 10] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// What user metadata begin with.
const METADATA: &str = "x-amz-meta-";

/// The longest value of a header.
const VALUE_BYTES: usize = 2048;

/// Headers by their names in lower case, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Headers(Vec<(String, String)>);

/// Why a header can't be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Objects have no such header.
    #[error(
        "objects have no header '{0}'; there are Cache-Control, Content-Disposition, \
         Content-Encoding, Content-Language, Content-Type, Expires, x-amz-acl, \
         x-amz-server-side-encryption, x-amz-storage-class, x-amz-website-redirect-location and \
         x-amz-meta-NAME"
    )]
    Name(String),
    /// It is not of printable ASCII, empty, or too long.
    #[error("the value of {0} must be of 1 to {VALUE_BYTES} printable ASCII characters")]
    Value(String),
}

impl Headers {
    /// Sets a header, after checking it.
    pub fn try_set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let name = name.trim().to_ascii_lowercase();
        let is_metadata = name.strip_prefix(METADATA).is_some_and(|rest| {
            let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !rest.is_empty() && rest.bytes().all(is_fine)
        });
        if !is_metadata && !KNOWN.contains(&name.as_str()) {
            return Err(InvalidHeader::Name(assetsync_core::text::name(name.as_bytes())));
        }
        let value = value.trim();
        let is_printable = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if value.is_empty() || value.len() > VALUE_BYTES || !is_printable {
            return Err(InvalidHeader::Value(name));
        }
        self.set(&name, value);
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) {
        match self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            Ok(at) => self.0[at].1 = value.to_owned(),
            Err(at) => self.0.insert(at, (name.to_owned(), value.to_owned())),
        }
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// In place of which file a compressed one is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placing {
    /// `app.js.br` is an object of its own, beside `app.js`.
    #[default]
    OwnKeys,
    /// `app.js` has the content of this compressed file.
    InPlace(Compression),
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// By gzip.
    Gzip,
    /// By Brotli.
    Brotli,
    /// By Zstandard.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Compression; 3] = [Compression::Gzip, Compression::Brotli, Compression::Zstd];

    /// What a compressed file's name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Gzip => ".gz",
            Compression::Brotli => ".br",
            Compression::Zstd => ".zst",
        }
    }

    /// By its name in `Content-Encoding`.
    pub fn of_encoding(name: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|compression| compression.encoding() == name)
    }

    /// Its name in `Content-Encoding`.
    pub fn encoding(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Brotli => "br",
            Compression::Zstd => "zstd",
        }
    }
}

/// Headers for the files that a pattern matches, which replace those of earlier rules.
#[derive(Debug, Clone)]
pub struct HeaderRule {
    pattern: String,
    files: EntryPoints,
    headers: Headers,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// It has not both parts.
    #[error("there is no pattern and header, as in: *.pdf Cache-Control: max-age=3600")]
    Parts,
    /// The pattern.
    #[error("{0}")]
    Pattern(String),
    /// The header.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
}

/// A pattern of --exclude, a space, and a header: `*.pdf Cache-Control: max-age=3600`.
impl FromStr for HeaderRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<HeaderRule, InvalidRule> {
        let (pattern, header) = text.split_once(' ').ok_or(InvalidRule::Parts)?;
        let (name, value) = header.split_once(':').ok_or(InvalidRule::Parts)?;
        if pattern.is_empty() {
            return Err(InvalidRule::Parts);
        }
        let files = EntryPoints::try_from(vec![pattern.as_bytes()]);
        let files = files.map_err(|error| InvalidRule::Pattern(error.to_string()))?;
        let mut headers = Headers::default();
        headers.try_set(name, value)?;
        Ok(HeaderRule { pattern: pattern.to_owned(), files, headers })
    }
}

impl PartialEq for HeaderRule {
    fn eq(&self, other: &HeaderRule) -> bool {
        self.pattern == other.pattern && self.headers == other.headers
    }
}

impl Eq for HeaderRule {}

/// Which headers objects get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderRules {
    /// Where compressed files are stored.
    pub placing: Placing,
    /// Rules, each of which counts more than those before it.
    pub rules: Vec<HeaderRule>,
}

impl HeaderRules {
    /// The headers of the object for the file at `path`, which is the plain one's if it is
    /// `compressed`.
    pub fn headers(
        &self,
        path: &str,
        compressed: Option<Compression>,
        rank: PublishRank,
    ) -> Headers {
        let mut headers = Headers::default();
        headers.set("content-type", &content_type(path));
        match rank {
            PublishRank::Fingerprinted => headers.set("cache-control", FOREVER),
            PublishRank::Naming | PublishRank::ServiceWorker => headers.set("cache-control", ASK),
            PublishRank::Ordinary => {}
        }
        if let Some(compression) = compressed {
            headers.set("content-encoding", compression.encoding());
        }
        for rule in self.rules.iter().filter(|rule| rule.files.contain(path.as_bytes())) {
            rule.headers.iter().for_each(|(name, value)| headers.set(name, value));
        }
        headers
    }
}

/// The content type of a name; texts are in UTF-8, as every build tool writes them.
fn content_type(path: &str) -> String {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = match extension.to_ascii_lowercase().as_str() {
        "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "js" | "mjs" | "cjs" => "text/javascript",
        "woff2" => "font/woff2",
        "avif" => "image/avif",
        other => mime_guess::from_ext(other).first_raw().unwrap_or("application/octet-stream"),
    };
    let is_text = known.starts_with("text/")
        || matches!(known, "application/json" | "application/manifest+json" | "image/svg+xml")
        || known.ends_with("/xml");
    if is_text { format!("{known}; charset=utf-8") } else { known.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_names() {
        for (path, expected) in [
            ("app-3f2a91c0.js", "text/javascript; charset=utf-8"),
            ("a/STYLE.CSS", "text/css; charset=utf-8"),
            ("index.html", "text/html; charset=utf-8"),
            ("app.js.map", "application/json; charset=utf-8"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
            ("x.wasm", "application/wasm"),
            ("x.woff2", "font/woff2"),
            ("x.avif", "image/avif"),
            ("x.png", "image/png"),
            ("site.webmanifest", "application/manifest+json; charset=utf-8"),
            ("LICENSE", "application/octet-stream"),
            ("bundle.tar.gz", "application/gzip"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    #[test]
    fn caching_by_rank_and_rules_in_their_order() {
        let rules = HeaderRules {
            rules: vec![
                "* x-amz-meta-team: web".parse().unwrap(),
                "*.html Cache-Control: max-age=60".parse().unwrap(),
                "/about.html Cache-Control: max-age=5".parse().unwrap(),
            ],
            ..HeaderRules::default()
        };
        let cache = |path, rank| {
            let headers = rules.headers(path, None, rank);
            assert_eq!(headers.get("x-amz-meta-team"), Some("web"));
            headers.get("cache-control").map(str::to_owned)
        };
        assert_eq!(cache("app-3f2a91c0.js", PublishRank::Fingerprinted).as_deref(), Some(FOREVER));
        assert_eq!(cache("logo.png", PublishRank::Ordinary), None);
        assert_eq!(cache("m.json", PublishRank::Naming).as_deref(), Some(ASK));
        assert_eq!(cache("x/i.html", PublishRank::Naming).as_deref(), Some("max-age=60"));
        assert_eq!(cache("about.html", PublishRank::Naming).as_deref(), Some("max-age=5"));
    }

    #[test]
    fn texts_that_are_no_rules() {
        for bad in
            ["", "*.pdf", "*.pdf Cache-Control", "*.pdf Host: x", " Expires: x", "* Expires:"]
        {
            assert!(bad.parse::<HeaderRule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_that_objects_do_not_have() {
        let mut headers = Headers::default();
        for (name, value) in [
            ("Host", "x"),
            ("x-amz-meta-", "x"),
            ("x-amz-meta-a b", "x"),
            ("x-amz-copy-source", "x"),
            ("Cache-Control", ""),
            ("Cache-Control", "a\r\nb"),
            ("Cache-Control", "\u{fc}"),
        ] {
            assert!(headers.try_set(name, value).is_err(), "{name}: {value}");
        }
        assert_eq!(headers, Headers::default());
        headers.try_set(" X-Amz-Meta-Build ", " 7 ").unwrap();
        assert_eq!(headers.get("x-amz-meta-build"), Some("7"));
    }
}
