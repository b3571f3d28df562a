//! How command lines are composed, for the test that compares them with SSHKit's. Nothing here is
//! promised to anyone else.

pub use crate::command::{
    Bundler, Chruby, CommandMap, Environment, Invocation, Manager, Rbenv, Rvm, Umask, Value, line,
};
