//! Reads a Capistrano configuration for what concerns assets.
//!
//! ```text
//! Capistrano itself (variables.rb) -+
//!                                   +-> stages -> assetsync.toml
//! the text, where there is none ----+
//! ```
//!
//! Where Ruby and Capistrano are installed, Capistrano loads the configuration and says what it
//! comes to. Elsewhere the text is read: literals, `fetch`, and the verbs of a `deploy.rb`. What
//! can't be read is noted with its line, and left out: nothing is guessed. Any text is safe to
//! read.

mod answer;
mod convert;
mod find;
mod known_variables;
mod literals;
mod reader;
mod server;
mod skipping;
mod stage;
mod value;

use std::collections::BTreeMap;

pub use answer::{Answer, ask};
pub use convert::convert;
pub use find::find;

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
    /// `config/deploy.rb`, or what the `Capfile` names instead.
    pub deploy: Option<RubyFile>,
    /// `config/deploy/*.rb`, each with its stage.
    pub stages: Vec<(String, RubyFile)>,
    /// The content of `.ruby-version`, for configurations that read it.
    pub ruby_version: Option<String>,
    /// The environment's variables.
    pub environment: BTreeMap<String, String>,
}

impl Files {
    /// Whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.capfile.is_none() && self.deploy.is_none() && self.stages.is_empty()
    }

    /// Whether Capistrano 3 can load them.
    pub fn can_be_loaded(&self) -> bool {
        self.capfile.as_ref().is_some_and(|file| file.text.contains("capistrano/setup"))
    }

    /// Whether they are Capistrano 2's, whose variables and servers mean other things.
    fn are_of_version_2(&self) -> bool {
        let all = [&self.capfile, &self.deploy];
        let mut lines = all.into_iter().flatten().flat_map(|file| file.text.lines()).map(str::trim);
        let says = |words: &[&str], line: &str| words.iter().any(|word| line.starts_with(word));
        const TWO: [&str; 5] = [
            "load 'deploy'",
            "load \"deploy\"",
            "require 'capistrano/ext/multistage'",
            "require \"capistrano/ext/multistage\"",
            "set :repository,",
        ];
        const THREE: [&str; 3] =
            ["require 'capistrano/setup'", "require \"capistrano/setup\"", "set :repo_url,"];
        lines.clone().any(|line| says(&TWO, line)) && !lines.any(|line| says(&THREE, line))
    }
}

#[cfg(test)]
mod tests;
