//! How fast the link to a destination is, and which recipes pay on it.

use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::ResponseTimes;

/// A host that answers to TCP within this time has a fast link: it is this machine, or in the same
/// building.
const FAST_TCP_RESPONSE: Duration = Duration::from_millis(3);

/// A host that takes longer than this to answer to SSH is behind a forwarded port, on another link.
/// Generous, because processes may have to wait for a processor.
const FAST_SSH_RESPONSE: Duration = Duration::from_millis(25);

/// The speed of the link to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSpeed {
    /// Sending bytes takes less time than finding out which need not be sent.
    Fast,
    /// Sending bytes takes most of the time. Assumed if nothing is known.
    Slow,
}

impl LinkSpeed {
    /// The recipes to use: `only` these if given, else those that pay on this link.
    pub fn recipes(self, only: Option<Recipes>) -> Recipes {
        only.unwrap_or(match self {
            LinkSpeed::Fast => Recipes::FAST_LINK,
            LinkSpeed::Slow => Recipes::ALL,
        })
    }
}

/// Whether a host with these response times has a fast link.
pub fn is_fast(answers: ResponseTimes) -> bool {
    answers.tcp < FAST_TCP_RESPONSE && answers.ssh < FAST_SSH_RESPONSE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_fast_if_tcp_and_ssh_both_respond_quickly() {
        let of = |tcp, ssh| {
            let [tcp, ssh] = [tcp, ssh].map(Duration::from_millis);
            is_fast(ResponseTimes { tcp, ssh })
        };
        assert!(of(0, 0) && of(2, 24));
        assert!(!of(3, 3) && !of(0, 25), "a host behind a forwarded port answers to SSH late");
    }

    #[test]
    fn explicit_recipes_override_the_link_speed() {
        assert_eq!(LinkSpeed::Fast.recipes(Some(Recipes::ALL)), Recipes::ALL);
        assert!(!LinkSpeed::Fast.recipes(None).patch && LinkSpeed::Slow.recipes(None).patch);
    }
}
