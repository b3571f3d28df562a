//! What the environment and the shared files say, as the provider's own tools read them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::profile::Profile;
use super::source::{CredentialSource, Credentials, WebIdentity};

/// Where a container's service is.
const CONTAINER: &str = "http://169.254.170.2";

/// Where a virtual machine's metadata are.
const INSTANCE: &str = "http://169.254.169.254";

/// The region where nothing says another one.
const DEFAULT_REGION: &str = "us-east-1";

/// The environment variables of a process.
pub struct Environment<'e>(pub &'e dyn Fn(&str) -> Option<OsString>);

/// What is needed to talk to a service, as far as it was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where credentials come from.
    pub credentials: CredentialSource,
    /// What says so, to be shown.
    pub found_in: String,
    /// The region.
    pub region: String,
    /// The service's URL, if it is not the provider's own.
    pub endpoint: Option<String>,
    /// The file with the certificate authorities to trust.
    pub authorities: Option<PathBuf>,
}

impl Environment<'_> {
    /// The environment of this process.
    pub fn of_process() -> Environment<'static> {
        Environment(&|name| std::env::var_os(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.into_string().ok()?;
        (!value.is_empty()).then_some(value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Reads everything; the given region counts before any other.
    pub fn setup(&self, region: Option<&str>) -> Result<Setup, String> {
        let name = self.text("AWS_PROFILE").or_else(|| self.text("AWS_DEFAULT_PROFILE"));
        let profile = self.profile(name.as_deref())?;
        let of_profile = |setting: &str| profile.get(setting).map(str::to_owned);
        let region = region
            .map(str::to_owned)
            .or_else(|| self.text("AWS_REGION"))
            .or_else(|| self.text("AWS_DEFAULT_REGION"))
            .or_else(|| of_profile("region"))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let service = self
            .text("AWS_ENDPOINT_URL_STS")
            .unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com"));
        let name = name.as_deref().unwrap_or("default");
        let (credentials, found_in) = match self.given(&service) {
            Some(source) => (source.clone(), of_environment(&source)),
            None => match profile.source(name, &service)? {
                Some(source) => (source, of_profile_named(name)),
                None => {
                    let source = self.of_machine()?;
                    let found_in = of_environment(&source);
                    (source, found_in)
                }
            },
        };
        let endpoint = self
            .text("AWS_ENDPOINT_URL_S3")
            .or_else(|| self.text("AWS_ENDPOINT_URL"))
            .or_else(|| of_profile("endpoint_url"));
        let authorities = self
            .path("AWS_CA_BUNDLE")
            .or_else(|| of_profile("ca_bundle").map(PathBuf::from))
            .or_else(|| self.path("SSL_CERT_FILE"));
        Ok(Setup { credentials, found_in, region, endpoint, authorities })
    }

    /// The profile, which must be there if it was named.
    fn profile(&self, name: Option<&str>) -> Result<Profile, String> {
        let home = self.path("HOME").unwrap_or_default().join(".aws");
        let file = |variable: &str, usual: &str| {
            let path = self.path(variable).unwrap_or_else(|| home.join(usual));
            read(&path)
        };
        let config = file("AWS_CONFIG_FILE", "config")?;
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
        let found = Profile::read(name.unwrap_or("default"), &config, &credentials);
        match (found, name) {
            (Some(profile), _) => Ok(profile),
            (None, None) => Ok(Profile::default()),
            (None, Some(name)) => Err(format!(
                "AWS_PROFILE is {}, and there is no such profile in ~/.aws/config or \
                 ~/.aws/credentials",
                assetsync_core::text::name(name.as_bytes())
            )),
        }
    }

    /// Credentials that environment variables have, or lead to.
    fn given(&self, service: &str) -> Option<CredentialSource> {
        let key = self.text("AWS_ACCESS_KEY_ID");
        if let Some((key, secret)) = key.zip(self.text("AWS_SECRET_ACCESS_KEY")) {
            let token = self.text("AWS_SESSION_TOKEN");
            let given = Credentials { key, secret, token, expires: None };
            return Some(CredentialSource::Given(given));
        }
        let role = self.text("AWS_ROLE_ARN")?;
        Some(CredentialSource::WebIdentity(WebIdentity {
            role,
            session: self.text("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "assetsync".to_owned()),
            token_file: self.path("AWS_WEB_IDENTITY_TOKEN_FILE")?,
            service: service.to_owned(),
        }))
    }

    /// Credentials that the container or the virtual machine has.
    fn of_machine(&self) -> Result<CredentialSource, String> {
        let relative = self.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let relative = relative.map(|path| format!("{CONTAINER}{path}"));
        if let Some(url) = relative.or_else(|| self.text("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
            let authorization = match self.path("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                Some(file) => Some(read(&file)?.trim().to_owned()),
                None => self.text("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            };
            return Ok(CredentialSource::Container { url, authorization });
        }
        if self.text("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text == "true") {
            return Err(NONE.to_owned());
        }
        let url = self.text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let url = url.unwrap_or_else(|| INSTANCE.to_owned());
        Ok(CredentialSource::Instance { url: url.trim_end_matches('/').to_owned() })
    }
}

fn of_environment(source: &CredentialSource) -> String {
    let text = match source {
        CredentialSource::Given(_) => "AWS_ACCESS_KEY_ID in the environment",
        CredentialSource::WebIdentity(_) => "the web identity of AWS_ROLE_ARN",
        CredentialSource::Container { .. } => "the service of this container",
        CredentialSource::Instance { .. } => "the metadata of this virtual machine",
    };
    text.to_owned()
}

fn of_profile_named(name: &str) -> String {
    let name = assetsync_core::text::name(name.as_bytes());
    format!("profile {name} of ~/.aws/credentials and ~/.aws/config")
}

/// What is said where no credentials are found.
pub const NONE: &str = "no credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
    AWS_PROFILE for a profile of ~/.aws/credentials";

/// A file's text; empty if there is none.
fn read(path: &Path) -> Result<String, String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read
            .map_err(|error| format!("can't read {}: {error}", assetsync_core::text::path(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(variables: &[(&str, &str)]) -> Result<Setup, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(found.1))
        };
        Environment(&find).setup(None)
    }

    #[test]
    fn variables_come_before_files_and_those_before_the_machine() {
        let home = std::env::temp_dir().join("assetsync-no-such-home");
        let home = home.to_str().unwrap();
        let keys = [("HOME", home), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let found = setup(&[&keys[..], &[("AWS_REGION", "eu-west-1")]].concat()).unwrap();
        assert!(matches!(found.credentials, CredentialSource::Given(_)));
        assert_eq!(found.found_in, "AWS_ACCESS_KEY_ID in the environment");
        assert_eq!((found.region.as_str(), found.endpoint), ("eu-west-1", None));
        let role = [
            ("HOME", home),
            ("AWS_ROLE_ARN", "r"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ];
        let found = setup(&role).unwrap();
        assert!(matches!(found.credentials, CredentialSource::WebIdentity(_)));
        assert_eq!(found.endpoint.as_deref(), Some("http://127.0.0.1:1"));
        let container = [("HOME", home), ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")];
        let found = setup(&container).unwrap().credentials;
        assert!(
            matches!(found, CredentialSource::Container { url, .. } if url.ends_with("2/v2/x"))
        );
        let instance = setup(&[("HOME", home)]).unwrap().credentials;
        assert_eq!(instance, CredentialSource::Instance { url: INSTANCE.to_owned() });
        let disabled = [("HOME", home), ("AWS_EC2_METADATA_DISABLED", "true")];
        assert_eq!(setup(&disabled).unwrap_err(), NONE);
        assert!(
            setup(&[("HOME", home), ("AWS_PROFILE", "x")]).unwrap_err().contains("AWS_PROFILE")
        );
    }
}
