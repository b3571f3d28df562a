//! How far a destination is, and what pays on the way there.

use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::ResponseTimes;

/// A host that answers to TCP within this is near: on this machine, or in the same building.
const FAST_TCP_RESPONSE: Duration = Duration::from_millis(3);

/// Unless it takes longer to answer to SSH: then the host is behind what answered to TCP. Processes may have to wait for
/// a processor for some of this time.
const FAST_SSH_RESPONSE: Duration = Duration::from_millis(25);

/// How far a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSpeed {
    /// Bytes travel there in less time than it takes to find out which of them need not.
    Fast,
    /// Bytes are what takes time; so it is taken to be wherever nothing is known.
    Slow,
}

impl LinkSpeed {
    /// The ways that pay for files, of those that may be taken: `only` these, if any are given.
    pub fn recipes(self, only: Option<Recipes>) -> Recipes {
        only.unwrap_or(match self {
            LinkSpeed::Fast => Recipes::FAST_LINK,
            LinkSpeed::Slow => Recipes::ALL,
        })
    }
}

/// Whether a host that took so long to answer is near.
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
