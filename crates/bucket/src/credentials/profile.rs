//! The shared files `~/.aws/config` and `~/.aws/credentials`; pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::source::{CredentialSource, Credentials, WebIdentity};

/// The settings of one profile.
#[derive(Default, PartialEq, Eq)]
pub struct Profile(BTreeMap<String, String>);

/// Settings that say where credentials are, in ways that other programs know.
const OF_OTHERS: [&str; 4] =
    ["credential_process", "sso_session", "sso_start_url", "source_profile"];

impl Profile {
    /// The profile `name`, if the files have it; `credentials` wins.
    pub fn read(name: &str, config: &str, credentials: &str) -> Option<Profile> {
        let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let config = settings(config, &section).or_else(|| settings(config, name));
        let credentials = settings(credentials, name);
        if config.is_none() && credentials.is_none() {
            return None;
        }
        let mut both = config.unwrap_or_default();
        both.extend(credentials.unwrap_or_default());
        Some(Profile(both))
    }

    /// A setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where the profile's credentials come from; `None` if it says nothing of them.
    pub fn source(&self, name: &str, service: &str) -> Result<Option<CredentialSource>, String> {
        let text = |setting| self.get(setting).map(str::to_owned);
        if let Some((key, secret)) = text("aws_access_key_id").zip(text("aws_secret_access_key")) {
            let token = text("aws_session_token");
            let given = Credentials { key, secret, token, expires: None };
            return Ok(Some(CredentialSource::Given(given)));
        }
        if let Some((role, file)) = text("role_arn").zip(text("web_identity_token_file")) {
            return Ok(Some(CredentialSource::WebIdentity(WebIdentity {
                role,
                session: text("role_session_name").unwrap_or_else(|| "assetsync".to_owned()),
                token_file: PathBuf::from(file),
                service: service.to_owned(),
            })));
        }
        match OF_OTHERS.into_iter().find(|setting| self.get(setting).is_some()) {
            Some(setting) => Err(format!(
                "profile {} has its credentials by {setting}, which only the provider's own tools \
                 know; give them by: eval \"$(aws configure export-credentials --format env)\"",
                assetsync_core::text::name(name.as_bytes())
            )),
            None => Ok(None),
        }
    }
}

/// The settings of a section of an INI file.
fn settings(text: &str, section: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_inside = name.split_whitespace().eq(section.split_whitespace());
            if is_inside {
                found.get_or_insert_default();
            }
            continue;
        }
        // What is indented belongs to a nested setting.
        let is_nested = line.starts_with([' ', '\t']);
        if let Some((name, value)) = trimmed.split_once('=').filter(|_| is_inside && !is_nested) {
            let settings = found.get_or_insert_default();
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
[default]
region = eu-west-1
s3 =
    addressing_style = path
[profile  ci]
region=eu-central-1
aws_access_key_id = old
role_arn = arn:aws:iam::1:role/x
web_identity_token_file = /token
[profile sso]
sso_session = work
";

    const CREDENTIALS: &str = "
# a comment
[ci]
aws_access_key_id = AKID
aws_secret_access_key = a=b/c
";

    #[test]
    fn profiles_of_both_files() {
        let read = |name| Profile::read(name, CONFIG, CREDENTIALS);
        let default = read("default").unwrap();
        assert_eq!(
            (default.get("region"), default.get("addressing_style")),
            (Some("eu-west-1"), None)
        );
        assert_eq!(default.source("default", ""), Ok(None));
        let given =
            Credentials { key: "AKID".into(), secret: "a=b/c".into(), token: None, expires: None };
        let ci = read("ci").unwrap();
        assert_eq!(ci.source("ci", ""), Ok(Some(CredentialSource::Given(given))));
        let role = Profile::read("ci", CONFIG, "").unwrap().source("ci", "sts").unwrap().unwrap();
        assert!(matches!(role, CredentialSource::WebIdentity(web) if web.role.ends_with("role/x")));
        assert!(read("sso").unwrap().source("sso", "").unwrap_err().contains("sso_session"));
        assert!(read("none").is_none());
    }
}
