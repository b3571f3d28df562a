//! What is said of deploys over SFTP, with what keeps an agent from running, if it is not to be so.

use assetsync_ssh::TransportError;

/// What a deploy over SFTP costs, why it is made, and what avoids it.
pub(super) fn notice(no_agent: Option<&TransportError>) -> String {
    let costs = "over SFTP: changed files are sent whole, old files are not deleted, and no history \
                 is kept for status, verify, rollback and prune";
    match no_agent {
        Some(no_agent) => {
            format!(
                "{no_agent}. So this host gets the deploy {costs}; {}",
                no_agent.how_to_avoid_sftp()
            )
        }
        None => format!("This host gets the deploy {costs}"),
    }
}

/// Why there is no history of deploys.
pub(super) fn no_history(no_agent: Option<&TransportError>) -> String {
    let text = "a deploy over SFTP keeps no history, so there is nothing for status, verify, rollback \
                and prune";
    match no_agent {
        Some(no_agent) => format!("{no_agent}; {text}; {}", no_agent.how_to_avoid_sftp()),
        None => format!("ssh.transport is \"sftp\": {text}"),
    }
}

/// What keeps an agent from running, after what that leads to.
pub(super) fn because(no_agent: Option<&TransportError>) -> String {
    no_agent
        .map_or_else(String::new, |reason| format!(": {reason}; {}", reason.how_to_avoid_sftp()))
}
