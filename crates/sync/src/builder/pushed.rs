//! How the push to one destination ended.

use crate::destination::Destination;
use crate::error::PushError;
use crate::push::report::Report;

/// How the push to one destination ended.
#[derive(Debug)]
pub struct Pushed {
    /// The destination.
    pub destination: Destination,
    /// The report, or why the push failed.
    pub result: Result<Report, PushError>,
}
