//! Reads Capistrano's configuration for what concerns assets, without running any of it.
//!
//! ```text
//! text -> tokens -> statements -> values -> a stage's recipe
//! ```
//!
//! Only a part of Ruby is understood: literals, `fetch`, and the verbs of a `deploy.rb` (`set`,
//! `append`, `server`, `role` and so on). Anything else is skipped and reported with its line. Any
//! text is safe to read: depth, steps and sizes are bounded.

mod convert;
mod expr;
mod find;
mod known_variables;
mod lexer;
mod literals;
mod parser;
mod percent;
mod server;
mod stages;
mod statement;
mod token;

pub use convert::convert;
pub use find::find;

use literals::Value;

/// A file and how messages call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RubyFile {
    /// Its name, as in `config/deploy.rb`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A Capistrano configuration's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// `Capfile`.
    pub capfile: Option<RubyFile>,
    /// `config/deploy.rb`.
    pub deploy: Option<RubyFile>,
    /// `config/deploy/*.rb`, each with its stage.
    pub stages: Vec<(String, RubyFile)>,
    /// The content of `.ruby-version`, for configurations that read it.
    pub ruby_version: Option<String>,
}

impl Files {
    /// Whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.capfile.is_none() && self.deploy.is_none() && self.stages.is_empty()
    }
}

#[cfg(test)]
mod tests;
