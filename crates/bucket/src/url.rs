//! Where a push goes: `s3://bucket/prefix`.

use std::fmt;
use std::str::FromStr;

use assetsync_core::path::RelPath;

/// A bucket, and the prefix of the keys in it that belong to the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// Why a text is no [`BucketUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It does not begin with `s3://`.
    #[error("a bucket is written s3://bucket/prefix")]
    Scheme,
    /// There can be no such bucket.
    #[error(
        "'{0}' is no bucket name: 3 to 63 lower case letters, digits, dots, hyphens, underscores"
    )]
    Bucket(String),
    /// Keys with this prefix can't be asked for by a URL.
    #[error("the prefix '{0}' has an empty name, '.' or '..' in it, or is too long")]
    Prefix(String),
}

impl BucketUrl {
    /// Whether a destination is written as a bucket.
    pub fn is_meant(given: &str) -> bool {
        given.starts_with("s3://")
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What the keys of the destination begin with: empty, or with a slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for BucketUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<BucketUrl, InvalidUrl> {
        let rest = text.strip_prefix("s3://").ok_or(InvalidUrl::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_allowed) {
            return Err(InvalidUrl::Bucket(assetsync_core::text::name(bucket.as_bytes())));
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && RelPath::new(prefix.as_bytes()).is_err() {
            return Err(InvalidUrl::Prefix(assetsync_core::text::name(prefix.as_bytes())));
        }
        let slash = if prefix.is_empty() { "" } else { "/" };
        Ok(BucketUrl { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_their_prefixes() {
        for (text, bucket, prefix) in [
            ("s3://assets", "assets", ""),
            ("s3://assets/", "assets", ""),
            ("s3://my.assets-1/shop", "my.assets-1", "shop/"),
            ("s3://assets/shop/v 1/", "assets", "shop/v 1/"),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.bucket(), url.prefix()), (bucket, prefix), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        for text in [
            "assets",
            "s3:/assets",
            "s3://",
            "s3://ab",
            "s3://Assets",
            "s3://a b/c",
            "s3:///key",
            "s3://assets//x",
            "s3://assets/../x",
            "s3://assets/a/./b",
        ] {
            assert!(text.parse::<BucketUrl>().is_err(), "{text}");
        }
    }
}
