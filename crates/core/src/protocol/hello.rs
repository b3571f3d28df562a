//! *Hello*: the first line of the sender.
//!
//! It is text, so it can be sent before it is known whether the agent is installed: a shell that
//! does not find the agent can read the line and ignore it. As a [word](word_of_line) it also fits
//! on a command line, so that the agent need not wait for it.

use super::codec::{DecodeError, Fields, put_bytes, put_number};
use super::run_member::RunMember;
use crate::limits;
use crate::path::RelPath;
use crate::state::{HistoryId, StateId};
use crate::work_names::is_work_dir_name;

/// The first line: what the sender wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Who pushes, for others that find the destination locked.
    pub who: Vec<u8>,
    /// Set if the push is part of a deploy.
    pub deploy: Option<Deploy>,
    /// Set if the run pushes to other destinations, too: the agent then reports the
    /// [lock](super::LockReport) first.
    pub member: Option<RunMember>,
    /// The names of the files to push, in tree order, if files are pushed and not a directory. Then
    /// nothing else at the destination is looked at. Several go into the directory `destination`.
    /// One does, too, if that is a directory or ends with a slash; else `destination` is its new
    /// path.
    pub files: Vec<RelPath>,
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
    /// The fields are not those that were sent.
    #[error("First line is not what was sent: a byte changed on the way; push again")]
    Changed,
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
const FILES: u64 = 256;
const FLAGS: u64 = 511;
/// What a push of files can't have.
const NOT_WITH_FILES: u64 = REMEMBERED | DEPLOY | WHOLE_DIRECTORY | DELETES;

/// A first line as a word that no shell has to quote, if it is short enough and has only letters,
/// digits and spaces.
pub fn word_of_line(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    let is_word = line.len() <= limits::HELLO_WORD_BYTES && line.bytes().all(fits);
    is_word.then(|| line.replace(' ', ":"))
}

/// The line that a word was made of, without its newline, if it was made of one.
pub fn line_of_word(word: &str) -> Option<Vec<u8>> {
    let line = word.replace(':', " ").into_bytes();
    line.starts_with(WORD).then_some(line)
}

impl Hello {
    /// The line, with its newline.
    pub fn line(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_bytes(&mut body, &self.destination);
        put_number(&mut body, self.flags());
        put_number(&mut body, u64::from(self.timeout_ms));
        put_number(&mut body, u64::from(self.root_mode));
        put_bytes(&mut body, &self.who);
        body.extend(self.cached.iter().flat_map(|state| state.0));
        let history = self.deploy.and_then(|deploy| deploy.history);
        body.extend(history.iter().flat_map(|history| history.0));
        body.extend(self.member.iter().flat_map(|member| member.bytes()));
        if !self.files.is_empty() {
            put_number(&mut body, self.files.len() as u64);
            self.files.iter().for_each(|name| put_bytes(&mut body, name.as_bytes()));
        }
        body.extend(check(&body));
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
            (FILES, !self.files.is_empty()),
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
        let (fields, sent) = body.split_last_chunk().ok_or(DecodeError::UnexpectedEnd)?;
        match *sent == check(fields) {
            true => Ok(Hello::decode(&mut Fields(fields))?),
            false => Err(HelloError::Changed),
        }
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Hello, DecodeError> {
        let destination = fields.bytes("destination length", limits::PATH_BYTES)?.to_vec();
        let flags = fields.bounded("hello flags", FLAGS)?;
        let history_alone = flags & (DEPLOY | HISTORY) == HISTORY;
        let files_with_others = flags & FILES != 0 && flags & NOT_WITH_FILES != 0;
        if history_alone || files_with_others || destination.contains(&0) {
            return Err(DecodeError::Unknown { what: "hello flags", value: flags });
        }
        let timeout_ms = fields.bounded("timeout", u64::from(u32::MAX))? as u32;
        let root_mode = fields.bounded("mode", 0o7777)? as u32;
        let who = fields.bytes("length of the pusher's name", limits::WHO_BYTES)?.to_vec();
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
        let files = if flags & FILES == 0 { Vec::new() } else { file_names(fields)? };
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
            who,
            deploy,
            member,
            files,
        })
    }
}

/// The last field: the first bytes of the BLAKE3 of all before it.
fn check(fields: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(fields).as_bytes()[..8]);
    check
}

/// At least one name, none twice.
fn file_names(fields: &mut Fields<'_>) -> Result<Vec<RelPath>, DecodeError> {
    let count = fields.bounded("number of files", limits::NAMED_FILES)?;
    let mut names: Vec<RelPath> = Vec::new();
    for _ in 0..count {
        let path = RelPath::new(fields.bytes("length of a name", limits::NAME_BYTES)?)?;
        let is_name = path.parent().is_none() && !is_work_dir_name(path.file_name());
        if !is_name || names.last().is_some_and(|last| *last >= path) {
            return Err(DecodeError::Unknown { what: "name", value: names.len() as u64 });
        }
        names.push(path);
    }
    match names.is_empty() {
        true => Err(DecodeError::Unknown { what: "number of files", value: 0 }),
        false => Ok(names),
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
                who: b"ada@web".to_vec(),
                deploy,
                member: deploy.map(|_| RunMember { run: [0x82; 12], number: 7 }),
                ..Hello::default()
            };
            let line = hello.line();
            assert!(line.is_ascii() && line.ends_with(b"\n"));
            assert!(line.len() <= limits::HELLO_LINE_BYTES);
            assert_eq!(Hello::parse(&line), Ok(hello));
        }
    }

    fn files(names: &[&str]) -> Hello {
        Hello {
            destination: b"~/app".to_vec(),
            timeout_ms: 1,
            root_mode: 0o755,
            files: names.iter().map(|name| RelPath::new(name.as_bytes()).unwrap()).collect(),
            ..Hello::default()
        }
    }

    #[test]
    fn names_of_files_survive() {
        for names in [&["a.js"][..], &["a b\n.js", "z"]] {
            assert_eq!(Hello::parse(&files(names).line()), Ok(files(names)));
        }
    }

    #[test]
    fn names_that_are_no_names_are_refused() {
        for names in [&["b", "a"][..], &["a", "a"], &["a/b"], &[".assetsync"], &[".assetsync-x"]] {
            let parsed = Hello::parse(&files(names).line());
            assert!(matches!(parsed, Err(HelloError::Decode(_))), "{names:?}");
        }
        let with_deletes = Hello { deletes: true, ..files(&["a"]) };
        assert!(matches!(Hello::parse(&with_deletes.line()), Err(HelloError::Decode(_))));
        let none = line("057e2f617070800201ed030000");
        assert!(matches!(Hello::parse(&none), Err(HelloError::Decode(_))));
    }

    /// A line with these fields.
    fn line(fields: &str) -> Vec<u8> {
        let body = from_hex(fields).unwrap();
        let check = check(&body).map(|byte| format!("{byte:02x}")).concat();
        format!("assetsync {} {fields}{check}", limits::PROTOCOL_VERSION).into_bytes()
    }

    #[test]
    fn other_lines_are_refused() {
        assert_eq!(Hello::parse(b"GET / HTTP/1.1"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 11 0g"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 11 +1+2"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 11 000"), Err(HelloError::NotHello));
        assert_eq!(Hello::parse(b"assetsync 1 00"), Err(HelloError::Version { theirs: 1 }));
        assert!(matches!(Hello::parse(b"assetsync 11 0000"), Err(HelloError::Decode(_))));
        assert!(matches!(Hello::parse(&line("0000")), Err(HelloError::Decode(_))));
        let history_without_deploy = line(&["00100000", &"0".repeat(32)].concat());
        assert!(matches!(Hello::parse(&history_without_deploy), Err(HelloError::Decode(_))));
    }

    #[test]
    fn a_line_with_one_bit_changed_is_refused_or_the_same() {
        let hello = files(&["a.js", "b"]);
        let line = hello.line();
        for bit in 0..line.len() * 8 {
            let mut changed = line.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // Hexadecimal digits have two spellings.
            let parsed = Hello::parse(&changed);
            assert!(parsed.is_err() || parsed.as_ref() == Ok(&hello), "bit {bit}: {parsed:?}");
        }
    }

    #[test]
    fn a_line_that_fits_on_a_command_line_survives_as_a_word() {
        let line = files(&["a b\n.js", "z"]).line();
        let word = word_of_line(&line).unwrap();
        assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':'), "{word}");
        let found = line_of_word(&word).unwrap();
        assert_eq!(Hello::parse(&found), Hello::parse(&line));
        let names: Vec<String> = (1000..2000).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(word_of_line(&files(&names).line()), None, "it is too long");
        for not_a_word in [&b"assetsync 11 $(id)\n"[..], b"assetsync 11 'a'\n", b"assetsync 11 00"]
        {
            assert_eq!(word_of_line(not_a_word), None);
        }
        for not_a_line in ["", "-", "Linux-x86_64=00.1.2", "assetsync"] {
            assert_eq!(line_of_word(not_a_line), None);
        }
    }
}
