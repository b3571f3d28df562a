//! A destination that hears scripts, and the words scripts are made of.

use std::collections::BTreeMap;
use std::fs::{self};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::index::Index;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{ActionKind, ActionPath, FileAction, PublishRank, WireAction};
use assetsync_core::protocol::{
    CodecContext, Failure, Fields, FrameKind, Hello, Inbox, Message, Outbox, Received,
    StreamDigest, ToAgent, ToSender, put_frame,
};
use assetsync_core::recipe::{Basis, Recipe};
use assetsync_receiver::{AgentError, serve};

/// After so long without an end, something hangs.
pub const WAIT_LIMIT: Duration = Duration::from_secs(300);

pub const NONCE: &str = "00ff";

/// The bytes of a whole conversation's side.
pub type Script = Vec<u8>;

/// A destination with something outside of it that must stay as it is.
pub struct Host {
    pub dir: tempfile::TempDir,
}

impl Host {
    pub fn new() -> Host {
        // In memory if possible: every publishing syncs the file system.
        let shared = Path::new("/dev/shm");
        let dir = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        let host = Host { dir: dir.unwrap() };
        fs::create_dir(host.at("outside")).unwrap();
        fs::write(host.at("outside/secret"), "secret").unwrap();
        host.reset();
        host
    }

    /// In tree order, and so by position: `a.txt`, `dir`, `dir/b.txt`, `link`.
    pub fn reset(&self) {
        let _ = fs::remove_dir_all(self.at("dest"));
        let _ = fs::remove_dir_all(self.at(".assetsync-dest"));
        fs::create_dir_all(self.at("dest/dir")).unwrap();
        fs::write(self.at("dest/a.txt"), "older a").unwrap();
        fs::write(self.at("dest/dir/b.txt"), "old b ".repeat(1000)).unwrap();
        symlink("../outside", self.at("dest/link")).unwrap();
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn hello(&self) -> Hello {
        let destination = self.at("dest").into_os_string().into_encoded_bytes();
        Hello {
            destination,
            timeout_ms: 60_000,
            deletes: true,
            root_mode: 0o755,
            ..Hello::default()
        }
    }

    /// Everything there is but the agent's own: path, permission bits, content or target.
    pub fn contents(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = left.pop() {
            for item in fs::read_dir(dir).unwrap() {
                let path = item.unwrap().path();
                if path == self.at(".assetsync-dest") {
                    continue;
                }
                let meta = fs::symlink_metadata(&path).unwrap();
                let bytes = if meta.is_dir() {
                    left.push(path.clone());
                    Vec::new()
                } else if meta.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                found.insert(path, (meta.mode(), bytes));
            }
        }
        found
    }

    pub fn outside(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = self.contents();
        found.retain(|path, _| !path.starts_with(self.at("dest")));
        found
    }

    /// Lets an agent hear `script` and then the end; gives what it said and how it ended.
    pub fn hear(&self, script: Script) -> Heard {
        let (input, mut to_agent) = io::pipe().unwrap();
        let (mut from_agent, output) = io::pipe().unwrap();
        let agent = within(move || serve(input.into(), output.into(), NONCE));
        thread::spawn(move || {
            // An agent that has heard enough closes its end.
            let _ = to_agent.write_all(&script);
        });
        let ended = agent.recv_timeout(WAIT_LIMIT).expect("the agent ends, without a panic");
        // A thread of it may hold its output open for a while yet; all it said is in the pipe.
        let flags = rustix::fs::OFlags::NONBLOCK;
        rustix::fs::fcntl_setfl(&from_agent, flags).unwrap();
        let mut said = Vec::new();
        let read = from_agent.read_to_end(&mut said);
        let all = read.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true);
        assert!(all, "its output can be read");
        Heard::new(&said, ended)
    }

    /// The same for messages after a good *Hello*.
    pub fn hear_messages(&self, messages: &[ToAgent<'_>]) -> Heard {
        self.hear([self.hello().line(), packed(messages)].concat())
    }
}

/// Runs something in a thread; a panic closes the channel.
pub fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}

/// What an agent said, and how it ended.
#[derive(Debug)]
pub struct Heard {
    pub failure: Option<Failure>,
    pub failed: Vec<u32>,
    pub published: bool,
    pub ended: Result<(), AgentError>,
}

impl Heard {
    pub fn new(said: &[u8], ended: Result<(), AgentError>) -> Heard {
        let banner = format!("assetsync:{NONCE}:ready\n");
        let rest = said.strip_prefix(banner.as_bytes()).expect("a banner");
        let mut inbox = Inbox::<ToSender<'_>>::new().unwrap();
        inbox.receive(rest);
        let mut heard = Heard { failure: None, failed: Vec::new(), published: false, ended };
        while inbox.ready().expect("an agent's words make sense") {
            match inbox.pop().unwrap() {
                Received::Failure(failure) => heard.failure = Some(failure),
                Received::Message(ToSender::Failed { action }) => {
                    heard.failed.push(action.number())
                }
                Received::Message(ToSender::Published(_)) => heard.published = true,
                _ => {}
            }
        }
        heard
    }
}

pub fn packed<M: Message>(messages: &[M]) -> Script {
    let mut outbox = Outbox::new(3).unwrap();
    messages.iter().for_each(|message| outbox.send(message));
    outbox.flush();
    outbox.take()
}

/// Bytes of messages as they are before compression.
pub fn packed_raw(plain: &[u8]) -> Script {
    let mut out = Vec::new();
    for piece in plain.chunks(30_000) {
        put_frame(&mut out, FrameKind::Packed, &zstd::stream::encode_all(piece, 1).unwrap());
    }
    out
}

/// The same, with a right check after each turn, as far as the bytes are messages.
pub fn packed_turns<M: Message>(plain: &[u8]) -> Script {
    let (mut out, mut digest) = (Vec::new(), StreamDigest::default());
    let (mut fields, mut context) = (Fields(plain), CodecContext::default());
    let mut turn = plain;
    let mut pack = |turn: &[u8], is_whole| {
        let frames = packed_raw(turn);
        digest.pass(&frames);
        out.extend(frames);
        if is_whole {
            put_frame(&mut out, FrameKind::Check, &digest.check());
        }
    };
    while let Ok((message, _)) = M::decode(&mut fields, &mut context) {
        if message.ends_turn() {
            pack(&turn[..turn.len() - fields.0.len()], true);
            turn = fields.0;
        }
    }
    pack(turn, false);
    out
}

pub fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

pub const MTIME: Mtime = Mtime { secs: 1_700_000_000, nanos: 5 };

pub fn file(recipe: Recipe, content: &[u8]) -> ActionKind {
    ActionKind::File(FileAction {
        size: content.len() as u64,
        mode: 0o644,
        mtime: MTIME,
        digest: Some(Digest::of(content)),
        recipe,
        rank: PublishRank::Ordinary,
    })
}

pub fn new(name: &str, what: ActionKind) -> ToAgent<'static> {
    ToAgent::Action(WireAction { place: ActionPath::New(path(name)), what })
}

pub fn known(position: u32, what: ActionKind) -> ToAgent<'static> {
    ToAgent::Action(WireAction { place: ActionPath::Existing(Index::new(position)), what })
}

pub fn whole(name: &str) -> ToAgent<'static> {
    new(name, file(Recipe::Whole, b"content"))
}

pub fn copy(name: &str, from: Basis) -> ToAgent<'static> {
    new(name, file(Recipe::Copy { from }, b"content"))
}

pub fn amend(action: u32) -> ToAgent<'static> {
    ToAgent::Amend { action: Index::new(action), size: 3, mtime: MTIME, digest: Digest::of(b"new") }
}
