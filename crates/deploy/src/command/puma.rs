//! Puma, controlled by `pumactl`, as capistrano3-puma 3 to 5 does.

use super::environment::Value;
use super::invocation::Invocation;

/// A running puma and the files by which `pumactl` finds it.
///
/// Its programs must be on the lists of the version manager and of bundler, see [`Pumactl::BINS`]:
/// a list that was replaced without them results in `/usr/bin/env pumactl`, or `bundle exec
/// pumactl` outside of rbenv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pumactl {
    /// The release that is live (`current_path`): where `pumactl` runs.
    pub current_path: String,
    /// The state file (`puma_state`, `SHARED/tmp/pids/puma.state`).
    pub state: String,
    /// The configuration file (`puma_conf`, `SHARED/puma.rb`); capistrano3-puma 1.2 gave none.
    pub config: Option<String>,
    /// `RACK_ENV` (`puma_env`).
    pub rack_env: Option<String>,
    /// The user it runs as (`puma_user`), if not the one who logs in.
    pub user: Option<String>,
}

impl Pumactl {
    /// Programs that capistrano3-puma appends to all lists.
    pub const BINS: [&str; 2] = ["puma", "pumactl"];

    /// Restarts at once: connections wait, none is answered meanwhile.
    pub fn restart(&self) -> Invocation {
        self.control("restart")
    }

    /// Restarts one worker after another, so that puma answers throughout. It needs more than one
    /// worker, and no `preload_app!`.
    pub fn phased_restart(&self) -> Invocation {
        self.control("phased-restart")
    }

    /// Succeeds if puma runs.
    pub fn status(&self) -> Invocation {
        self.control("status")
    }

    fn control(&self, verb: &str) -> Invocation {
        let mut made = Invocation::program("pumactl").arg("-S").path(&self.state);
        if let Some(config) = &self.config {
            made = made.arg("-F").path(config);
        }
        if let Some(rack_env) = &self.rack_env {
            made.with.put("RACK_ENV", Value::Text(rack_env.clone()));
        }
        made.as_user = self.user.clone();
        made.arg(verb).within(&self.current_path)
    }
}
