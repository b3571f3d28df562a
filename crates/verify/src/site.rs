//! The URL below which visitors find published files.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use ureq::http::Uri;

/// What a path of a URL has only encoded, besides what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path as it is in URLs.
pub fn url_path(path: &[u8]) -> String {
    percent_encode(path, ENCODED).to_string()
}

/// A URL of HTTP or HTTPS without a slash at its end, without a query and without a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site(String);

/// A text that is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a URL like https://shop.example.com")]
pub struct InvalidSite;

impl FromStr for Site {
    type Err = InvalidSite;

    fn from_str(text: &str) -> Result<Site, InvalidSite> {
        let uri: Uri = text.parse().map_err(|_| InvalidSite)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().ok_or(InvalidSite)?.as_str();
        if !is_web || uri.query().is_some() || authority.contains('@') || text.contains('#') {
            return Err(InvalidSite);
        }
        Ok(Site(text.trim_end_matches('/').to_owned()))
    }
}

impl Site {
    /// The site's part below `path`; an empty one is the site itself.
    pub fn below(&self, path: &str) -> Site {
        match path.trim_matches('/') {
            "" => self.clone(),
            path => Site(self.url(path.as_bytes())),
        }
    }

    /// The URL of a file.
    pub(crate) fn url(&self, path: &[u8]) -> String {
        format!("{}/{}", self.0, url_path(path))
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        let site: Site = "https://shop.example.com:8443/".parse().unwrap();
        assert_eq!(site.to_string(), "https://shop.example.com:8443");
        let assets = site.below("/assets/");
        assert_eq!(assets.to_string(), "https://shop.example.com:8443/assets");
        assert_eq!(site.below(""), site);
        let url = assets.url("a b/100%/ü?#[1].js".as_bytes());
        let path = "a%20b/100%25/%C3%BC%3F%23%5B1%5D.js";
        assert_eq!(url, format!("https://shop.example.com:8443/assets/{path}"));
        assert_eq!(assets.url(b"\xff"), "https://shop.example.com:8443/assets/%FF");
        assert!(url.parse::<Uri>().is_ok());
    }

    #[test]
    fn what_is_no_site() {
        for text in [
            "",
            "shop.example.com",
            "/assets",
            "ftp://shop.example.com",
            "https://",
            "https://shop.example.com/?a=b",
            "https://shop.example.com/#a",
            "https://me:secret@shop.example.com",
            "https://shop example.com",
        ] {
            assert_eq!(text.parse::<Site>(), Err(InvalidSite), "{text}");
        }
    }
}
