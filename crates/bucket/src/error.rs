//! Why a push to a bucket failed.

use std::io;
use std::sync::Arc;

use assetsync_core::text;
use assetsync_sync::{PushError, SourceError};

use crate::http::error::{Cause, Refusal, RequestError};
use crate::plan::wanted::InvalidKeys;
use crate::state::codec::StateError;

/// Why a push to a bucket failed. Unless it says otherwise, what visitors get is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The source can't be pushed, or the push is refused, as to any other destination.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Names of the source can't be keys.
    #[error(transparent)]
    Keys(#[from] InvalidKeys),
    /// The settings, the environment or the credentials.
    #[error("{0}")]
    Setup(String),
    /// The state in the bucket can't be read.
    #[error("Can't use the state of earlier pushes in {key}: {error}")]
    State {
        /// The key of the state.
        key: String,
        /// What is wrong with it.
        error: StateError,
    },
    /// Another push holds the bucket.
    #[error(
        "{} is pushing to this bucket; if that push was killed, the bucket is free {seconds} s from \
         now",
        text::line(.who.as_bytes())
    )]
    Busy {
        /// Who.
        who: String,
        /// When it is free, at the latest.
        seconds: u64,
    },
    /// A push from this machine holds the bucket.
    #[error("Another push from this machine to this bucket is under way")]
    BusyHere,
    /// Another push was first.
    #[error("Another push to this bucket was quicker; nothing was published, push again")]
    Overtaken,
    /// Another program changes objects at the same time.
    #[error(
        "{0} is being changed by another program; nothing was published, push again when it has \
         ended"
    )]
    Changed(String),
    /// What is remembered on this machine can't be read or written.
    #[error("Can't use what is remembered of this bucket in {path}: {error}")]
    Memory {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A publishing that failed could not be undone.
    #[error("{error}; and then {} could not be put back as they were: {reason}", .paths.join(", "))]
    NotPutBack {
        /// Why publishing failed.
        error: Box<BucketError>,
        /// Why it could not be undone.
        reason: Box<BucketError>,
        /// What may be new while the rest is old.
        paths: Vec<String>,
    },
    /// Objects that could not be deleted; everything else is done.
    #[error("Everything is published, but {} could not be deleted: {reason}", text::name(.path.as_bytes()))]
    Undeleted {
        /// One of them.
        path: String,
        /// What the server said.
        reason: String,
    },
}

impl BucketError {
    /// What kind of refusal by the server it is, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            BucketError::Request(RequestError {
                cause: Cause::Refused { refusal, .. }, ..
            }) => Some(*refusal),
            BucketError::NotPutBack { error, .. } => error.refusal(),
            _ => None,
        }
    }

    /// Whether the state is damaged, which the next push makes anew.
    pub fn is_damaged_state(&self) -> bool {
        matches!(self, BucketError::State { error: StateError::Damaged, .. })
    }

    /// Whether nothing was tried, because what was asked for can't be done.
    pub fn is_usage(&self) -> bool {
        matches!(self, BucketError::Setup(_) | BucketError::Keys(_))
    }
}

impl From<Arc<SourceError>> for BucketError {
    fn from(error: Arc<SourceError>) -> BucketError {
        BucketError::Push(error.into())
    }
}
