//! Settings with a choice of words, and the value of each word.

use super::deployment::{OnFailure, Publish, Transport};
use crate::command::Scope;

/// The value of a word.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// The words.
    const WORDS: &'static [&'static str];

    /// The value of `word`.
    fn of(word: &str) -> Option<Self>;
}

/// Words and values, once for both directions: a value without a word, or a word without a value,
/// does not compile.
macro_rules! choice {
    ($kind:ident { $($word:literal => $value:ident),+ $(,)? }) => {
        impl Choice for $kind {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn of(word: &str) -> Option<$kind> {
                match word {
                    $($word => Some($kind::$value),)+
                    _ => None,
                }
            }
        }
    };
}

/// The version manager on hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManagerName {
    None,
    Rbenv,
    Rvm,
    Chruby,
}

/// Retention of files that are no longer built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteMode {
    Retain,
    Mirror,
}

/// A restart that is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    None,
    Pumactl,
    Systemd,
    Passenger,
    PassengerTouch,
}

choice!(ManagerName { "none" => None, "rbenv" => Rbenv, "rvm" => Rvm, "chruby" => Chruby });
choice!(DeleteMode { "retain" => Retain, "mirror" => Mirror });
choice!(Preset {
    "none" => None,
    "pumactl" => Pumactl,
    "systemd" => Systemd,
    "passenger" => Passenger,
    "passenger-touch" => PassengerTouch,
});
choice!(Transport { "ssh2" => Ssh2, "openssh" => Openssh, "sftp" => Sftp });
choice!(Publish { "files" => Files, "directory" => Directory });
choice!(OnFailure { "report" => Report, "rollback" => RollBack });
choice!(Scope { "user" => User, "system" => System });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{Kind, SETTINGS};

    fn check<T: Choice>() {
        let values: Vec<T> = T::WORDS.iter().filter_map(|word| T::of(word)).collect();
        assert_eq!(values.len(), T::WORDS.len(), "{:?}", T::WORDS);
        assert!(values.iter().all(|one| values.iter().filter(|other| *other == one).count() == 1));
        assert!(T::of("").is_none() && T::of("None").is_none());
        let is_taken = |kind| matches!(kind, Kind::Choice(words) if words == T::WORDS);
        assert!(SETTINGS.iter().any(|setting| is_taken(setting.kind)), "{:?}", T::WORDS);
    }

    #[test]
    fn every_word_of_a_setting_stands_for_a_value_of_its_own() {
        check::<ManagerName>();
        check::<DeleteMode>();
        check::<Preset>();
        check::<Transport>();
        check::<Publish>();
        check::<OnFailure>();
        check::<Scope>();
    }
}
