//! How command lines are composed, for the test that compares them with SSHKit's, and what reads
//! files of others, for fuzzing. Nothing here is promised to anyone else.

use crate::capistrano::{Files, RubyFile, convert};
pub use crate::command::{
    Bundler, Chruby, CommandMap, Environment, Invocation, Manager, Rbenv, Rvm, Umask, Value, line,
};

/// Reads the history of a host: whether it is one, if perhaps damaged at its end.
pub fn read_history(bytes: &[u8]) -> bool {
    crate::history::decode(bytes).is_ok()
}

/// The `assetsync.toml` that is made of a `config/deploy.rb`.
pub fn convert_capistrano(text: &str) -> String {
    let deploy = RubyFile { name: "config/deploy.rb".into(), text: text.to_owned() };
    let files = Files { deploy: Some(deploy), ..Files::default() };
    convert(&files, None).to_string()
}
