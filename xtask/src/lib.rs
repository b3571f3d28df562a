//! Tasks of this repository, which write parts of its documentation from measurements.
//!
//! [`story`] measures the problem that this project solves, for the README: compiling on a small
//! server, rsync, and assetsync. [`benchmarks`] races against rsync, for `docs/benchmarks.md` and
//! its chart; [`random_benchmarks`] with packages that nothing was tuned to; [`buckets`] against
//! programs for buckets. [`recording`] is the terminal in the README. Corpora are fetched by
//! `scripts/fetch-corpora`, a shell script because all it does is to call npm, pip and tar.

pub mod benchmarks;
pub mod buckets;
mod error;
pub mod random_benchmarks;
pub mod recording;
mod repository;
mod section;
pub mod story;

pub use error::{Error, Result};
