//! Every value that counts, and where it came from; secrets stay hidden.

use std::fmt;

use super::choice::{ManagerName, Preset};
use super::deployment::environment;
use super::escape::key_part;
use super::file::FileBucket;
use super::layer::Item;
use super::origin::{Location, Origin};
use super::schema::{Key, Kind};
use super::secrets::{REDACTION, contains_password, is_secret};
use super::settings::{HostSettings, Settings, Value};
use super::value::{Hook, SettingValue};
use crate::command::Secrets;

/// A setting as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedSetting {
    /// Its key in dotted TOML, as in `assets.retention.keep`; of a host,
    /// `hosts."web1.example.com".ssh.port`.
    pub key: String,
    /// Whether it is a list.
    pub is_list: bool,
    /// The value, or the list's items, each with its own origin.
    pub parts: Vec<ExplainedItem>,
    /// Where it was assigned or changed last.
    pub origin: Location,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedItem {
    /// The value; none if it must not be shown.
    pub setting_value: Option<SettingValue>,
    /// Where it came from.
    pub origin: Location,
}

impl Settings {
    /// Every setting with a value: those of the stage, then each host's address, roles and
    /// differences, then those of each bucket. Defaults of programs that are not used are left out.
    pub fn explain(&self) -> Vec<ExplainedSetting> {
        let secrets = &self.secrets();
        let used = self.values.0.iter().filter(|(key, _)| !self.is_idle(key));
        let common = used.map(|(key, value)| explained(key.to_string(), key, value, secrets));
        let hosts = self.hosts.iter().flat_map(|host| self.explain_host(host, secrets));
        let buckets = self.buckets.iter().flat_map(|bucket| explain_bucket(bucket, secrets));
        common.chain(hosts).chain(buckets).collect()
    }

    /// The secrets of commands: values of variables on this machine and on any host.
    fn secrets(&self) -> Secrets {
        let all = self.hosts.iter().map(|host| &host.values).chain([&self.values]);
        let both = |values| ["environment", "build.environment"].map(|of| environment(values, of));
        let environments = all.flat_map(both).map(|variables| Secrets::of_environment(&variables));
        environments.fold(Secrets::default(), |all, some| all.union(&some))
    }

    /// Whether a setting belongs to a program that is neither named nor configured.
    fn is_idle(&self, key: &Key) -> bool {
        let group = key.setting.name.split('.').next().unwrap_or_default();
        let manager = || self.values.choice::<ManagerName>("version_manager", None);
        let preset = || self.values.choice::<Preset>("restart.preset", None);
        let is_named = match group {
            "rbenv" => manager() == Some(ManagerName::Rbenv),
            "rvm" => manager() == Some(ManagerName::Rvm),
            "chruby" => manager() == Some(ManagerName::Chruby),
            "puma" => preset() == Some(Preset::Pumactl),
            "systemd" => preset() == Some(Preset::Systemd),
            _ => return false,
        };
        let all = self.hosts.iter().map(|host| &host.values).chain([&self.values]);
        let mut of_group = all
            .flat_map(|values| &values.0)
            .filter(|(key, _)| key.setting.name.split('.').next() == Some(group));
        !is_named && !of_group.any(|(_, value)| value.origin.span().is_some())
    }

    fn explain_host(&self, host: &HostSettings, secrets: &Secrets) -> Vec<ExplainedSetting> {
        let name = format!("hosts.{}", key_part(&self.label(host)));
        let origin = Origin::Given(host.span.clone());
        let address = SettingValue::Text(host.address.clone());
        let address = Item { setting_value: address, origin: origin.clone() };
        let mut all = vec![ExplainedSetting {
            key: format!("{name}.address"),
            is_list: false,
            parts: vec![part(&address, false, secrets)],
            origin: (&origin).into(),
        }];
        all.extend(host.roles.first().map(|first| ExplainedSetting {
            key: format!("{name}.roles"),
            is_list: true,
            parts: host.roles.iter().map(|role| part(role, false, secrets)).collect(),
            origin: (&first.origin).into(),
        }));
        let own = host.values.0.iter().filter(|pair| !self.values.0.contains(pair));
        all.extend(own.map(|(key, value)| explained(format!("{name}.{key}"), key, value, secrets)));
        all
    }

    /// The host's address, with its port if the stage has another host there.
    fn label(&self, host: &HostSettings) -> String {
        let others = self.hosts.iter().filter(|other| other.address == host.address).count();
        match host.values.count("ssh.port", None) {
            Some(port) if others > 1 => format!("{}:{port}", host.address),
            _ => host.address.clone(),
        }
    }
}

/// The settings of a bucket, by its URL.
fn explain_bucket(bucket: &FileBucket, secrets: &Secrets) -> Vec<ExplainedSetting> {
    let name = format!("buckets.{}", key_part(&bucket.text("url").unwrap_or_default()));
    let texts = bucket.texts.iter().map(|(key, item)| ExplainedSetting {
        key: format!("{name}.{key}"),
        is_list: false,
        parts: vec![part(item, false, secrets)],
        origin: (&item.origin).into(),
    });
    let headers = bucket.headers.first().map(|first| ExplainedSetting {
        key: format!("{name}.headers"),
        is_list: true,
        parts: bucket.headers.iter().map(|rule| part(rule, false, secrets)).collect(),
        origin: (&first.origin).into(),
    });
    texts.chain(headers).collect()
}

/// In TOML; what must not be shown is `"(hidden)"`.
impl fmt::Display for ExplainedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(ExplainedItem::to_string).collect();
        if self.is_list {
            write!(f, "[{}]", parts.join(", "))
        } else {
            f.write_str(&parts.concat())
        }
    }
}

/// In TOML; what must not be shown is `"(hidden)"`.
impl fmt::Display for ExplainedItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.setting_value {
            Some(value) => f.write_str(&value.to_toml()),
            None => write!(f, "\"{REDACTION}\""),
        }
    }
}

fn explained(name: String, key: &Key, value: &Value, secrets: &Secrets) -> ExplainedSetting {
    let variable = name.rsplit('.').next().unwrap_or_default();
    let is_hidden = key.setting.kind == Kind::Variable && is_secret(variable);
    ExplainedSetting {
        key: name,
        is_list: key.setting.is_list,
        parts: value.items.iter().map(|item| part(item, is_hidden, secrets)).collect(),
        origin: (&value.origin).into(),
    }
}

fn part(item: &Item, is_hidden: bool, secrets: &Secrets) -> ExplainedItem {
    let is_hidden = is_hidden || contains_password(&item.setting_value.plain());
    let setting_value = (!is_hidden).then(|| match item.setting_value.clone() {
        SettingValue::Hook(hook) => {
            SettingValue::Hook(Hook { run: without(secrets, &hook.run), ..hook })
        }
        SettingValue::Text(text) => SettingValue::Text(without(secrets, &text)),
        other => other,
    });
    ExplainedItem { setting_value, origin: (&item.origin).into() }
}

/// A text without the secrets of variables and its own.
fn without(secrets: &Secrets, text: &str) -> String {
    secrets.clone().and_of_text(text).redact(text).to_string()
}
