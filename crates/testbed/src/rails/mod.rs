//! A Rails application and the server it runs on, laid out as Capistrano does it.
//!
//! The application is one of `tests/apps`, its gems are Debian's and its packages npm's; puma
//! serves it from behind a socket, with rbenv in front of every program of Ruby's.

mod app;
mod http;
mod puma;
mod site;
mod visitor;

pub use app::{App, node_modules};
pub use http::{Answer, get};
pub use puma::Puma;
pub use site::{RUBY, Site};
pub use visitor::{Seen, Visitor};
