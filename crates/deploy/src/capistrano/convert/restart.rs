//! How the application restarts: the plugin that the `Capfile` loads.

use super::StageConversion;
use crate::capistrano::stage::CapistranoStage;
use crate::capistrano::value::Value;
use crate::config::template::TemplateLine;

impl StageConversion {
    pub(super) fn restart(&mut self, stage: &CapistranoStage) {
        if stage.has("Capistrano::Puma::Systemd") {
            self.systemd(stage);
            self.phased(stage);
            self.roles(stage, "web");
        } else if stage.has("capistrano/puma") {
            self.pumactl(stage);
            self.phased(stage);
            self.roles(stage, "app");
        } else if stage.has("capistrano/passenger") {
            let touches = stage.get("passenger_restart_with_touch") == Some(Value::Flag(true));
            self.text("restart.preset", if touches { "passenger-touch" } else { "passenger" });
        }
    }

    fn phased(&mut self, stage: &CapistranoStage) {
        if stage.get("puma_phased_restart") == Some(Value::Flag(true)) {
            self.line(TemplateLine { key: "restart.phased".into(), value: "true".into() });
        }
    }

    /// Ours is `app`; the plugin's default changed.
    fn roles(&mut self, stage: &CapistranoStage, default: &str) {
        let roles = stage.texts("puma_role").filter(|roles| !roles.is_empty());
        let roles = roles.unwrap_or_else(|| vec![default.to_owned()]);
        if roles != ["app"] {
            self.list("restart.roles", roles);
        }
    }

    fn systemd(&mut self, stage: &CapistranoStage) {
        self.text("restart.preset", "systemd");
        self.maybe("systemd.unit", stage.text("puma_service_unit_name"));
        let user = stage.text("puma_systemctl_user").or_else(|| stage.text("systemctl_user"));
        if user.as_deref() == Some("system") {
            self.text("systemd.scope", "system");
        }
        let systemctl = stage.text("puma_systemctl_bin").or_else(|| stage.text("systemctl_bin"));
        self.maybe("systemd.systemctl", systemctl);
    }

    fn pumactl(&mut self, stage: &CapistranoStage) {
        self.text("restart.preset", "pumactl");
        let deploy_to = stage.text("deploy_to").unwrap_or_default();
        let shared = format!("{}/shared", deploy_to.trim_end_matches('/'));
        for (key, variable, default) in [
            ("puma.state", "puma_state", format!("{shared}/tmp/pids/puma.state")),
            ("puma.config", "puma_conf", format!("{shared}/puma.rb")),
        ] {
            self.maybe(key, stage.text(variable).filter(|path| *path != default));
        }
        let environment = stage.text("puma_env").or_else(|| stage.text("rails_env"));
        self.text("puma.rack_env", &environment.unwrap_or_else(|| stage.name.clone()));
        self.maybe("puma.user", stage.text("puma_user"));
    }
}
