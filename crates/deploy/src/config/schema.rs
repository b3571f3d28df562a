//! The settings there are: their names, what they take, their defaults, and whether hosts may
//! differ in them.
//!
//! Everything that knows settings by name reads this table: the file's reader, the environment,
//! arguments, the suggestions in messages. A setting is added here and where it is used.

mod lookup;
mod table;

pub(crate) use lookup::{Key, Lookup, children, find, names};
pub(crate) use table::SETTINGS;

/// The type of a setting, or of the items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text of one line.
    Text,
    /// A name without spaces that no program takes for an option.
    Word,
    /// A user of a host.
    User,
    /// A line for a shell.
    Command,
    /// The value of an environment variable.
    Variable,
    /// A directory of a host.
    ServerDir,
    /// A file or directory of this machine.
    LocalPath,
    /// A directory of this machine whose contents are pushed.
    SourceDir,
    /// A path below another directory.
    Below,
    /// A URL of HTTP or HTTPS.
    Url,
    /// A whole number from the first to the second.
    Count(u64, u64),
    /// `true` or `false`.
    Flag,
    /// A length of time.
    Age,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A command and where it runs.
    Hook,
}

/// Whether hosts can differ in a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// It is one for all hosts of a stage.
    Stage,
    /// Each host can have its own.
    Host,
}

/// A built-in default, as an argument would give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// There is none.
    None,
    /// A value.
    Value(&'static str),
    /// A list's items.
    Items(&'static [&'static str]),
    /// Text with other settings' names in braces.
    Template(&'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its dotted key; a `*` at its end matches any name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it is a list.
    pub is_list: bool,
    /// Whether hosts can differ in it.
    pub scope: Scope,
    /// Its default.
    pub default: Default,
    /// Whether what the default lists is missed where an assignment drops it.
    pub is_guarded: bool,
}
