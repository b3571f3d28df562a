//! Failures: the last frame of a side that gives up.

use crate::limits;

/// Why a side gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// The other side broke the protocol, or has another version of it.
    Protocol,
    /// Another push to the same destination is running.
    Locked,
    /// The destination, or a component of its path, is not a directory.
    NotADirectory,
    /// The user may not do this at the destination.
    Permission,
    /// The destination's file system is full (or the user's quota is).
    NoSpace,
    /// The destination's file system is read-only.
    ReadOnly,
    /// Something at the destination is an obstruction, such as a directory that is not empty.
    Obstruction,
    /// Timeout: no byte from the other side for too long.
    Timeout,
    /// A basis has changed since the survey.
    Basis,
    /// The destination's file system does not support the request.
    Unsupported,
    /// The destination is a directory in which nothing may be deleted.
    Protected,
    /// Publishing failed, and some paths could not be put back.
    Mixed,
    /// Any other failure of the system.
    Other,
}

const CODES: [(FailureCode, u8); 13] = [
    (FailureCode::Protocol, 1),
    (FailureCode::Locked, 2),
    (FailureCode::NotADirectory, 3),
    (FailureCode::Permission, 4),
    (FailureCode::NoSpace, 5),
    (FailureCode::ReadOnly, 6),
    (FailureCode::Obstruction, 7),
    (FailureCode::Timeout, 8),
    (FailureCode::Basis, 9),
    (FailureCode::Unsupported, 10),
    (FailureCode::Protected, 11),
    (FailureCode::Mixed, 12),
    (FailureCode::Other, 255),
];

/// The last frame of a side that gives up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// Why, for programs.
    pub code: FailureCode,
    /// Why, for people; printable.
    pub text: String,
}

impl Failure {
    /// The payload of a [`FrameKind::Failure`](super::FrameKind) frame; text over the limit is cut.
    pub fn encode(&self) -> Vec<u8> {
        let code = CODES.iter().find(|(code, _)| *code == self.code).map_or(255, |(_, byte)| *byte);
        let mut payload = vec![code];
        payload.extend(self.text.bytes().take(limits::ERROR_BYTES - 1));
        payload
    }

    /// Reads a payload; any bytes are accepted, so that no failure is hidden by a decoding error.
    pub fn decode(payload: &[u8]) -> Failure {
        let (byte, text) = payload.split_first().unwrap_or((&255, b""));
        let code = CODES.iter().find(|(_, known)| known == byte);
        let code = code.map_or(FailureCode::Other, |(code, _)| *code);
        Failure { code, text: crate::text::line(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_round_trip_and_are_printable() {
        let failure = Failure { code: FailureCode::NoSpace, text: "Disk full".into() };
        assert_eq!(Failure::decode(&failure.encode()), failure);
        assert_eq!(Failure::decode(b"\x63\x1b[2J").text, "\\u{1b}[2J");
        assert_eq!(Failure::decode(b"").code, FailureCode::Other);
    }
}
