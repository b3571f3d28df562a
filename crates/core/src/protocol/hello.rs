//! *Hello*: the first line of the sender.
//!
//! It is text, so it can be sent before it is known whether the agent is installed: a shell that
//! does not find the agent can read the line and ignore it.

use super::codec::{DecodeError, Fields, put_bytes, put_number};
use super::run_member::RunMember;
use crate::limits;
use crate::state::{HistoryId, StateId};

/// The first line: what the sender wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The destination's path as the user gave it; relative ones start at the home directory.
    pub destination: Vec<u8>,
    /// A dry run: create and change nothing.
    pub dry_run: bool,
    /// Hash every file, even if the index has it.
    pub checksum: bool,
    /// Each side gives up after this many milliseconds without a byte.
    pub timeout_ms: u32,
    /// The state that the sender has cached; if the agent's index has the same, it sends only
    /// differences.
    pub cached: Option<StateId>,
    /// Publish the whole directory at once, not file by file.
    pub whole_directory: bool,
    /// Files may be deleted: refuse protected destinations at once.
    pub deletes: bool,
    /// Permission bits of the destination, if it has to be made: those of the source.
    pub root_mode: u32,
    /// Set if the push is part of a deploy.
    pub deploy: Option<Deploy>,
    /// Set if the run pushes to other destinations, too: the agent then reports the
    /// [lock](super::LockReport) first.
    pub member: Option<RunMember>,
}

/// A deploy: the agent also reports the history and the retained contents, and waits for another
/// request after publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deploy {
    /// The history that the sender has cached.
    pub history: Option<HistoryId>,
}

/// Why a first line is not a *Hello*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Not a *Hello* line of any version.
    #[error("First line is not assetsync's")]
    NotHello,
    /// Another version of the protocol.
    #[error("Sender has protocol version {theirs}, this agent has {}", limits::PROTOCOL_VERSION)]
    Version {
        /// The sender's version.
        theirs: u64,
    },
    /// The line's fields are wrong.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

const WORD: &[u8] = b"assetsync ";
const DRY_RUN: u64 = 1;
const CHECKSUM: u64 = 2;
const REMEMBERED: u64 = 4;
const DEPLOY: u64 = 8;
const HISTORY: u64 = 16;
const WHOLE_DIRECTORY: u64 = 32;
const DELETES: u64 = 64;
const MEMBER: u64 = 128;
const FLAGS: u64 = 255;

impl Hello {
    /// The line, with its newline.
    pub fn line(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_bytes(&mut body, &self.destination);
        put_number(&mut body, self.flags());
        put_number(&mut body, u64::from(self.timeout_ms));
        put_number(&mut body, u64::from(self.root_mode));
        body.extend(self.cached.iter().flat_map(|state| state.0));
        let history = self.deploy.and_then(|deploy| deploy.history);
        body.extend(history.iter().flat_map(|history| history.0));
        body.extend(self.member.iter().flat_map(|member| member.bytes()));
        let digits = body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("assetsync {} {digits}\n", limits::PROTOCOL_VERSION).into_bytes()
    }

    fn flags(&self) -> u64 {
        let flags = [
            (DRY_RUN, self.dry_run),
            (CHECKSUM, self.checksum),
            (REMEMBERED, self.cached.is_some()),
            (DEPLOY, self.deploy.is_some()),
            (HISTORY, self.deploy.is_some_and(|deploy| deploy.history.is_some())),
            (WHOLE_DIRECTORY, self.whole_directory),
            (DELETES, self.deletes),
            (MEMBER, self.member.is_some()),
        ];
        flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).sum()
    }

    /// Reads the line, with or without its newline.
    pub fn parse(line: &[u8]) -> Result<Hello, HelloError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let rest = line.strip_prefix(WORD).ok_or(HelloError::NotHello)?;
        let rest = std::str::from_utf8(rest).map_err(|_| HelloError::NotHello)?;
        let (version, digits) = rest.split_once(' ').ok_or(HelloError::NotHello)?;
        let theirs = version.parse().map_err(|_| HelloError::NotHello)?;
        if theirs != u64::from(limits::PROTOCOL_VERSION) {
            return Err(HelloError::Version { theirs });
        }
        let body = from_hex(digits).ok_or(HelloError::NotHello)?;
        Ok(Hello::decode(&mut Fields(&body))?)
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Hello, DecodeError> {
        let destination = fields.bytes("destination length", limits::PATH_BYTES)?.to_vec();
        let flags = fields.bounded("hello flags", FLAGS)?;
        let history_alone = flags & (DEPLOY | HISTORY) == HISTORY;
        if history_alone || destination.contains(&0) {
            return Err(DecodeError::Unknown { what: "hello flags", value: flags });
        }
        let timeout_ms = fields.bounded("timeout", u64::from(u32::MAX))? as u32;
        let root_mode = fields.bounded("mode", 0o7777)? as u32;
        let cached = match flags & REMEMBERED {
            0 => None,
            _ => Some(StateId(fields.array()?)),
        };
        let history = match flags & HISTORY {
            0 => None,
            _ => Some(HistoryId(fields.array()?)),
        };
        let member = match flags & MEMBER {
            0 => None,
            _ => Some(RunMember::from_bytes(fields.array()?)),
        };
        fields.end()?;
        let deploy = (flags & DEPLOY != 0).then_some(Deploy { history });
        let (dry_run, checksum) = (flags & DRY_RUN != 0, flags & CHECKSUM != 0);
        let whole_directory = flags & WHOLE_DIRECTORY != 0;
        Ok(Hello {
            destination,
            dry_run,
            checksum,
            timeout_ms,
            cached,
            whole_directory,
            deletes: flags & DELETES != 0,
            root_mode,
            deploy,
            member,
        })
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_survives() {
        let destination = b"/srv/a\nb \xff".to_vec();
        let cached = Some(StateId([0x80; 16]));
        let history = Some(HistoryId([0x81; 16]));
        for deploy in [None, Some(Deploy::default()), Some(Deploy { history })] {
            let destination = destination.clone();
            let (dry_run, checksum, timeout_ms) = (true, false, 60_000);
            let hello = Hello {
                destination,
                dry_run,
                checksum,
                timeout_ms,
                cached,
                whole_directory: deploy.is_some(),
                deletes: deploy.is_none(),
                root_mode: 0o755,
                deploy,
                member: deploy.map(|_| RunMember { run: [0x82; 12], number: 7 }),
            };
            let line = hello.line();
            assert!(line.is_ascii() && line.ends_with(b"\n"));
            assert!(line.len() <= limits::HELLO_LINE_BYTES);
            assert_eq!(Hello::parse(&line), Ok(hello));
        }
    }

    #[test]
    fn other_lines_are_refused() {
        assert_eq!(Hello::parse(b"GET / HTTP/1.1"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 7 0g"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 7 +1+2"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 7 000"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 1 00"), Err(HelloError::Version { theirs: 1 }));
        assert!(matches!(Hello::parse(b"assetsync 7 0000"), Err(HelloError::Decode(_))));
        let history_without_deploy = [b"assetsync 7 001000".as_slice(), &[b'0'; 32]].concat();
        assert!(matches!(Hello::parse(&history_without_deploy), Err(HelloError::Decode(_))));
    }
}
