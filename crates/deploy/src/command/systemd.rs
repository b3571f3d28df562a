//! Services of systemd, as capistrano3-puma 6 and 7 handles puma's.

use super::environment::Value;
use super::invocation::Invocation;
use super::quote;

/// The owner of the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// The unit of the user who logs in (`puma_systemctl_user :user`). It ends at logout unless the
    /// user lingers.
    #[default]
    User,
    /// A unit of the system, handled by sudo.
    System,
}

/// A service unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemd {
    /// The path of `systemctl` (`puma_systemctl_bin`).
    pub systemctl: String,
    /// The unit's name (`puma_service_unit_name`, `APPLICATION_puma_STAGE`).
    pub unit: String,
    /// Whose it is.
    pub scope: Scope,
    /// Whether `XDG_RUNTIME_DIR` is set for a user's unit. capistrano3-puma leaves that to the
    /// login; where PAM is off in sshd, `systemctl --user` fails without it.
    pub sets_runtime_dir: bool,
}

impl Systemd {
    /// `puma_systemctl_bin`, unless set.
    pub const SYSTEMCTL: &str = "/bin/systemctl";

    /// A unit, with the defaults of capistrano3-puma.
    pub fn new(unit: &str, scope: Scope) -> Systemd {
        Systemd {
            systemctl: Systemd::SYSTEMCTL.to_owned(),
            unit: unit.to_owned(),
            scope,
            sets_runtime_dir: false,
        }
    }

    /// Restarts the service.
    pub fn restart(&self) -> Invocation {
        self.control("restart")
    }

    /// Reloads the service: a phased restart of puma. Only a service whose
    /// [`status`](Systemd::status) succeeds can be reloaded; capistrano3-puma restarts others.
    pub fn reload(&self) -> Invocation {
        self.control("reload")
    }

    /// Succeeds if the service is active. It prints nothing, and is never run by sudo.
    pub fn status(&self) -> Invocation {
        let mut words = vec![quote::path(&self.systemctl)];
        if self.scope == Scope::User {
            words.push("--user".to_owned());
        }
        let text = format!("{} status {} > /dev/null", words.join(" "), quote::word(&self.unit));
        if self.is_told_runtime_dir() {
            self.with_runtime_dir(Invocation::script(&text))
        } else {
            Invocation::verbatim(&text)
        }
    }

    /// Lets `user`'s units run without a login (`puma_enable_lingering`).
    pub fn enable_linger(user: &str) -> Invocation {
        Invocation::program("sudo").arg("loginctl").arg("enable-linger").arg(user)
    }

    fn control(&self, verb: &str) -> Invocation {
        match self.scope {
            Scope::System => {
                Invocation::program("sudo").path(&self.systemctl).arg(verb).arg(&self.unit)
            }
            Scope::User => {
                let made = Invocation::program(&self.systemctl).arg("--user").arg(verb);
                self.with_runtime_dir(made.arg(&self.unit))
            }
        }
    }

    fn is_told_runtime_dir(&self) -> bool {
        self.sets_runtime_dir && self.scope == Scope::User
    }

    fn with_runtime_dir(&self, mut made: Invocation) -> Invocation {
        if self.is_told_runtime_dir() {
            made.with.put("XDG_RUNTIME_DIR", Value::UserRuntimeDir);
        }
        made
    }
}
