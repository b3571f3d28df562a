//! How far a destination is, and what pays on the way there.

use std::time::Duration;

use assetsync_ssh::AnswerTimes;

use crate::recipe::Recipes;

/// A host that answers to TCP within this is near: on this machine, or in the same building.
const NEAR_BY_TCP: Duration = Duration::from_millis(3);

/// Unless it takes longer to answer to SSH: then the host is behind what answered to TCP. Processes may have to wait for
/// a processor for some of this time.
const NEAR_BY_SSH: Duration = Duration::from_millis(25);

/// How far a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// Bytes travel there in less time than it takes to find out which of them need not.
    Near,
    /// Bytes are what takes time; so it is taken to be wherever nothing is known.
    Far,
}

impl Distance {
    /// The ways that pay for files, of those that may be taken: `only` these, if any are given.
    pub fn recipes(self, only: Option<Recipes>) -> Recipes {
        only.unwrap_or(match self {
            Distance::Near => Recipes::NEAR,
            Distance::Far => Recipes::ALL,
        })
    }
}

/// Whether a host that took so long to answer is near.
pub fn is_near(answers: AnswerTimes) -> bool {
    answers.tcp < NEAR_BY_TCP && answers.ssh < NEAR_BY_SSH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_what_answers_at_once_to_both() {
        let of = |tcp, ssh| {
            let [tcp, ssh] = [tcp, ssh].map(Duration::from_millis);
            is_near(AnswerTimes { tcp, ssh })
        };
        assert!(of(0, 0) && of(2, 24));
        assert!(!of(3, 3) && !of(0, 25), "a host behind a forwarded port answers to SSH late");
    }

    #[test]
    fn what_is_said_goes_before_what_pays() {
        assert_eq!(Distance::Near.recipes(Some(Recipes::ALL)), Recipes::ALL);
        assert!(!Distance::Near.recipes(None).patch && Distance::Far.recipes(None).patch);
    }
}
