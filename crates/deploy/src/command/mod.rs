//! Composes what is run: shell lines for hosts as Capistrano 3.17 with SSHKit composes them, and
//! argument lists for the local build.
//!
//! ```text
//! cd DIR && umask MASK && ( export A="x" ; sudo -u USER A="x" -- sh -c COMMAND )
//! ```
//!
//! A [`CommandMap`] knows which programs run through a version manager and through bundler; an
//! [`Invocation`] is one command with its surroundings; [`line()`] makes the text that is run,
//! [`display_line`] the [`Shown`] text that may be shown. Nothing here runs anything.
//!
//! Where SSHKit leaves a user's text unquoted, it is quoted here: arguments, and what would be a
//! command substitution or end the quotes in an environment value. For text without such characters
//! the lines are equal, character for character.

mod command_map;
mod compose;
mod environment;
mod invocation;
mod local;
mod manager;
mod parse_line;
mod passenger;
mod puma;
mod quote;
mod secret_names;
mod secrets;
mod systemd;

pub use command_map::CommandMap;
pub use compose::{display_line, line};
pub use environment::{Environment, Value};
pub use invocation::{Invocation, Umask};
pub use local::{LocalManager, LocalTools};
pub use manager::{Bundler, Chruby, Manager, Rbenv, Rvm};
pub use passenger::Passenger;
pub use puma::Pumactl;
pub(crate) use quote::path as quoted_path;
pub(crate) use secret_names::{contains_password, is_secret_name};
pub use secrets::{Secrets, Shown};
pub use systemd::{Scope, Systemd};

/// Why something is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing to run.
    #[error("Command is empty")]
    Empty,
    /// A NUL byte, which no shell line can hold.
    #[error("Command holds a NUL character")]
    Nul,
    /// Not a name of an environment variable: a letter or `_`, then letters, digits and `_`.
    #[error("'{0}' is not the name of an environment variable")]
    VariableName(
        /// The name, up to an `=`, behind which a value may have been meant.
        String,
    ),
    /// Not one to four octal digits.
    #[error("'{0}' is not a umask: it has one to four octal digits, as in 022")]
    Umask(String),
    /// Quotes that are not closed. The text is not repeated: it may hold secrets.
    #[error("A quote in it is not closed")]
    OpenQuotes,
}
