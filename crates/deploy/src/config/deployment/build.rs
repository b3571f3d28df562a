//! Builds a [`Deployment`] from settings, and reports everything that is missing or contradictory
//! at once.

use super::{Build, Deployment, Hooks, OnFailure, Restart, RestartHow, Timeouts};
use crate::command::{Environment, Value as Setting};
use crate::config::choice::Preset;
use crate::config::layer::Item;
use crate::config::origin::{ConfigSpan, Origin};
use crate::config::problem::{Diagnostic, Problem, Problems};
use crate::config::secrets;
use crate::config::settings::{Settings, Values};
use crate::config::value::SettingValue;

impl Settings {
    /// The deployment of the stage.
    pub fn deployment(&self) -> Result<Deployment, Problems> {
        let mut decision = DeploymentBuilder { settings: self, problems: Vec::new() };
        let deployment = decision.deployment();
        let mut problems = decision.problems;
        problems.sort_by_key(|one| one.span.as_ref().map(|span| span.range.start));
        match deployment {
            Some(deployment) if problems.is_empty() => Ok(deployment),
            _ => Err(Problems(problems)),
        }
    }
}

/// A deployment in the making.
pub(super) struct DeploymentBuilder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) problems: Vec<Diagnostic>,
}

impl DeploymentBuilder<'_> {
    pub(super) fn deployment(&mut self) -> Option<Deployment> {
        let Some((stage, span)) = self.settings.stage.clone() else {
            let known = self.settings.stages.clone();
            let problem =
                if known.is_empty() { Problem::NoStages } else { Problem::StageNeeded { known } };
            self.problems.push(Diagnostic::nowhere(problem));
            return None;
        };
        if self.settings.hosts.is_empty() && self.settings.buckets.is_empty() {
            self.problems.push(Diagnostic::at(Problem::NoHosts(stage), span));
            return None;
        }
        let application = self.application();
        let hosts = self.hosts();
        let (assets, hooks, restart) = (self.assets(), self.hooks(), self.restart());
        self.require_url_paths(&hosts, &assets);
        let buckets = self.buckets(&assets);
        let values = &self.settings.values;
        Some(Deployment {
            stage,
            application: application?,
            hosts,
            buckets,
            build: build(values),
            assets,
            hooks,
            restart,
            on_unverified: values.choice("verify.on_failure", None).unwrap_or(OnFailure::Report),
            timeouts: Timeouts {
                connect: values.age("timeouts.connect", None),
                silence: values.age("timeouts.silence", None),
                command: values.age("timeouts.command", None),
                build: values.age("timeouts.build", None),
                verify: values.age("timeouts.verify", None),
            },
            max_parallel: values.count("max_parallel", None).map_or(1, |count| count as usize),
        })
    }

    fn application(&mut self) -> Option<String> {
        let application = self.settings.values.text("application").map(str::to_owned);
        if application.is_none() {
            let example = "application = \"shop\" at the top";
            self.missing("application", String::new(), example, None);
        }
        application
    }

    pub(super) fn missing(
        &mut self,
        key: &str,
        scope: String,
        example: &'static str,
        span: Option<ConfigSpan>,
    ) {
        let problem = Problem::Missing { key: key.to_owned(), scope, example };
        self.problems.push(Diagnostic { span, ..Diagnostic::nowhere(problem) });
    }

    pub(super) fn hooks(&mut self) -> Hooks {
        const NAMES: [&str; 5] = [
            "hooks.before_build",
            "hooks.after_build",
            "hooks.before_publish",
            "hooks.after_publish",
            "hooks.on_failure",
        ];
        let values = &self.settings.values;
        for name in NAMES {
            for item in values.items(name, None) {
                let SettingValue::Hook(hook) = &item.setting_value else { continue };
                for role in &hook.roles {
                    self.require_role(role, name, item);
                }
            }
        }
        let [before_build, after_build, before_publish, after_publish, on_failure] =
            NAMES.map(|name| values.hooks(name));
        Hooks { before_build, after_build, before_publish, after_publish, on_failure }
    }

    fn restart(&mut self) -> Restart {
        const BOTH: &str = "a preset is a command that is known; take one of them out";
        let values = &self.settings.values;
        let phased = values.flag("restart.phased");
        let preset = match values.choice("restart.preset", None) {
            Some(Preset::Pumactl) => RestartHow::Pumactl { phased },
            Some(Preset::Systemd) => RestartHow::Systemd { phased },
            Some(Preset::Passenger) => RestartHow::Passenger,
            Some(Preset::PassengerTouch) => RestartHow::PassengerTouch,
            Some(Preset::None) | None => RestartHow::None,
        };
        let how = match (values.text("restart.command"), preset) {
            (Some(command), RestartHow::None) => RestartHow::Command(command.to_owned()),
            (Some(_), preset) => {
                self.conflict("restart.preset", "restart.command", BOTH);
                preset
            }
            (None, preset) => preset,
        };
        if how != RestartHow::None {
            self.require_roles("restart.roles", None);
        }
        Restart { how, roles: values.texts("restart.roles", None) }
    }

    /// Reports two settings of the stage that exclude each other, the second one first.
    pub(super) fn conflict(&mut self, first: &str, second: &str, hint: &'static str) {
        let span = |name| self.settings.values.get(name, None)?.origin.span().cloned();
        let (first_place, second_place) = (span(first), span(second));
        let (first, second) = (first.to_owned(), second.to_owned());
        let label = format!("'{first}' is set here");
        let problem = Problem::Conflict { first, second, hint };
        let diagnostic = Diagnostic { span: second_place, ..Diagnostic::nowhere(problem) };
        self.problems.push(diagnostic.with(first_place, label));
    }

    /// Every configured role of a list must have a host; of the built-in ones, one must.
    pub(super) fn require_roles(&mut self, name: &str, set: Option<&str>) {
        let items = self.settings.values.items(name, set);
        let (given, built_in): (Vec<&Item>, Vec<&Item>) =
            items.iter().partition(|item| item.origin.span().is_some());
        for item in given {
            self.require_role(&item.setting_value.plain(), name, item);
        }
        if let Some(item) = built_in.first().filter(|_| built_in.len() == items.len()) {
            self.require_role(&item.setting_value.plain(), name, item);
        }
    }

    /// A stage of buckets alone has no roles: what is for hosts has no meaning there.
    pub(super) fn require_role(&mut self, role: &str, key: &str, item: &Item) {
        if self.settings.hosts.is_empty() {
            return;
        }
        let mut known: Vec<String> = Vec::new();
        for host in &self.settings.hosts {
            let roles = host.roles.iter().map(|role| role.setting_value.plain());
            let new: Vec<String> = roles.filter(|role| !known.contains(role)).collect();
            known.extend(new);
        }
        if known.iter().any(|known| known == role) {
            return;
        }
        let Some((stage, stage_place)) = self.settings.stage.clone() else { return };
        let (role, key) = (role.to_owned(), key.to_owned());
        let note = match item.origin {
            Origin::BuiltIn(_) => Some(format!("{key} = [\"{role}\"] is built in")),
            Origin::Given(_) => None,
        };
        let problem = Problem::RoleWithoutHosts { role, key, stage, known };
        let span = item.origin.span().cloned().unwrap_or(stage_place);
        self.problems.push(Diagnostic { note, ..Diagnostic::at(problem, span) });
    }
}

fn build(values: &Values) -> Build {
    Build {
        command: values.text("build.command").map(str::to_owned),
        environment: environment(values, "build.environment"),
        cleanup: values.flag("build.cleanup"),
    }
}

/// The variables of a group. `$NAME` in a value is expanded, as in `/opt/ruby/bin:$PATH`, but never
/// in a secret, which may contain any character.
pub(in crate::config) fn environment(values: &Values, group: &str) -> Environment {
    let mut environment = Environment::new();
    for (name, value) in values.variables(group) {
        let is_secret = secrets::is_secret(&name) || secrets::contains_password(&value);
        let value = if is_secret { Setting::Text(value) } else { Setting::Expanding(value) };
        // The names were checked when they were read, by the same rule.
        let _ = environment.set(&name, value);
    }
    environment
}
