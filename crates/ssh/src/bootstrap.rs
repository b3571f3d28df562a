//! Starts the agent on the server, and installs it first if it is missing.
//!
//! The remote command is a constant script with a nonce, the first line for the agent and the known
//! agents as words after it. If the right agent is there, the script becomes it, and the agent can
//! answer the first line in the same round trip. Otherwise the script asks for the agent with a
//! line `assetsync:NONCE:missing:PLATFORM PATH`, where PATH is where the program will be, and gets
//! the size of the compressed program, a newline and the program. The platform is followed by `:xz`
//! if the host has the XZ Utils; the size is followed by ` xz` or ` plain` if the program is
//! compressed by xz or not at all, not by gzip. Failures are reported in lines of the same form.
//! All other output before the agent starts is noise of the login shell.

use std::io::{self, ErrorKind, Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use assetsync_core::protocol::word_of_line;
use assetsync_core::text;

use crate::agents::Agents;
use crate::channel::{Channel, CommandHandle};
use crate::child_process::spawn;
use crate::connect_phase::Phase;
use crate::error::{TransportError, excerpt};
use crate::run_as::RunAs;
use crate::timeout_io::{TimedReader, TimedWriter};

/// Noise of login shells that is skipped before the agent's banner.
const NOISE_LIMIT: usize = 64 * 1024;
/// The script asks once for each directory it tries, and once more if xz fails.
const UPLOAD_LIMIT: usize = 4;
/// The agent is written in pieces of so many bytes, each within the time limit.
const PIECE: usize = 4096;
/// Bytes per second of the slowest line on which the agent still arrives.
const SLOWEST: u64 = 1024;
/// How long to wait for the exit status of a command that has closed its output.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// `bootstrap.sh` as shortened by the build script: one line, which every login shell takes for one
/// word in single quotes.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/bootstrap.sh"));

/// A started agent.
#[derive(Debug)]
pub struct Started {
    /// The channel, positioned right after the agent's banner.
    pub channel: Channel,
    /// Bytes read after the banner; they come before anything read from the channel.
    pub read_ahead: Vec<u8>,
    /// Output of the login shell, safe to show; worth a warning unless empty.
    pub noise: String,
    /// The agent, if it had to be installed.
    pub installed: Option<Installed>,
}

/// An agent that was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its path on the host; safe to show.
    pub path: String,
    /// The program's size in bytes.
    pub bytes: u64,
}

/// Stands for a first line that does not fit on a command line.
const NO_WORD: &str = "-";

/// The remote command line that starts the agent with its `first_line`, as another user if one is
/// given, for any login shell.
pub fn command(nonce: &str, first_line: &[u8], agents: &Agents, run_as: Option<&RunAs>) -> String {
    let (words, sudo) = (agents.pairs().join(" "), run_as.map(RunAs::prefix).unwrap_or_default());
    let first = word_of_line(first_line).unwrap_or_else(|| NO_WORD.into());
    format!("exec {sudo}/bin/sh -c '{SCRIPT}' sh {nonce} {first} {words}")
}

/// The command for a local destination: a child process instead of a remote shell.
pub fn local(nonce: &str, agents: &Agents) -> Result<Channel, TransportError> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(SCRIPT).args(["sh", nonce, NO_WORD]).args(agents.pairs());
    spawn(command, "this machine")
}

/// Writes `first_line` at once, for an agent that did not get it with the command, and waits for
/// the agent's banner, installing the agent if asked to.
///
/// `first_line` must start with `assetsync `, be ASCII and end in a newline: a script that has to
/// install the agent first reads that line and drops it, and it is sent again afterwards.
pub fn start(
    channel: Channel,
    nonce: &str,
    agents: &Agents,
    first_line: &[u8],
    timeout: Duration,
) -> Result<Started, TransportError> {
    let Channel { reader, writer, end } = channel;
    let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
    let mut talk = Talk {
        reader: TimedReader::new(reader, timeout).map_err(failed)?,
        writer: TimedWriter::new(writer, timeout).map_err(failed)?,
        timeout,
        deadline: Instant::now() + timeout,
        nonce,
        buffer: Vec::new(),
        noise: Vec::new(),
    };
    match talk.run(agents, first_line) {
        Ok(installed) => Ok(talk.started(end, installed)),
        Err(stop) => Err(talk.explain(stop, end)),
    }
}

/// The conversation up to the banner.
struct Talk<'a> {
    reader: TimedReader,
    writer: TimedWriter,
    timeout: Duration,
    deadline: Instant,
    nonce: &'a str,
    /// Read and not yet parsed.
    buffer: Vec<u8>,
    noise: Vec<u8>,
}

/// Why the conversation ended without an agent.
enum Stop {
    /// The script reported this failure, with a detail.
    Said(String, String),
    Noisy,
    Closed,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                Self::Closed
            }
            _ => Self::Io(error),
        }
    }
}

impl Talk<'_> {
    fn run(&mut self, agents: &Agents, first_line: &[u8]) -> Result<Option<Installed>, Stop> {
        // If the command has ended, its reason is in flight, and reading returns it.
        let _ = self.write(first_line);
        let (mut uploads, mut installed) = (0, None);
        loop {
            let (word, detail) = self.next_word()?;
            match word.as_str() {
                "ready" => {
                    // An agent that has the line already may have refused it and ended.
                    if installed.is_some() {
                        let _ = self.write(first_line);
                    }
                    return Ok(installed);
                }
                "missing" if uploads < UPLOAD_LIMIT => {
                    uploads += 1;
                    installed = Some(self.upload(agents, &detail)?);
                }
                _ => return Err(Stop::Said(word, detail)),
            }
        }
    }

    /// Sends the agent that a `missing:PLATFORM[:UNPACKER] PATH` line asks for.
    fn upload(&mut self, agents: &Agents, wanted: &str) -> Result<Installed, Stop> {
        let (wanted, path) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let (platform, unpacker) = wanted.split_once(':').unwrap_or((wanted, ""));
        let Some(agent) = agents.for_platform(platform) else {
            return Err(Stop::Said("unsupported".into(), platform.into()));
        };
        let (packed, form) = agents.packed(agent, unpacker)?;
        self.write(format!("{}{form}\n", packed.len()).as_bytes())?;
        for piece in packed.chunks(PIECE) {
            self.deadline = Instant::now() + self.timeout;
            self.write(piece)?;
        }
        // Much of it may still be on its way.
        let slowest = Duration::from_secs(packed.len() as u64 / SLOWEST);
        self.deadline = Instant::now() + self.timeout + slowest;
        Ok(Installed { path: path.to_owned(), bytes: agent.size() })
    }

    /// The next `assetsync:NONCE:WORD[:DETAIL]` line; anything before it is noise.
    fn next_word(&mut self) -> Result<(String, String), Stop> {
        loop {
            if let Some(line) = self.take_marked_line() {
                let said = text::line(&line);
                let (word, detail) = said.split_once(':').unwrap_or((&said, ""));
                return Ok((word.to_owned(), detail.trim().to_owned()));
            }
            if self.noise.len() + self.buffer.len() > NOISE_LIMIT {
                self.noise.append(&mut self.buffer);
                return Err(Stop::Noisy);
            }
            self.read_more()?;
        }
    }

    /// The rest of the first line that carries the marker, wherever in the line it stands: noise
    /// need not end in a newline.
    fn take_marked_line(&mut self) -> Option<Vec<u8>> {
        let marker = format!("assetsync:{}:", self.nonce);
        let at = find(&self.buffer, marker.as_bytes())?;
        let after = at + marker.len();
        let length = self.buffer[after..].iter().position(|&byte| byte == b'\n')?;
        let line = self.buffer[after..after + length].to_vec();
        self.noise.extend_from_slice(&self.buffer[..at]);
        self.buffer.drain(..=after + length);
        Some(line)
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.reader.set_idle(self.left()?);
        let mut chunk = [0; 8192];
        match self.reader.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.set_idle(self.left()?);
        self.writer.write_all(bytes)
    }

    fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }

    fn started(self, end: CommandHandle, installed: Option<Installed>) -> Started {
        let (reader, writer) = (self.reader.into_inner(), self.writer.into_inner());
        let channel = Channel { reader, writer, end };
        Started { channel, read_ahead: self.buffer, noise: text::lines(&self.noise), installed }
    }

    fn explain(mut self, stop: Stop, end: CommandHandle) -> TransportError {
        let host = end.host().to_owned();
        match stop {
            Stop::Said(word, detail) => said(host, &word, detail),
            Stop::Noisy => {
                TransportError::Noisy { host, limit: NOISE_LIMIT, excerpt: excerpt(&self.noise) }
            }
            Stop::Io(e) if e.kind() == ErrorKind::TimedOut => {
                TransportError::Timeout { host, phase: Phase::Agent, after: self.timeout }
            }
            Stop::Io(source) => TransportError::Io { host, source },
            Stop::Closed => {
                self.noise.append(&mut self.buffer);
                let Self { reader, writer, noise, .. } = self;
                drop((reader, writer));
                closed(host, end, &noise)
            }
        }
    }
}

fn said(host: String, word: &str, detail: String) -> TransportError {
    match word {
        "unsupported" => TransportError::NoAgentFor { host, platform: detail },
        "noexec" => TransportError::Noexec { host, directory: detail },
        "damaged" => TransportError::Damaged { host, directory: detail },
        "nowhere" => TransportError::NoDirectory { host, detail },
        _ => TransportError::NoDirectory { host, detail: format!("{word} {detail}") },
    }
}

/// The command ended without a line of the script: its status and output are the only reason known.
fn closed(host: String, end: CommandHandle, printed: &[u8]) -> TransportError {
    match end.finish_within(CLOSING_GRACE) {
        Ok(exit) if exit.is_before_login() => {
            TransportError::Busy { host, said: excerpt(exit.stderr.as_bytes()) }
        }
        Ok(exit) => {
            let said = format!("{}\n{}", exit.stderr.trim(), excerpt(printed)).trim().to_owned();
            let said = without_script(&said);
            match exit.is_request_refused() {
                true => TransportError::RequestRefused { host, said },
                false => TransportError::Closed {
                    host,
                    exit: exit.status,
                    signal: exit.signal,
                    stderr: said,
                },
            }
        }
        Err(error) => error,
    }
}

/// A text without the script, which remote shells that can't run it quote.
fn without_script(said: &str) -> String {
    let words = SCRIPT.split(' ').take(4).collect::<Vec<_>>().join(" ");
    match said.find(&words) {
        None => said.to_owned(),
        Some(at) => {
            let end = said[at..].find('\n').map_or(said.len(), |length| at + length);
            format!("{}...{}", &said[..at], &said[end..])
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
#[path = "../minify.rs"]
mod minify;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_script_is_one_short_word_for_every_login_shell() {
        assert!(SCRIPT.is_ascii() && !SCRIPT.contains(['!', '\n', '\\', '\'']));
        // It is sent with every push, so keep it short.
        assert!(SCRIPT.len() < 2250, "{}", SCRIPT.len());
    }

    #[test]
    fn every_name_in_the_script_is_short_or_from_the_environment() {
        let names = SCRIPT.split('$').skip(1).map(|text| {
            let text = text.trim_start_matches('{');
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap()
        });
        let long: Vec<_> = names.filter(|name| name.len() > 1).collect();
        assert_eq!(long, ["XDG_CACHE_HOME", "HOME"]);
    }

    #[test]
    fn every_name_is_shortened_to_one_of_its_own() {
        let short: HashSet<_> = minify::NAMES.iter().map(|(_, short)| short).collect();
        assert_eq!(short.len(), minify::NAMES.len());
        let source = include_str!("bootstrap.sh");
        assert!(minify::NAMES.iter().all(|(long, _)| source.contains(long)));
        assert_eq!(minify::minify(source), SCRIPT);
    }

    #[test]
    fn lines_are_joined_as_the_shell_reads_them() {
        let script = "# why\nif a; then\n    b=$(c)\nfi\n\n\
            case $d in\n    *)\n        e &&\n            f ;;\nesac\ng \\\n    h\nhello=1\n";
        let expected = "if a; then b=$(c);fi;case $d in *)e &&f ;;esac;g h;x=1";
        assert_eq!(minify::minify(script), expected);
    }
}
