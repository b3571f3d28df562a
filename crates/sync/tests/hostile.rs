//! What a hostile sender may say to an agent, and a hostile agent to a sender: it ends in an error, at once,
//! and nothing outside of the destination is read or changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use assetsync_sync::agent::{AgentError, serve};
use assetsync_sync::digest::{Digest, ShortDigest};
use assetsync_sync::entry::{Entry, Kind, Mtime};
use assetsync_sync::filter::Filter;
use assetsync_sync::path::RelPath;
use assetsync_sync::plan::{FileAction, Order, Place, What};
use assetsync_sync::proto::{
    Failure, FrameKind, Hello, Inbox, Message, Outbox, Received, Vitals, put_bytes, put_frame,
    put_number,
};
use assetsync_sync::recipe::{Basis, Ground, Recipe};
use assetsync_sync::sender::{Connection, Options, PushError, Report, Silent, Source, push};
use assetsync_sync::state::RemoteEntry;
use assetsync_sync::transport::{Agents, NoPrompt, SshOptions, Target};

/// After so long without an end, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const NONCE: &str = "00ff";

/// The bytes of a whole conversation's side.
type Script = Vec<u8>;

/// A destination with something outside of it that must stay as it is.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
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
    fn reset(&self) {
        let _ = fs::remove_dir_all(self.at("dest"));
        let _ = fs::remove_dir_all(self.at(".assetsync-dest"));
        fs::create_dir_all(self.at("dest/dir")).unwrap();
        fs::write(self.at("dest/a.txt"), "older a").unwrap();
        fs::write(self.at("dest/dir/b.txt"), "old b ".repeat(1000)).unwrap();
        symlink("../outside", self.at("dest/link")).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn hello(&self) -> Hello {
        let destination = self.at("dest").into_os_string().into_encoded_bytes();
        Hello {
            destination,
            dry_run: false,
            checksum: false,
            timeout_ms: 1000,
            remembered: None,
            whole_directory: false,
            deploy: None,
        }
    }

    /// Everything there is but the agent's own: path, permission bits, content or target.
    fn contents(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
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

    fn outside(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = self.contents();
        found.retain(|path, _| !path.starts_with(self.at("dest")));
        found
    }

    /// Lets an agent hear `script` and then the end; gives what it said and how it ended.
    fn hear(&self, script: Script) -> Heard {
        let (input, mut to_agent) = io::pipe().unwrap();
        let (mut from_agent, output) = io::pipe().unwrap();
        let agent = within(move || serve(input.into(), output.into(), NONCE));
        thread::spawn(move || {
            // An agent that has heard enough closes its end.
            let _ = to_agent.write_all(&script);
        });
        let ended = agent.recv_timeout(PATIENCE).expect("the agent ends, without a panic");
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
    fn hear_messages(&self, messages: &[Message<'_>]) -> Heard {
        self.hear([self.hello().line(), packed(messages)].concat())
    }
}

/// Runs something in a thread; a panic closes the channel.
fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}

/// What an agent said, and how it ended.
#[derive(Debug)]
struct Heard {
    failure: Option<Failure>,
    failed: Vec<u32>,
    published: bool,
    ended: Result<(), AgentError>,
}

impl Heard {
    fn new(said: &[u8], ended: Result<(), AgentError>) -> Heard {
        let banner = format!("assetsync:{NONCE}:ready\n");
        let rest = said.strip_prefix(banner.as_bytes()).expect("a banner");
        let mut inbox = Inbox::new().unwrap();
        inbox.receive(rest);
        let mut heard = Heard { failure: None, failed: Vec::new(), published: false, ended };
        while inbox.ready().expect("an agent's words make sense") {
            match inbox.pop().unwrap() {
                Received::Failure(failure) => heard.failure = Some(failure),
                Received::Message(Message::Failed { action }) => heard.failed.push(action),
                Received::Message(Message::Published(_)) => heard.published = true,
                _ => {}
            }
        }
        heard
    }
}

fn packed(messages: &[Message<'_>]) -> Script {
    let mut outbox = Outbox::new(3).unwrap();
    messages.iter().for_each(|message| outbox.send(message));
    outbox.flush();
    outbox.take()
}

/// Bytes of messages as they are before compression.
fn packed_raw(plain: &[u8]) -> Script {
    let mut out = Vec::new();
    for piece in plain.chunks(30_000) {
        put_frame(&mut out, FrameKind::Packed, &zstd::stream::encode_all(piece, 1).unwrap());
    }
    out
}

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

const MTIME: Mtime = Mtime { secs: 1_700_000_000, nanos: 5 };

fn file(recipe: Recipe, content: &[u8]) -> What {
    What::File(FileAction {
        size: content.len() as u64,
        mode: 0o644,
        mtime: MTIME,
        digest: Some(Digest::of(content)),
        recipe,
        entry_point: false,
    })
}

fn new(name: &str, what: What) -> Message<'static> {
    Message::Action(Order { place: Place::New(path(name)), what })
}

fn known(position: u32, what: What) -> Message<'static> {
    Message::Action(Order { place: Place::Known(position), what })
}

fn whole(name: &str) -> Message<'static> {
    new(name, file(Recipe::Whole, b"content"))
}

fn copy(name: &str, from: Basis) -> Message<'static> {
    new(name, file(Recipe::Copy { from }, b"content"))
}

fn amend(action: u32) -> Message<'static> {
    Message::Amend { action, size: 3, mtime: MTIME, digest: Digest::of(b"new") }
}

/// Messages that break the protocol, and what the agent says of it.
fn breaches() -> Vec<(&'static str, Vec<Message<'static>>, &'static str)> {
    use Message::*;
    let start = FileStart { action: 0 };
    let literal = || Literal(b"content");
    let (end, publish) = (PlanEnd, ContentEnd { publish: true });
    let content = |messages: &[Message<'static>]| [&[whole("x"), PlanEnd], messages].concat();
    let ask = |known, spec| {
        Ask(assetsync_sync::proto::Ask { known, expected: None, signature: spec, rewritten: false })
    };
    let dir = || What::Dir { mode: 0o755 };
    let link = || What::Symlink { target: b"/etc".to_vec(), mtime: MTIME };
    vec![
        ("the agent's own directory", vec![whole(".assetsync/x"), PlanEnd], "is the agent's own"),
        ("its name", vec![new(".assetsync", dir()), PlanEnd], "is the agent's own"),
        ("out of order", vec![whole("y"), whole("x"), PlanEnd], "out of order"),
        ("twice", vec![whole("x"), whole("x"), PlanEnd], "out of order"),
        ("known twice", vec![known(0, dir()), known(0, dir()), PlanEnd], "out of order"),
        ("below a file", vec![whole("x"), whole("x/y"), PlanEnd], "below what is no directory"),
        ("below a new link", vec![new("x", link()), whole("x/y")], "below what is no directory"),
        (
            "below a known link",
            vec![known(3, link()), whole("link/y")],
            "below what is no directory",
        ),
        (
            "below a delete",
            vec![known(1, What::Delete), whole("dir/y")],
            "below what is no directory",
        ),
        ("position out of range", vec![known(4, dir()), PlanEnd], "out of range"),
        ("largest position", vec![known(10_000_000, What::Delete), PlanEnd], "out of range"),
        ("delete of nothing", vec![new("x", What::Delete), PlanEnd], "names what is not there"),
        ("touch of nothing", vec![new("x", touch()), PlanEnd], "names what is not there"),
        ("known basis", vec![copy("x", Basis::Known(4)), PlanEnd], "names what is not there"),
        ("leftover basis", vec![copy("x", Basis::Leftover(0)), PlanEnd], "names what is not there"),
        ("itself as basis", vec![copy("x", Basis::Planned(0)), PlanEnd], "names what is not there"),
        ("later basis", vec![copy("x", Basis::Planned(9)), PlanEnd], "names what is not there"),
        ("content for no action", content(&[FileStart { action: 1 }]), "content for no file"),
        (
            "content for a directory",
            vec![new("x", dir()), PlanEnd, start.clone()],
            "content for no file",
        ),
        (
            "content for a touch",
            vec![known(0, touch()), PlanEnd, start.clone()],
            "content for no file",
        ),
        (
            "content twice",
            content(&[start.clone(), literal(), FileEnd, start.clone()]),
            "came twice",
        ),
        ("too much", content(&[start.clone(), literal(), literal()]), "beyond the declared"),
        (
            "too much copied",
            content(&[start.clone(), Copy { offset: 0, length: 8 }]),
            "beyond the declared",
        ),
        (
            "too much stored",
            content(&[start.clone(), Stored { length: 1 << 40 }]),
            "beyond the declared",
        ),
        (
            "copy of nothing",
            content(&[start.clone(), Copy { offset: 0, length: 0 }]),
            "copy of nothing",
        ),
        (
            "stored is missing",
            content(&[start.clone(), Stored { length: 7 }, FileEnd]),
            "is missing",
        ),
        ("plan inside a file", content(&[start.clone(), PlanEnd]), "inside a file"),
        ("file inside a file", content(&[start.clone(), start.clone()]), "inside a file"),
        ("literal outside a file", content(&[literal()]), "between files"),
        ("end outside a file", content(&[FileEnd]), "between files"),
        ("action after the plan", content(&[whole("y")]), "between files"),
        ("publish before content", content(&[Publish]), "between files"),
        (
            "setting aside in no deploy",
            content(&[SetAside { known: 0, digest: Digest([0; 32]) }]),
            "between files",
        ),
        ("history in no deploy", content(&[History { keep: 0 }]), "between files"),
        ("dropping in no deploy", content(&[DropAside { aside: 0 }]), "between files"),
        ("aside as basis in no deploy", vec![copy("x", Basis::Aside(0)), PlanEnd], "not there"),
        ("publish of what failed", content(&[publish.clone(), Publish]), "after staging"),
        ("nothing to publish", vec![Publish], "instead of a plan"),
        ("no plan", vec![literal()], "instead of a plan"),
        ("an agent's words", vec![StagedEnd], "instead of a plan"),
        ("question in a plan", vec![whole("x"), ask(0, None)], "in a plan"),
        ("question out of range", vec![ask(4, None), AskEnd], "question out of range"),
        ("plan among questions", vec![ask(0, None), end], "among questions"),
        (
            "questions twice",
            vec![ask(0, None), AskEnd, ask(0, None), AskEnd],
            "questions after questions",
        ),
        ("amending no action", content(&[amend(1), publish.clone()]), "amend"),
        ("amending a directory", vec![new("x", dir()), PlanEnd, amend(0), publish], "amend"),
        (
            "amending what is verified",
            content(&[start, literal(), FileEnd, amend(0), ContentEnd { publish: true }]),
            "amend",
        ),
    ]
}

fn touch() -> What {
    What::File(FileAction {
        size: 0,
        mode: 0o644,
        mtime: MTIME,
        digest: None,
        recipe: Recipe::Touch,
        entry_point: false,
    })
}

#[test]
fn a_sender_that_breaks_the_protocol_is_told_so_and_changes_nothing() {
    let host = Host::new();
    let before = host.contents();
    let mut wrong = Vec::new();
    for (name, messages, expected) in breaches() {
        let heard = host.hear_messages(&messages);
        let said = heard.failure.as_ref().map_or("", |failure| &failure.text);
        let refused = said.to_lowercase().contains(expected) && !heard.published;
        if !refused || host.contents() != before {
            wrong.push(format!("{name}: {heard:?}"));
        }
        host.reset();
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// An action for a new directory of any name, be it one.
fn raw_dir(name: &[u8]) -> Vec<u8> {
    let mut plain = vec![3, 0b0001_1001, 0];
    put_bytes(&mut plain, name);
    plain
}

/// A whole new file `x` of this size.
fn raw_file(mode: u64, size: u64) -> Vec<u8> {
    let mut plain = vec![3, 0b0001_0000, 0, 1, b'x'];
    put_number(&mut plain, mode);
    plain.push(4);
    put_number(&mut plain, size);
    plain.extend([7; 32]);
    plain
}

#[test]
fn bytes_that_are_no_messages_are_refused() {
    let host = Host::new();
    let before = host.contents();
    let long = vec![b'a'; 256];
    let deep = vec![b"d".as_slice(); 1025].join(&b'/');
    let huge = vec![b"0123456789".as_slice(); 500].join(&b'/');
    let names: [&[u8]; 15] = [
        b"",
        b"/",
        b".",
        b"..",
        b"../x",
        b"/etc/x",
        b"a/../../x",
        b"a//b",
        b"a/",
        b"a/.",
        b"a\0b",
        b".assetsync/..",
        &long,
        &deep,
        &huge,
    ];
    let mut cases: Vec<(String, Script)> = names
        .iter()
        .map(|name| (name.escape_ascii().to_string(), packed_raw(&raw_dir(name))))
        .collect();
    let raw: [(&str, Vec<u8>); 18] = [
        ("mode of 13 bits", raw_file(0o10000, 1)),
        ("size over the limit", raw_file(0o644, (1 << 44) + 1)),
        ("size of 64 bits", raw_file(0o644, u64::MAX)),
        ("unknown message", vec![24]),
        ("message 0", vec![0]),
        ("two places at once", vec![3, 0xc0]),
        ("rename over its limit", vec![15, 0, 0, 8, 0x81, 1]),
        ("rename from beyond a path", vec![15, 0, 0x80, 0x20, 8, 1]),
        ("text over its limit", vec![16, 0x81, 1]),
        ("part over its limit", vec![17, 0, 0, 0, 0, 0x81, 0x80, 0x80, 1]),
        ("part of an unknown ground", vec![17, 1, 0, 0]),
        ("unknown question", vec![1, 8]),
        ("blocks of 2^31", vec![1, 2, 0, 31, 8]),
        ("hash of no bytes", vec![1, 2, 0, 12, 0]),
        ("position below 0", vec![1, 0, 1]),
        ("number of 11 bytes", [vec![5], vec![0xff; 11]].concat()),
        ("literal over its limit", vec![6, 0x81, 0x80, 0x02]),
        ("copy beyond all files", [vec![7], vec![0xff; 9], vec![1, 1]].concat()),
    ];
    cases.extend(raw.map(|(name, plain)| (name.to_owned(), packed_raw(&plain))));
    let mut window = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    window.window_log(27).unwrap();
    window.include_contentsize(false).unwrap();
    window.write_all(&[14; 100]).unwrap();
    let mut wide = Vec::new();
    put_frame(&mut wide, FrameKind::Packed, &window.finish().unwrap());
    let mut garbage = Vec::new();
    put_frame(&mut garbage, FrameKind::Packed, b"this is not zstd at all");
    let mut stored = Vec::new();
    put_frame(&mut stored, FrameKind::Stored, b"unasked");
    cases.extend([
        ("window of 128 MiB".to_owned(), wide),
        ("no zstd".to_owned(), garbage),
        ("stored content unasked".to_owned(), stored),
        ("unknown frame".to_owned(), vec![9, 0, 0, 0]),
        ("long frame".to_owned(), vec![1, 0xff, 0xff, 0xff]),
        ("heartbeat with a payload".to_owned(), vec![3, 1, 0, 0, 0]),
    ]);
    let mut wrong = Vec::new();
    for (name, bytes) in cases {
        let heard = host.hear([host.hello().line(), bytes].concat());
        if heard.failure.is_none() || heard.published || host.contents() != before {
            wrong.push(format!("{name}: {heard:?}"));
        }
        host.reset();
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn first_lines_that_are_none_are_refused() {
    let host = Host::new();
    let before = host.contents();
    let endless = vec![b'a'; 100_000];
    let cases: [(&[u8], &str); 7] = [
        (&endless, "first line does not end"),
        (b"GET / HTTP/1.1\n", "not assetsync's"),
        (b"assetsync 99 00\n", "version 99"),
        (b"assetsync 3 zz\n", "not assetsync's"),
        (b"assetsync 3 +1\n", "not assetsync's"),
        (b"assetsync 3 ff\n", "ends too early"),
        (b"assetsync 3 00ff00\n", "unknown"),
    ];
    for (line, expected) in cases {
        let heard = host.hear(line.to_vec());
        let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
        assert!(said.contains(expected), "{}: {said}", line.escape_ascii());
    }
    assert_eq!(host.contents(), before);
}

#[test]
fn content_that_is_not_what_was_planned_is_never_published() {
    use Message::*;
    let host = Host::new();
    let before = host.contents();
    let (start, publish) = (FileStart { action: 0 }, ContentEnd { publish: true });
    let delta = |basis| {
        let ground = Ground { basis, rewritten: false };
        let recipe = Recipe::Delta { ground, block_bytes: 1024 };
        new("x", file(recipe, b"content"))
    };
    let part = Copy { offset: 0, length: 7 };
    let far = Copy { offset: 1 << 43, length: 7 };
    let cases = [
        ("missing", whole("x"), vec![]),
        ("short", whole("x"), vec![start.clone(), Literal(b"cont"), FileEnd]),
        ("other", whole("x"), vec![start.clone(), Literal(b"CONTENT"), FileEnd]),
        ("given up", whole("x"), vec![start.clone(), Literal(b"content"), FileAbort]),
        ("copy without a basis", whole("x"), vec![start.clone(), part.clone(), FileEnd]),
        ("copy beyond the basis", delta(Basis::Known(0)), vec![start.clone(), far, FileEnd]),
        ("other copied", delta(Basis::Known(0)), vec![start.clone(), part.clone(), FileEnd]),
        (
            "a directory as basis",
            delta(Basis::Known(1)),
            vec![start.clone(), part.clone(), FileEnd],
        ),
        ("a link as basis", delta(Basis::Known(3)), vec![start, part, FileEnd]),
        ("copy of other content", copy("x", Basis::Known(0)), vec![]),
        ("copy of a link", copy("x", Basis::Known(3)), vec![]),
    ];
    for (name, action, content) in cases {
        let messages = [vec![action, PlanEnd], content, vec![publish.clone()]].concat();
        let heard = host.hear_messages(&messages);
        assert_eq!(heard.failed, [0], "{name}: {heard:?}");
        assert!(
            !heard.published && matches!(heard.ended, Err(AgentError::Gone)),
            "{name}: {heard:?}"
        );
        assert_eq!(host.contents(), before, "{name}");
    }
}

#[test]
fn links_at_the_destination_lead_nowhere() {
    let host = Host::new();
    let outside = host.outside();
    let content = |name: &'static str| {
        use Message::*;
        let start = FileStart { action: 0 };
        vec![
            whole(name),
            PlanEnd,
            start,
            Literal(b"content"),
            FileEnd,
            ContentEnd { publish: true },
        ]
    };
    for name in ["link/evil", "link/deeper/evil", "link/secret"] {
        let heard = host.hear_messages(&content(name));
        assert!(heard.failure.is_some() && !heard.published, "{name}: {heard:?}");
        assert_eq!(host.outside(), outside, "{name}");
        host.reset();
    }
    // A link that the plan makes a directory of goes away; where it led stays.
    let mut messages = content("link/evil");
    messages.insert(0, known(3, What::Dir { mode: 0o755 }));
    messages[3] = Message::FileStart { action: 1 };
    let heard = host.hear_messages(&messages);
    assert!(heard.published, "{heard:?}");
    assert_eq!(fs::read(host.at("dest/link/evil")).unwrap(), b"content");
    assert_eq!(host.outside(), outside);
    host.reset();
    // Touching and deleting the link do not reach through it either.
    for what in [touch(), What::Delete] {
        let messages = [known(3, what), Message::PlanEnd, Message::ContentEnd { publish: true }];
        let _ = host.hear_messages(&messages);
        assert_eq!(host.outside(), outside);
        host.reset();
    }
}

#[test]
fn links_in_place_of_the_work_directory_lead_nowhere() {
    use Message::*;
    let host = Host::new();
    let (start, publish) = (FileStart { action: 0 }, ContentEnd { publish: true });
    let messages = [whole("x"), PlanEnd, start, Literal(b"content"), FileEnd, publish];
    let outside = host.outside();
    for (link, target) in [
        (".assetsync-dest", "outside"),
        (".assetsync-dest/stage", "../outside"),
        (".assetsync-dest/lock", "../outside/secret"),
        (".assetsync-dest/clock", "../outside/secret"),
        (".assetsync-dest/index.new", "../outside/secret"),
    ] {
        host.reset();
        fs::create_dir_all(host.at(link).parent().unwrap()).unwrap();
        symlink(target, host.at(link)).unwrap();
        let heard = host.hear_messages(&messages);
        // Without an index the push is done all the same.
        assert!(heard.failure.is_some() || link.ends_with("index.new"), "{link}: {heard:?}");
        let found: Vec<_> =
            host.outside().into_iter().filter(|(path, _)| *path != host.at(link)).collect();
        assert_eq!(found, outside.clone().into_iter().collect::<Vec<_>>(), "{link}");
        let _ = fs::remove_file(host.at(link));
    }
}

#[test]
fn no_mode_gives_more_than_a_web_server_needs() {
    use Message::*;
    let host = Host::new();
    let What::File(plain) = file(Recipe::Whole, b"content") else { unreachable!() };
    let wide = What::File(FileAction { mode: 0o7777, ..plain });
    let messages = [
        new("d", What::Dir { mode: 0o7777 }),
        new("d/x", wide),
        PlanEnd,
        FileStart { action: 1 },
        Literal(b"content"),
        FileEnd,
        ContentEnd { publish: true },
    ];
    let heard = host.hear_messages(&messages);
    assert!(heard.published, "{heard:?}");
    for name in ["dest/d", "dest/d/x"] {
        let mode = fs::metadata(host.at(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o775, "{name} has mode {mode:o}");
    }
}

#[test]
fn a_plan_that_can_not_fit_is_refused_before_anything_is_written() {
    let host = Host::new();
    let before = host.contents();
    let mut plain = raw_file(0o644, 1 << 44);
    plain.push(4);
    let heard = host.hear([host.hello().line(), packed_raw(&plain)].concat());
    let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
    assert!(said.contains("Disk full"), "{said}");
    assert_eq!(host.contents(), before);
}

/// An agent on two pipes whose other ends are held, and its end.
fn held_agent(
    host: &Host,
    timeout_ms: u32,
) -> (File, File, mpsc::Receiver<Result<(), AgentError>>) {
    let (input, to_agent) = io::pipe().unwrap();
    let (from_agent, output) = io::pipe().unwrap();
    let agent = within(move || serve(input.into(), output.into(), NONCE));
    let mut to_agent = File::from(OwnedFd::from(to_agent));
    to_agent.write_all(&Hello { timeout_ms, ..host.hello() }.line()).unwrap();
    (to_agent, File::from(OwnedFd::from(from_agent)), agent)
}

#[test]
fn an_agent_whose_sender_says_nothing_ends_by_itself() {
    let host = Host::new();
    let (_to_agent, _from_agent, agent) = held_agent(&host, 100);
    let ended = agent.recv_timeout(PATIENCE).expect("the agent ends");
    assert!(matches!(ended, Err(AgentError::Gone)), "{ended:?}");
}

#[test]
fn an_agent_whose_sender_hears_nothing_ends_by_itself() {
    let host = Host::new();
    // More names than fit into a pipe, and none like the other.
    for number in 0..4000_u32 {
        let name = Digest::of(&number.to_le_bytes()).0.map(|byte| format!("{byte:02x}")).concat();
        fs::write(host.at("dest").join(name), "").unwrap();
    }
    let (_to_agent, _from_agent, agent) = held_agent(&host, 100);
    let ended = agent.recv_timeout(Duration::from_secs(20)).expect("the agent ends");
    assert!(matches!(ended, Err(AgentError::Gone)), "{ended:?}");
    // Its lock went with it. (So few paths now that an agent nobody listens to gets them into the pipe.)
    fs::remove_dir_all(host.at("dest")).unwrap();
    let again = host.hear_messages(&[Message::Bye]).ended;
    assert!(again.is_ok(), "{again:?}");
}

// ---- hostile agents ----

/// A source, and a remote shell behind which anything may be.
struct Client {
    dir: tempfile::TempDir,
}

impl Client {
    fn new() -> Client {
        let client = Client { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(client.at("src/dir")).unwrap();
        fs::write(client.at("src/a.txt"), "new a").unwrap();
        fs::write(client.at("src/dir/b.txt"), "old b ".repeat(1000) + "and more").unwrap();
        fs::write(client.at("src/dir/c.txt"), "c").unwrap();
        client
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets a sender hear `script` from an agent that then does `after`, a line of shell.
    fn hear(&self, script: &[u8], after: &str) -> Result<Report, PushError> {
        fs::write(self.at("said"), script).unwrap();
        let said = self.at("said");
        let said = said.display();
        self.push_to(&format!("echo \"assetsync:$nonce:ready\"; cat '{said}'; {after}"))
    }

    fn hear_messages(&self, messages: &[Message<'_>], after: &str) -> Result<Report, PushError> {
        self.hear(&packed(messages), after)
    }

    /// Pushes to what these shell lines, which know `$nonce`, make believe.
    fn push_to(&self, lines: &str) -> Result<Report, PushError> {
        let shell = self.at("shell");
        // Written beside and renamed: one that is open for writing can't be run.
        let text = format!("#!/bin/sh\nset -- ${{2#*\"' sh \"}}\nnonce=$1\n{lines}\n");
        fs::write(self.at("shell.new"), text).unwrap();
        fs::set_permissions(self.at("shell.new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(self.at("shell.new"), &shell).unwrap();
        let source = self.at("src");
        let pushed = within(move || {
            let source = Source::scan(&source, &Filter::default()).unwrap();
            let rsh = Some(shell.display().to_string());
            let connection = Connection {
                agents: &Agents::default(),
                ssh: &SshOptions { rsh, ..SshOptions::default() },
                prompt: &NoPrompt,
                timeout: Duration::from_secs(5),
                bytes_per_second: None,
                dry_run: false,
                checksum: false,
                store: None,
                sharing: None,
            };
            let target = Target::parse("fake:/dest".as_ref()).unwrap();
            let mut options = Options::default();
            options.policy.delete = true;
            push(&source, &target, &connection, &options, &Silent)
        });
        pushed.recv_timeout(PATIENCE).expect("the push ends, without a panic")
    }
}

fn entry(name: &str, size: u64) -> Message<'static> {
    let kind = Kind::File { size };
    let entry = Entry { path: path(name), kind, mode: 0o644, mtime: Mtime::default() };
    Message::Entry(RemoteEntry { entry, digest: None })
}

fn state_end() -> Message<'static> {
    Message::StateEnd(Vitals { free_bytes: 1 << 40, ..Vitals::default() })
}

/// A destination with a `dir/b.txt` that the sender will want the signature of.
fn surveyed() -> Vec<Message<'static>> {
    vec![entry("dir/b.txt", 6000), state_end()]
}

#[test]
fn an_agent_that_breaks_the_protocol_is_refused() {
    use Message::*;
    let client = Client::new();
    let surveyed = |more: &[Message<'static>]| [&surveyed()[..], more].concat();
    let empty = |more: &[Message<'static>]| [&[state_end()], more].concat();
    let same = Compared(true);
    let leftover =
        Leftover(assetsync_sync::state::Leftover { digest: ShortDigest([1; 16]), size: 1 << 44 });
    let cases = [
        ("out of order", vec![entry("b", 1), entry("a", 1), state_end()]),
        ("twice", vec![entry("a", 1), entry("a", 1), state_end()]),
        ("below before above", vec![entry("a/b", 1), entry("a", 1), state_end()]),
        ("answer unasked", vec![same.clone()]),
        ("published nothing", empty(&[Published(Vitals::default())])),
        ("a sender's words", vec![PlanEnd]),
        ("state in the middle", empty(&[entry("a", 1)])),
        ("signature unasked", empty(&[Signature { basis_bytes: 1 }])),
        (
            "signature of too many blocks",
            surveyed(&[Signature { basis_bytes: 1 }, Blocks(&[0; 100])]),
        ),
        ("blocks without a signature", surveyed(&[Blocks(&[0; 8])])),
        ("basis larger than any", surveyed(&[Signature { basis_bytes: 1 << 44 }])),
        ("more answers than questions", surveyed(&[Gone, Gone])),
        ("the same, unasked", surveyed(&[same, AnswerEnd])),
        ("failure of no file", empty(&[Failed { action: 9_999_999 }, StagedEnd])),
        ("failure of a directory", empty(&[Failed { action: 1 }, StagedEnd])),
        ("blocks while staging", empty(&[Blocks(&[0; 8])])),
        ("late leftover", empty(&[leftover])),
    ];
    let mut wrong = Vec::new();
    for (name, messages) in cases {
        let pushed = client.hear_messages(&messages, "cat > /dev/null");
        if !matches!(pushed, Err(PushError::Protocol(_))) {
            wrong.push(format!("{name}: {pushed:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn bytes_from_an_agent_that_are_no_messages_are_refused() {
    let client = Client::new();
    let raw_entry = |name: &[u8]| {
        let mut plain = vec![32, 0b0001_1000, 0];
        put_bytes(&mut plain, name);
        plain.push(0);
        packed_raw(&plain)
    };
    let mut frame = Vec::new();
    put_frame(&mut frame, FrameKind::Stored, b"stored");
    let cases: [(&str, Script); 10] = [
        ("..", raw_entry(b"../x")),
        ("absolute", raw_entry(b"/etc/passwd")),
        ("NUL", raw_entry(b"a\0b")),
        (
            "huge size",
            packed_raw(&[32, 0x18, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ),
        ("unknown message", packed_raw(&[99])),
        ("shared path", packed_raw(&[32, 0x18, 200, 1, 1, b'a', 0])),
        ("unknown frame", vec![77, 0, 0, 0]),
        ("long frame", vec![1, 255, 255, 255]),
        ("stored content", frame),
        ("no zstd", [&[1, 9, 0, 0][..], b"not zstd!"].concat()),
    ];
    for (name, bytes) in cases {
        let pushed = client.hear(&bytes, "cat > /dev/null");
        let refused = matches!(pushed, Err(PushError::Protocol(_) | PushError::Inbox(_)));
        assert!(refused, "{name}: {pushed:?}");
    }
}

#[test]
fn an_agent_that_never_ends_is_left() {
    use Message::*;
    let client = Client::new();
    let said = client.at("said");
    let forever = format!("while cat '{}'; do :; done 2>&-", said.display());
    // Blocks that hold nothing, and more failures than there are files.
    let empty_blocks = packed_raw(&[37, 0].repeat(10_000));
    let failures = packed_raw(&[40, 0].repeat(10_000));
    for (name, first, endless) in [
        (
            "empty blocks",
            [&surveyed()[..], &[Signature { basis_bytes: 6000 }]].concat(),
            empty_blocks,
        ),
        ("failures", vec![state_end()], failures),
    ] {
        let head = client.at("head");
        let mut outbox = Outbox::new(1).unwrap();
        first.iter().for_each(|message| outbox.send(message));
        // Ends the zstd frame, for another one follows.
        outbox.tune(1, 20).unwrap();
        outbox.flush();
        fs::write(&head, outbox.take()).unwrap();
        fs::write(&said, endless).unwrap();
        let head = head.display();
        let pushed = client.push_to(&format!(
            "echo \"assetsync:$nonce:ready\"; cat '{head}'; cat > /dev/null & {forever}"
        ));
        assert!(matches!(pushed, Err(PushError::Protocol(_))), "{name}: {pushed:?}");
    }
}

#[test]
fn an_agent_that_falls_silent_or_leaves_is_given_up() {
    let client = Client::new();
    for messages in [vec![], vec![entry("a", 1)], surveyed(), vec![state_end()]] {
        let pushed = client.hear_messages(&messages, "exit 3");
        assert!(matches!(pushed, Err(PushError::Closed(_))), "{messages:?}: {pushed:?}");
    }
    let pushed = client.hear_messages(&surveyed(), "exec sleep 600");
    assert!(matches!(pushed, Err(PushError::Silent(_))), "{pushed:?}");
    let failure = Failure {
        code: assetsync_sync::proto::FailureCode::NoSpace,
        text: "full \u{1b}[2J".into(),
    };
    let mut outbox = Outbox::new(1).unwrap();
    outbox.fail(&failure);
    let pushed = client.hear(&outbox.take(), "cat > /dev/null");
    let said = pushed.unwrap_err().to_string();
    assert!(said.contains("full") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_is_said_by_the_wrong_name_is_never_sent() {
    use Message::*;
    // An agent can only ask for positions of the plan, and gets the file the plan has there, whole.
    let client = Client::new();
    let answers = vec![Failed { action: 0 }, StagedEnd, StagedEnd, Published(Vitals::default())];
    let heard = client.at("heard");
    let after = format!("cat > '{}'", heard.display());
    let pushed = client.hear_messages(&[vec![state_end()], answers].concat(), &after).unwrap();
    assert_eq!(pushed.retried, 1);
}

// ---- mutations ----

/// Not a test: what the recording below runs as an agent.
#[test]
fn agent_process() {
    if let Ok(nonce) = std::env::var("ASSETSYNC_TEST_NONCE") {
        use std::os::fd::AsFd;
        let input = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let output = io::stdout().as_fd().try_clone_to_owned().unwrap();
        let _ = serve(input, output, &nonce);
        std::process::exit(0);
    }
}

/// Both sides of a real push of the client's source to the host, from after the *Hello* and the banner.
fn record(client: &Client, host: &Host) -> (Script, Script) {
    let this = std::env::current_exe().unwrap();
    let (up, down) = (client.at("up"), client.at("down"));
    // The sender knows the destination by another name.
    fs::remove_dir_all(host.at("dest/link"))
        .or_else(|_| fs::remove_file(host.at("dest/link")))
        .unwrap();
    let target = host.at("dest").display().to_string();
    let shell = client.at("recording");
    let text = format!(
        "#!/bin/sh\nset -- ${{2#*\"' sh \"}}\nexport ASSETSYNC_TEST_NONCE=$1\n\
         tee '{}' | '{}' --exact agent_process --nocapture --quiet | tee '{}'\n",
        up.display(),
        this.display(),
        down.display()
    );
    fs::write(&shell, text).unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    let source = Source::scan(&client.at("src"), &Filter::default()).unwrap();
    let connection = Connection {
        agents: &Agents::default(),
        ssh: &SshOptions { rsh: Some(shell.display().to_string()), ..SshOptions::default() },
        prompt: &NoPrompt,
        timeout: PATIENCE,
        bytes_per_second: None,
        dry_run: false,
        checksum: false,
        store: None,
        sharing: None,
    };
    let mut options = Options::default();
    options.policy.delete = true;
    let target = Target::parse(format!("fake:{target}").as_ref()).unwrap();
    let report = push(&source, &target, &connection, &options, &Silent).unwrap();
    assert_eq!(report.recipes.keys().copied().collect::<Vec<_>>(), ["delta", "whole"]);
    let after_line = |bytes: Vec<u8>, word: &[u8]| {
        let at = bytes.windows(word.len()).position(|part| part == word).unwrap();
        let end = bytes[at..].iter().position(|&byte| byte == b'\n').unwrap();
        bytes[at + end + 1..].to_vec()
    };
    host.reset();
    (
        after_line(fs::read(up).unwrap(), b"assetsync 3 "),
        after_line(fs::read(down).unwrap(), b":ready"),
    )
}

/// The bytes of all messages in a script without stored content.
fn plain(script: &[u8]) -> Vec<u8> {
    let (mut rest, mut packed) = (script, Vec::new());
    while let [kind, a, b, c, more @ ..] = rest {
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let payload = &more[..length.min(more.len())];
        if *kind == 1 {
            packed.extend_from_slice(payload);
        }
        rest = &more[payload.len()..];
    }
    let mut plain = Vec::new();
    // The last frame of the stream is open for ever.
    let _ = zstd::stream::Decoder::new(&packed[..]).unwrap().read_to_end(&mut plain);
    assert!(!plain.is_empty());
    plain
}

/// Small random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(7) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => bytes[at..end].fill(0xff),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    let place = self.below(bytes.len());
                    bytes.splice(place..place, piece);
                }
                5 => {
                    let noise: Vec<u8> = (at..end).map(|_| self.below(256) as u8).collect();
                    bytes.splice(at..at, noise);
                }
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
    }

    /// A mutation of a script: half of them of its frames, half of what is in them.
    fn of(&mut self, script: &[u8], plain: &[u8]) -> Script {
        if self.below(2) == 0 {
            let mut bytes = script.to_vec();
            self.mutate(&mut bytes);
            bytes
        } else {
            let mut bytes = plain.to_vec();
            self.mutate(&mut bytes);
            packed_raw(&bytes)
        }
    }
}

#[test]
fn no_mutation_of_a_push_breaks_an_agent_or_out_of_its_destination() {
    let (client, host) = (Client::new(), Host::new());
    let (up, _) = record(&client, &host);
    let plain = plain(&up);
    let outside = host.outside();
    let mut random = Random(1);
    let mut published = 0;
    for number in 0..3000 {
        let script = random.of(&up, &plain);
        let heard = host.hear([host.hello().line(), script].concat());
        published += u32::from(heard.published);
        assert_eq!(host.outside(), outside, "mutation {number}");
        host.reset();
    }
    assert!(published < 2000, "{published} mutations did no harm: what is mutated?");
}

#[test]
fn no_mutation_of_an_agents_answers_breaks_a_sender() {
    let (client, host) = (Client::new(), Host::new());
    let (_, down) = record(&client, &host);
    let plain = plain(&down);
    let mut random = Random(2);
    // Few mutations leave a conversation that makes sense, in some recordings none; the recording itself does.
    let unchanged = client.hear(&down, "exec >&-; cat > /dev/null");
    assert!(unchanged.is_ok(), "{unchanged:?}");
    let scripts = (0..1000).map(|_| random.of(&down, &plain));
    let ill = scripts.filter(|script| client.hear(script, "exec >&-; cat > /dev/null").is_err());
    let ill = ill.count();
    assert!(ill > 300, "only {ill} were refused");
}
