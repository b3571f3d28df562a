//! The scenarios: the pushes in the life of an application, each of which begins where another
//! ended.

use serde::{Deserialize, Serialize};

/// A scenario. The order is that of a round: each finds what the one before left, so that little
/// has to be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// OLD to a directory that does not exist, on a server that never saw assetsync.
    First,
    /// OLD again, untouched.
    Unchanged,
    /// OLD again, every file written anew with the same content.
    Touched,
    /// NEW over OLD.
    Update,
    /// OLD over NEW.
    Rollback,
    /// NEW over OLD, from a machine that never pushed before.
    Fresh,
}

/// One of the two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// The older one.
    Old,
    /// The newer one.
    New,
}

/// The destination before a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing, not even the directory or an agent.
    Nothing,
    /// The very files to be pushed, times and all.
    Same,
    /// A build, pushed with whatever times it had then.
    Pushed(Build),
}

impl Scenario {
    /// All of them, in the order of a round.
    pub const ALL: [Scenario; 6] = [
        Scenario::First,
        Scenario::Unchanged,
        Scenario::Touched,
        Scenario::Update,
        Scenario::Rollback,
        Scenario::Fresh,
    ];

    /// The name in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scenario::First => "first",
            Scenario::Unchanged => "unchanged",
            Scenario::Touched => "touched",
            Scenario::Update => "update",
            Scenario::Rollback => "rollback",
            Scenario::Fresh => "fresh",
        }
    }

    /// The title above a table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Scenario::First => "First push",
            Scenario::Unchanged => "Nothing changed",
            Scenario::Touched => "Only times changed",
            Scenario::Update => "OLD to NEW",
            Scenario::Rollback => "NEW back to OLD",
            Scenario::Fresh => "OLD to NEW, fresh machine",
        }
    }

    /// A short explanation.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Scenario::First => "to an empty destination, installing the agent",
            Scenario::Unchanged => "the same files again",
            Scenario::Touched => "every file written anew, no content changed",
            Scenario::Update => "the next build, every file freshly written",
            Scenario::Rollback => "the build before, freshly written",
            Scenario::Fresh => "from one that never pushed before",
        }
    }

    /// The scenario called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// The destination before it.
    pub(crate) fn before(self) -> Before {
        match self {
            Scenario::First => Before::Nothing,
            Scenario::Unchanged => Before::Same,
            Scenario::Touched | Scenario::Update | Scenario::Fresh => Before::Pushed(Build::Old),
            Scenario::Rollback => Before::Pushed(Build::New),
        }
    }

    /// The build that it pushes.
    pub(crate) fn pushes(self) -> Build {
        match self {
            Scenario::First | Scenario::Unchanged | Scenario::Touched | Scenario::Rollback => {
                Build::Old
            }
            Scenario::Update | Scenario::Fresh => Build::New,
        }
    }

    /// Whether that build was just compiled, so that all its times are new.
    pub(crate) fn recompiled(self) -> bool {
        self != Scenario::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_needs_no_preparation_between_scenarios() {
        for pair in Scenario::ALL.windows(2) {
            let left = pair[0].pushes();
            let fits = match pair[1].before() {
                Before::Nothing => false,
                Before::Same => left == pair[1].pushes(),
                Before::Pushed(build) => build == left,
            };
            assert!(fits, "{pair:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_json() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(json, format!("{:?}", scenario.name()));
        }
        assert_eq!(Scenario::named("sideways"), None);
    }
}
