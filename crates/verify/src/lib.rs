//! Asks web servers for files as browsers do, and compares what they answer with what was
//! published: status, content, content type and encoding.
//!
//! Every server is asked by itself, also one behind a load balancer: a [`Visit`] connects to an
//! address that is given apart from the [`Site`], whose name the request and TLS use.

mod address;
mod answer;
mod content_type;
mod site;
mod visit;

pub use answer::{Difference, Encoding};
pub use site::{InvalidSite, Site, url_path};
pub use visit::{Published, Unlike, Visit, Visited};
