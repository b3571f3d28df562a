//! Replies, and the errors that they stand for.

use std::io::{self, ErrorKind};
use std::time::Duration;

use assetsync_core::text;

use super::wire::{Attributes, Fields, kind};
use super::{Result, SftpError, SftpErrorKind};
use crate::error::excerpt;

/// Without a byte for this long, the server counts as lost.
pub(super) const IDLE: Duration = Duration::from_secs(60);
const END_OF_FILE: u32 = 1;

/// A packet's type, and its body after the request id.
pub(super) type Reply = (u8, Vec<u8>);

pub(super) fn is_end_of_file((kind, body): &Reply) -> bool {
    *kind == kind::STATUS && Fields(body).u32() == Some(END_OF_FILE)
}

/// An operation and its path, for errors.
#[derive(Clone, Copy)]
pub(super) struct Op<'a>(pub(super) &'static str, pub(super) &'a [u8]);

impl Op<'_> {
    pub(super) fn error(self, kind: SftpErrorKind, detail: impl Into<String>) -> SftpError {
        SftpError { kind, operation: self.0, path: text::name(self.1), detail: detail.into() }
    }

    pub(super) fn broken(self) -> SftpError {
        self.error(SftpErrorKind::Protocol, "the server broke the protocol")
    }

    pub(super) fn lost(self, error: &io::Error) -> SftpError {
        match error.kind() {
            ErrorKind::TimedOut => {
                let detail = format!("the server sent nothing for {} s", IDLE.as_secs());
                self.error(SftpErrorKind::Lost, detail)
            }
            ErrorKind::Other => self.error(SftpErrorKind::Protocol, error.to_string()),
            _ => self.error(SftpErrorKind::Lost, "the connection was lost"),
        }
    }

    pub(super) fn expect(self, (received, body): Reply, expected: u8) -> Result<Vec<u8>> {
        match received {
            kind if kind == expected => Ok(body),
            kind::STATUS => match self.status((received, body)) {
                Ok(()) => Err(self.broken()),
                Err(error) => Err(error),
            },
            _ => Err(self.broken()),
        }
    }

    pub(super) fn status(self, (kind, body): Reply) -> Result<()> {
        let mut fields = Fields(&body);
        match (kind, fields.u32()) {
            (kind::STATUS, Some(0)) => Ok(()),
            (kind::STATUS, Some(code)) => {
                let said = excerpt(fields.string().unwrap_or_default());
                Err(self.error(SftpErrorKind::of_status(code), said))
            }
            _ => Err(self.broken()),
        }
    }

    pub(super) fn handle(self, reply: Reply) -> Result<Vec<u8>> {
        let body = self.expect(reply, kind::HANDLE)?;
        Fields(&body).string().map(<[u8]>::to_vec).ok_or_else(|| self.broken())
    }

    pub(super) fn attributes(self, reply: Reply) -> Result<Attributes> {
        let body = self.expect(reply, kind::ATTRS)?;
        Fields(&body).attributes().ok_or_else(|| self.broken())
    }

    pub(super) fn name(self, reply: Reply) -> Result<Vec<u8>> {
        let body = self.expect(reply, kind::NAME)?;
        let mut fields = Fields(&body);
        match (fields.u32(), fields.string()) {
            (Some(1..), Some(name)) => Ok(name.to_vec()),
            _ => Err(self.broken()),
        }
    }
}
