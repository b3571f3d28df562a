//! Passenger, as capistrano-passenger 0.2 restarts it.

use super::invocation::Invocation;

/// An application run by Passenger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passenger {
    /// The release that is live.
    pub current_path: String,
    /// The application's directory (`deploy_to`), by which Passenger knows it.
    pub deploy_to: String,
}

impl Passenger {
    /// Restarts by touching `tmp/restart.txt`, which all versions understand: two commands, one
    /// after the other.
    pub fn touch(&self) -> [Invocation; 2] {
        let tmp = format!("{}/tmp", self.current_path.trim_end_matches('/'));
        [
            Invocation::program("mkdir").arg("-p").path(&tmp),
            Invocation::program("touch").path(&format!("{tmp}/restart.txt")),
        ]
    }

    /// Restarts by `passenger-config`, which exists since Passenger 4.0.33.
    pub fn restart_app(&self) -> Invocation {
        Invocation::program("passenger-config")
            .arg("restart-app")
            .path(&self.deploy_to)
            .arg("--ignore-app-not-running")
    }
}
