//! Errors and warnings about a configuration, as values with spans and hints.

use assetsync_core::text;

use super::escape::enumerated;
use super::origin::{ConfigSpan, Location};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is done until it is mended.
    Error,
    /// It works, and may not be what was meant.
    Warning,
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// In words.
    pub what: &'static str,
    /// How it is written.
    pub example: &'static str,
}

/// The problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is no TOML.
    #[error("Not valid TOML: {0}")]
    Syntax(String),
    /// A key is given twice in one table.
    #[error("Key '{}' is given twice", text::name(.0))]
    DuplicateKey(String),
    /// Two stages have one name.
    #[error("Stage '{}' is defined twice", text::name(.0))]
    DuplicateStage(String),
    /// No setting has this name.
    #[error("Unknown key '{}'{table}", text::name(.key))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Its table, as in ` in [assets]`.
        table: String,
        /// The most similar name.
        nearest: Option<String>,
        /// The allowed keys.
        known: Vec<String>,
    },
    /// The value is of another type.
    #[error("'{}' must be {}, not {found}", text::name(.key), .expected.what)]
    WrongType {
        /// The setting.
        key: String,
        /// Its type.
        expected: Expected,
        /// The value found.
        found: &'static str,
    },
    /// The value is empty.
    #[error("'{}' is empty", text::name(.0))]
    Empty(String),
    /// The value can't be used.
    #[error("'{}' {why}", text::name(.key))]
    Refused {
        /// The setting.
        key: String,
        /// Why the value is refused.
        why: String,
        /// The hint.
        hint: &'static str,
    },
    /// The value is none of a few words.
    #[error("'{}' can't be '{}'", text::name(.key), text::name(.found))]
    NotOneOf {
        /// The setting.
        key: String,
        /// The value found.
        found: String,
        /// The words.
        choices: Vec<String>,
    },
    /// A setting of the stage is set for one host.
    #[error("'{0}' can't differ between hosts")]
    NotPerHost(String),
    /// A host has no address.
    #[error("A host of stage '{0}' has no address")]
    NoAddress(String),
    /// A host is there twice.
    #[error("Host {host} is in stage '{stage}' twice")]
    DuplicateHost {
        /// The host.
        host: String,
        /// The stage.
        stage: String,
    },
    /// There is nowhere to deploy to.
    #[error("No stage is defined")]
    NoStages,
    /// No stage was named.
    #[error("A stage must be named")]
    StageNeeded {
        /// The stages that are there.
        known: Vec<String>,
    },
    /// The stage asked for is not there.
    #[error("There is no stage '{}'", text::name(.stage))]
    UnknownStage {
        /// The requested stage.
        stage: String,
        /// The stages that are there.
        known: Vec<String>,
    },
    /// A stage is empty.
    #[error("Stage '{0}' has no hosts")]
    NoHosts(String),
    /// A setting without default is not set.
    #[error("'{key}' is not set{scope}")]
    Missing {
        /// The setting.
        key: String,
        /// For what, as in ` for host web1`.
        scope: String,
        /// A line that sets it.
        example: &'static str,
    },
    /// Something is to happen on hosts of a role that no host has.
    #[error("No host of '{stage}' has the role '{}' of '{key}'", text::name(.role))]
    RoleWithoutHosts {
        /// The role.
        role: String,
        /// The setting that names it.
        key: String,
        /// The stage.
        stage: String,
        /// The roles its hosts have.
        known: Vec<String>,
    },
    /// Settings that exclude each other are both set.
    #[error("Both '{first}' and '{second}' are set")]
    Conflict {
        /// One setting.
        first: String,
        /// The other one.
        second: String,
        /// The hint.
        hint: &'static str,
    },
    /// One directory of the server belongs to two sets of assets, or one set's is inside another's.
    #[error("The sets '{first}' and '{second}' share a destination")]
    SharedDestination {
        /// One set.
        first: String,
        /// The other one.
        second: String,
    },
    /// An argument is no `key=value`.
    #[error("'{}' is not of the form key=value", text::name(.0))]
    NotAssigned(String),
    /// A variable has our prefix and names no setting.
    #[error("{} names no setting", text::name(.name))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// An assignment to a list drops items.
    #[error("Assigning '{key}' drops {}", text::line(enumerated(.dropped)))]
    ListReplaced {
        /// The list.
        key: String,
        /// The dropped items.
        dropped: Vec<String>,
        /// The new items.
        added: Vec<String>,
    },
}

impl Problem {
    /// How bad it is.
    pub(crate) fn severity(&self) -> Severity {
        match self {
            Problem::ListReplaced { .. } | Problem::UnknownVariable { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// A problem, where it is, and what else belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The problem.
    pub(crate) problem: Problem,
    /// Where.
    pub(crate) span: Option<ConfigSpan>,
    /// Related spans with labels.
    pub(crate) related: Vec<(ConfigSpan, String)>,
    /// A note without a span.
    pub(crate) note: Option<String>,
}

impl Diagnostic {
    /// The problem in words, without its place.
    pub fn message(&self) -> String {
        self.problem.to_string()
    }

    /// Where it is.
    pub fn location(&self) -> Option<Location> {
        self.span.as_ref().map(Location::from)
    }

    /// A problem at a span.
    pub(crate) fn at(problem: Problem, span: ConfigSpan) -> Diagnostic {
        Diagnostic { problem, span: Some(span), related: Vec::new(), note: None }
    }

    /// A problem of something that is not there.
    pub(crate) fn nowhere(problem: Problem) -> Diagnostic {
        Diagnostic { problem, span: None, related: Vec::new(), note: None }
    }

    /// Adds a related span.
    pub(crate) fn with(mut self, span: Option<ConfigSpan>, label: impl Into<String>) -> Diagnostic {
        self.related.extend(span.map(|span| (span, label.into())));
        self
    }
}

/// Everything that is wrong, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n\n"))]
pub struct Problems(pub Vec<Diagnostic>);

/// The problem of a value that can't be used.
pub(crate) fn refused(key: &str, why: &str, hint: &'static str) -> Problem {
    Problem::Refused { key: key.to_owned(), why: why.to_owned(), hint }
}
