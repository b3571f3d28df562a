//! Object storage as a destination: the objects below a prefix of an S3 bucket made equal to a
//! directory, all or nothing.
//!
//! ```text
//! scan (assetsync-sync) -> state, or a list -> plan -> stage -> publish -> delete -> state
//! ```
//!
//! The state (`.assetsync/state` below the prefix) says what the last push put there, so that
//! nothing but what changed is asked for or sent. It is written on a condition, which makes it a
//! lock as well: of two pushes, one finds that the other was first. [`BucketPush`] is the way in.
//! `docs/buckets.md` says what is promised, and why it is so.

mod credentials;
mod error;
mod headers;
mod http;
mod memory;
mod objects;
mod plan;
mod push;
mod state;
mod unlike;
mod url;

pub use crate::error::BucketError;
pub use crate::headers::{
    Compression, HeaderRule, HeaderRules, Headers, InvalidHeader, InvalidRule, Placing,
};
pub use crate::http::error::{Refusal, RequestError};
pub use crate::push::{
    Addressing, BucketDiagnosis, BucketPush, BucketSettings, LiveBucket, SettledBucket,
    StagedBucket, SurveyedBucket, VerifiedBucket,
};
pub use crate::unlike::{ObjectDifference, UnlikeObject};
pub use crate::url::{BucketUrl, InvalidUrl};
