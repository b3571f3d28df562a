//! A client for a bucket, from settings and the environment.

use std::time::Duration;

use assetsync_core::text;
use assetsync_https::Authorities;
use rusty_s3::{Bucket, UrlStyle};
use url::Url;

use crate::credentials::{CredentialStore, Environment, Setup};
use crate::error::BucketError;
use crate::headers::HeaderRules;
use crate::http::client::{Client, Connection};
use crate::url::BucketUrl;

/// A server that is silent for so long is given up, unless the caller says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How the bucket's name gets into a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

/// How a bucket is reached, and what its objects are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettings {
    /// The service's URL; if none, the one that the environment names, or else AWS.
    pub endpoint: Option<String>,
    /// The region; if none, the one that the environment names.
    pub region: Option<String>,
    /// How the bucket's name gets into a URL; if not said, by the host at AWS, by the path
    /// elsewhere.
    pub addressing: Option<Addressing>,
    /// Which headers objects get.
    pub rules: HeaderRules,
    /// A server that is silent for so long is given up.
    pub timeout: Duration,
}

impl Default for BucketSettings {
    fn default() -> BucketSettings {
        BucketSettings {
            endpoint: None,
            region: None,
            addressing: None,
            rules: HeaderRules::default(),
            timeout: TIMEOUT,
        }
    }
}

impl BucketSettings {
    /// A client for a bucket. No request is made yet.
    pub fn connect(&self, url: &BucketUrl) -> Result<Client, BucketError> {
        self.client(url, &self.setup()?)
    }

    /// What the environment says.
    pub(super) fn setup(&self) -> Result<Setup, BucketError> {
        let setup = Environment::of_process().setup(self.region.as_deref());
        setup.map_err(BucketError::Setup)
    }

    /// A client for a bucket, by what the environment says.
    pub(super) fn client(&self, url: &BucketUrl, setup: &Setup) -> Result<Client, BucketError> {
        let bucket = self.bucket(url, setup).map_err(BucketError::Setup)?;
        let authorities = match &setup.authorities {
            Some(file) => Authorities::of_file(file).map_err(BucketError::Setup)?,
            None => Authorities::System,
        };
        let connection = Connection { timeout: self.timeout, authorities };
        Ok(Client::new(bucket, CredentialStore::new(setup.credentials.clone()), &connection))
    }

    fn bucket(&self, url: &BucketUrl, setup: &Setup) -> Result<Bucket, String> {
        let given = self.endpoint.as_ref().or(setup.endpoint.as_ref());
        let endpoint = match given {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com", setup.region),
        };
        let shown = text::line(endpoint.as_bytes());
        let parsed = Url::parse(&endpoint)
            .map_err(|error| format!("the endpoint {shown} is not a URL: {error}"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("an endpoint has no user and password".to_owned());
        }
        // A name with a dot fits no certificate of AWS.
        let by_host = given.is_none() && !url.bucket().contains('.');
        let addressing = self.addressing.unwrap_or(match by_host {
            true => Addressing::VirtualHost,
            false => Addressing::Path,
        });
        let style = match addressing {
            Addressing::Path => UrlStyle::Path,
            Addressing::VirtualHost => UrlStyle::VirtualHost,
        };
        Bucket::new(parsed, style, url.bucket().to_owned(), setup.region.clone())
            .map_err(|error| format!("the endpoint {shown} can't be used: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{CredentialSource, Credentials};

    fn base(
        url: &str,
        settings: &BucketSettings,
        endpoint: Option<&str>,
    ) -> Result<String, String> {
        let given =
            Credentials { key: String::new(), secret: String::new(), token: None, expires: None };
        let setup = Setup {
            credentials: CredentialSource::Given(given),
            found_in: String::new(),
            region: "eu-west-1".into(),
            endpoint: endpoint.map(str::to_owned),
            authorities: None,
        };
        let bucket = settings.bucket(&url.parse().unwrap(), &setup)?;
        Ok(bucket.base_url().to_string())
    }

    #[test]
    fn urls_of_buckets() {
        let none = BucketSettings::default();
        let at_aws = "https://assets.s3.eu-west-1.amazonaws.com/";
        assert_eq!(base("s3://assets/x", &none, None).as_deref(), Ok(at_aws));
        let dotted = "https://s3.eu-west-1.amazonaws.com/my.assets/";
        assert_eq!(base("s3://my.assets", &none, None).as_deref(), Ok(dotted));
        let here = "http://127.0.0.1:9000/assets/";
        assert_eq!(base("s3://assets", &none, Some("http://127.0.0.1:9000")).as_deref(), Ok(here));
        let by_host = BucketSettings {
            endpoint: Some("https://nyc3.example.com".into()),
            addressing: Some(Addressing::VirtualHost),
            ..none
        };
        let other = "https://assets.nyc3.example.com/";
        assert_eq!(base("s3://assets", &by_host, Some("http://x")).as_deref(), Ok(other));
        for bad in ["ftp://x", "x", "http://a:b@x"] {
            let settings =
                BucketSettings { endpoint: Some(bad.into()), ..BucketSettings::default() };
            assert!(base("s3://assets", &settings, None).is_err(), "{bad}");
        }
    }
}
