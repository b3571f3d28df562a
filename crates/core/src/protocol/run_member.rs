//! One run may push to one directory by way of several hosts; these tell.

use std::fmt;

use super::codec::{DecodeError, Fields, put_number};
use crate::limits;

/// The push to one of the destinations of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMember {
    /// Random, and the same for all pushes of the run.
    pub run: [u8; 12],
    /// Tells them apart.
    pub number: u32,
}

impl RunMember {
    /// As bytes.
    pub fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..12].copy_from_slice(&self.run);
        bytes[12..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// From bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> RunMember {
        let [run @ .., a, b, c, d] = bytes;
        RunMember { run, number: u32::from_be_bytes([a, b, c, d]) }
    }

    /// From hexadecimal digits, as they are displayed.
    pub fn parse(digits: &[u8]) -> Option<RunMember> {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 32)?;
        let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let number = digits.bytes().all(is_lower_hex).then(|| u128::from_str_radix(digits, 16));
        Some(RunMember::from_bytes(number?.ok()?.to_be_bytes()))
    }
}

impl fmt::Display for RunMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether the agent of a [`RunMember`] got the lock of the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockReport {
    /// Another push of the same run has it, so both destinations are one directory. The agent ends.
    HeldBy {
        /// Its number.
        member: u32,
    },
    /// It has it.
    Own {
        /// The destination, among all directories of the host's kernel.
        directory: [u8; 16],
        /// The directory itself is locked by another process: by another push of the same run, if
        /// that reported an equal `directory`. Then both are one, under two paths.
        is_busy: bool,
        /// The push of the same run that had the lock before.
        before: Option<u32>,
    },
}

const HELD_BY: u8 = 0;
const OWN: u8 = 1;
const BUSY: u8 = 2;
const BEFORE: u8 = 4;

/// Appends a report.
pub fn put_lock_report(out: &mut Vec<u8>, report: &LockReport) {
    match report {
        LockReport::HeldBy { member } => {
            out.push(HELD_BY);
            put_number(out, u64::from(*member));
        }
        LockReport::Own { directory, is_busy, before } => {
            let busy = if *is_busy { BUSY } else { 0 };
            out.push(OWN | busy | if before.is_some() { BEFORE } else { 0 });
            out.extend_from_slice(directory);
            before.iter().for_each(|member| put_number(out, u64::from(*member)));
        }
    }
}

/// Reads a report.
pub fn decode_lock_report(fields: &mut Fields<'_>) -> Result<LockReport, DecodeError> {
    let flags = fields.byte()?;
    let member = |fields: &mut Fields<'_>| {
        fields.bounded("member of a run", limits::RUN_MEMBERS).map(|number| number as u32)
    };
    match flags {
        HELD_BY => Ok(LockReport::HeldBy { member: member(fields)? }),
        _ if flags & OWN != 0 && flags <= OWN | BUSY | BEFORE => Ok(LockReport::Own {
            directory: fields.array()?,
            is_busy: flags & BUSY != 0,
            before: (flags & BEFORE != 0).then(|| member(fields)).transpose()?,
        }),
        _ => Err(DecodeError::Unknown { what: "lock report", value: u64::from(flags) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_they_are_displayed() {
        let member = RunMember { run: *b"0123456789ab", number: 0x0102_0304 };
        assert_eq!(RunMember::from_bytes(member.bytes()), member);
        assert_eq!(RunMember::parse(member.to_string().as_bytes()), Some(member));
        for other in
            ["", "01", "0123456789ABCDEF0123456789abcdef", "+123456789abcdef0123456789abcdef"]
        {
            assert_eq!(RunMember::parse(other.as_bytes()), None, "{other}");
        }
    }
}
