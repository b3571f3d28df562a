//! The hosts, and what is on each.

use std::path::PathBuf;

use super::build::{DeploymentBuilder, environment};
use super::verification::web;
use super::{Host, Ssh};
use crate::command::{Bundler, Chruby, Manager, Pumactl, Rbenv, Rvm, Systemd};
use crate::config::choice::ManagerName;
use crate::config::problem::{Diagnostic, Problem};
use crate::config::settings::{HostSettings, Values};

/// Those that pick a Ruby, and the group of settings of each.
const MANAGERS: [(ManagerName, &str); 3] =
    [(ManagerName::Rbenv, "rbenv"), (ManagerName::Rvm, "rvm"), (ManagerName::Chruby, "chruby")];

impl DeploymentBuilder<'_> {
    pub(super) fn hosts(&mut self) -> Vec<Host> {
        let hosts: Vec<Option<Host>> =
            self.settings.hosts.iter().map(|host| self.host(host)).collect();
        hosts.into_iter().flatten().collect()
    }

    fn host(&mut self, host: &HostSettings) -> Option<Host> {
        let values = &host.values;
        let manager = self.manager(host);
        let text = |name| values.text(name).map(str::to_owned);
        let Some(deploy_to) = text("deploy_to") else {
            self.no_deploy_to(host);
            return None;
        };
        let current_path = text("current_path")?;
        Some(Host {
            address: host.address.clone(),
            roles: host.roles.iter().map(|role| role.setting_value.plain()).collect(),
            ssh: self.ssh(values),
            deploy_to,
            shared_path: text("shared_path")?,
            environment: environment(values, "environment"),
            manager: manager?,
            bundler: Bundler { map_bins: values.texts("bundler.bins", None) },
            puma: Pumactl {
                current_path: current_path.clone(),
                state: text("puma.state")?,
                config: text("puma.config"),
                rack_env: text("puma.rack_env"),
                user: text("puma.user"),
            },
            systemd: systemd(values),
            web: web(values),
            current_path,
        })
    }

    /// Reported once if no host has it, and for each host without it if some have.
    fn no_deploy_to(&mut self, host: &HostSettings) {
        const EXAMPLE: &str = "deploy_to = \"/var/www/shop\"";
        let is_for_all =
            self.settings.hosts.iter().all(|host| host.values.text("deploy_to").is_none());
        let (scope, span) = match is_for_all {
            true => (String::new(), self.settings.stage.clone().map(|(_, span)| span)),
            false => (format!(" for host {}", host.address), Some(host.span.clone())),
        };
        let problem = Problem::Missing { key: "deploy_to".into(), scope, example: EXAMPLE };
        let diagnostic = Diagnostic { span, ..Diagnostic::nowhere(problem) };
        if !self.problems.contains(&diagnostic) {
            self.problems.push(diagnostic);
        }
    }

    fn ssh(&self, values: &Values) -> Ssh {
        let identities = values.texts("ssh.identities", None);
        Ssh {
            user: values.text("ssh.user").map(str::to_owned),
            // The table of settings bounds it to what a port can be.
            port: values.count("ssh.port", None).and_then(|port| u16::try_from(port).ok()),
            identities: identities.iter().map(|path| self.local_path(path)).collect(),
            config: values.text("ssh.config").map(|path| self.local_path(path)),
            // The table of settings accepts only names that can be read.
            run_as: values.text("ssh.become").and_then(|user| user.parse().ok()),
            rsh: values.text("ssh.rsh").map(str::to_owned),
            transport: values.choice("ssh.transport", None),
        }
    }

    /// A path of this machine.
    pub(super) fn local_path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.settings.home) {
            (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => PathBuf::from(text),
        }
    }

    /// The version manager that is named, or else the one that has settings.
    fn manager(&mut self, host: &HostSettings) -> Option<Manager> {
        let values = &host.values;
        let place_of = |manager: &str| {
            let group = format!("{manager}.");
            let mut own = values.0.iter().filter(|(key, _)| key.setting.name.starts_with(&group));
            own.find_map(|(_, value)| value.origin.span().cloned())
        };
        let set: Vec<(ManagerName, &str)> =
            MANAGERS.into_iter().filter(|(_, group)| place_of(group).is_some()).collect();
        match (values.choice("version_manager", None), set.as_slice()) {
            (Some(named), _) => self.named_manager(named, host),
            (None, []) => Some(Manager::None),
            (None, [(one, _)]) => self.named_manager(*one, host),
            (None, [(_, first), (_, second), ..]) => {
                const HINT: &str = "say which one hosts use, as version_manager = \"rbenv\"";
                let problem = Problem::Conflict {
                    first: (*first).to_owned(),
                    second: (*second).to_owned(),
                    hint: HINT,
                };
                let label = format!("'{first}' is set here");
                let diagnostic =
                    Diagnostic { span: place_of(second), ..Diagnostic::nowhere(problem) };
                let diagnostic = diagnostic.with(place_of(first), label);
                if !self.problems.contains(&diagnostic) {
                    self.problems.push(diagnostic);
                }
                None
            }
        }
    }

    fn named_manager(&mut self, name: ManagerName, host: &HostSettings) -> Option<Manager> {
        let values = &host.values;
        let text = |name| values.text(name).map(str::to_owned);
        Some(match name {
            ManagerName::Rbenv => Manager::Rbenv(Rbenv {
                path: text("rbenv.path")?,
                version: text("rbenv.ruby"),
                prefix: text("rbenv.prefix"),
                map_bins: values.texts("rbenv.map_bins", None),
            }),
            ManagerName::Rvm => Manager::Rvm(Rvm {
                path: text("rvm.path")?,
                version: text("rvm.ruby")?,
                map_bins: values.texts("rvm.map_bins", None),
            }),
            ManagerName::Chruby => Manager::Chruby(Chruby {
                exec: text("chruby.exec")?,
                version: self.chruby_version(host)?,
                map_bins: values.texts("chruby.map_bins", None),
            }),
            ManagerName::None => Manager::None,
        })
    }

    /// chruby can't do without a version.
    fn chruby_version(&mut self, host: &HostSettings) -> Option<String> {
        let version = host.values.text("chruby.ruby").map(str::to_owned);
        if version.is_none() {
            let problem = Problem::Missing {
                key: "chruby.ruby".into(),
                scope: String::new(),
                example: "chruby.ruby = \"ruby-3.3.6\", without which chruby can't run anything",
            };
            let diagnostic = Diagnostic::nowhere(problem);
            if !self.problems.contains(&diagnostic) {
                self.problems.push(diagnostic);
            }
        }
        version
    }
}

fn systemd(values: &Values) -> Systemd {
    let text = |name| values.text(name).unwrap_or_default().to_owned();
    Systemd {
        systemctl: text("systemd.systemctl"),
        unit: text("systemd.unit"),
        scope: values.choice("systemd.scope", None).unwrap_or_default(),
        sets_runtime_dir: values.flag("systemd.runtime_dir"),
    }
}
