//! The engine's parts, each beside whoever else does the same work: `fast_rsync` for signatures and
//! matching, plain zstd for the protocol. `cargo bench` runs all of it; figures are throughputs of
//! one core unless the name says otherwise.

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

use assetsync_core::delta::{Signature, SignatureSpec, sign};
use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::index::Index;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{ActionKind, ActionPath, FileAction, PublishRank, WireAction};
use assetsync_core::protocol::{Hello, Inbox, Outbox, Received, ToAgent};
use assetsync_core::recipe::{Recipe, Recipes};
use assetsync_core::state::{RemoteEntry, State};
use assetsync_receiver as agent;
use assetsync_sync::internals::{Answers, Comparison, Matcher, Op, Search, exact_diff};
use assetsync_sync::{Policy, Source, SourceEntry};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FILES: u64 = 100_000;
const BASIS: usize = 64 << 20;

/// Bytes that never repeat (xorshift), the same for every run.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut words = std::iter::from_fn(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes())
    });
    words.by_ref().take(length.div_ceil(8)).flatten().take(length).collect()
}

/// Text that compresses about as JavaScript does.
fn script(length: usize) -> Vec<u8> {
    let words = [
        "function ",
        "return ",
        "const ",
        "=>",
        "(",
        ")",
        "{",
        "}",
        ";",
        "this.",
        "null",
        "0",
        "\n",
    ];
    let picks = noise(length, 99);
    let text = picks.chunks(3).flat_map(|pick| {
        let name =
            format!("{}{:x}", words[usize::from(pick[0]) % words.len()], pick[pick.len() - 1]);
        name.into_bytes()
    });
    text.take(length).collect()
}

fn scan(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    for folder in 0..100 {
        let folder = dir.path().join(format!("{folder:02}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..FILES / 100 {
            fs::write(folder.join(format!("chunk-{file:08x}.js")), noise(256, file)).unwrap();
        }
    }
    let mut group = c.benchmark_group("scan");
    group.sample_size(10).throughput(Throughput::Elements(FILES));
    group.bench_function("source, 100,000 files, hashed, all cores", |b| {
        b.iter(|| Source::scan(dir.path(), &Policy::default()).unwrap().hashed().unwrap().len());
    });
    group.finish();
}

/// A tree of 100,000 files; every tenth differs between the two sides, by a new fingerprint.
fn trees() -> (Vec<SourceEntry>, State) {
    let side = |new: bool| {
        let file = move |number: u64| {
            let changed = new && number.is_multiple_of(10);
            let print = if changed { number + 0x1000_0000 } else { number + 0xa000_0000 };
            let path = format!("assets/{:03}/module{number}-{print:08x}.js", number / 100);
            let entry = Entry {
                path: RelPath::new(path.as_bytes()).unwrap(),
                kind: Kind::File { size: 1000 },
                mode: 0o644,
                mtime: Mtime { secs: 1_700_000_000, nanos: number as u32 },
            };
            SourceEntry { entry, digest: Some(Digest::of(path.as_bytes())) }
        };
        let mut entries: Vec<_> = (0..FILES).map(file).collect();
        entries.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        entries
    };
    let remote = |local: SourceEntry| RemoteEntry {
        digest: local.digest.map(|digest| digest.short()),
        entry: local.entry,
    };
    let entries = side(false).into_iter().map(remote).collect();
    (side(true), State { entries, partials: Vec::new() })
}

fn plan(c: &mut Criterion) {
    let (source, state) = trees();
    let policy = Policy { delete: true, ..Policy::default() };
    let mut group = c.benchmark_group("plan");
    group.sample_size(10).throughput(Throughput::Elements(FILES));
    group.bench_function("compare and plan, 100,000 files", |b| {
        b.iter(|| {
            Comparison::new(&source, &state, &policy, Recipes::ALL).plan(&Answers::new()).unwrap()
        });
    });
    group.finish();
}

fn signed(basis: &[u8], spec: SignatureSpec) -> Signature {
    let mut entries = Vec::new();
    sign(basis, spec, |piece| {
        entries.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    Signature::new(spec, basis.len() as u64, entries).unwrap()
}

fn theirs(spec: SignatureSpec) -> fast_rsync::SignatureOptions {
    fast_rsync::SignatureOptions {
        block_size: spec.block_bytes,
        crypto_hash_size: u32::from(spec.strong_bytes),
    }
}

fn signature(c: &mut Criterion) {
    let basis = noise(BASIS, 1);
    let spec = SignatureSpec::for_basis(BASIS as u64, BASIS as u64);
    let mut group = c.benchmark_group("signature");
    group.sample_size(10).throughput(Throughput::Bytes(BASIS as u64));
    group.bench_function("assetsync, streaming", |b| b.iter(|| signed(&basis, spec)));
    group.bench_function("fast_rsync, in memory", |b| {
        b.iter(|| fast_rsync::Signature::calculate(&basis, theirs(spec)));
    });
    group.finish();
}

/// Runs our search as the sender does, in pieces; gives the number of literal bytes.
fn search(signature: &Signature, data: &[u8], how: Search) -> usize {
    let (mut matcher, mut literals, mut at) = (Matcher::new(signature), 0, 0);
    while at < data.len() {
        let piece = &data[at..data.len().min(at + (4 << 20))];
        let last = at + piece.len() == data.len();
        at += matcher.scan(piece, last, how, &mut |op| {
            if let Op::Literal(bytes) = op {
                literals += bytes.len();
            }
        });
    }
    literals
}

/// A file that shares no block with `constant`, where every byte is the same, but all weak sums:
/// one more, two less and one more at neighbouring bytes change neither half of them.
fn twin(constant: &[u8], spec: SignatureSpec) -> Vec<u8> {
    let mut bytes = constant.to_vec();
    for (number, block) in bytes.chunks_exact_mut(spec.block_bytes as usize).enumerate() {
        let place = number % (block.len() - 2);
        block[place] += 1;
        block[place + 1] -= 2;
        block[place + 2] += 1;
    }
    bytes
}

fn matching(c: &mut Criterion) {
    let basis = noise(BASIS, 1);
    let mut edited = basis.clone();
    (0..BASIS).step_by(100_000).for_each(|at| edited[at] ^= 1);
    let zeros = vec![0; BASIS];
    let constant = vec![100; BASIS];
    let spec = SignatureSpec::for_basis(BASIS as u64, BASIS as u64);
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("equal", &basis, &basis),
        ("edited", &basis, &edited),
        ("unrelated", &basis, &noise(BASIS, 2)),
        ("unrelated script", &script(BASIS), &script(2 * BASIS)[BASIS..]),
        ("zeros", &zeros, &zeros),
        ("equal weak sums", &twin(&constant, spec), &constant),
    ];
    for (name, basis, new) in cases {
        let mut group = c.benchmark_group(format!("match {name}"));
        group.sample_size(10).throughput(Throughput::Bytes(new.len() as u64));
        let ours = signed(basis, spec);
        for (name, how) in [("assetsync", Search::Thorough), ("assetsync, quick", Search::Quick)] {
            group.bench_function(name, |b| b.iter(|| search(&ours, new, how)));
        }
        let other = fast_rsync::Signature::calculate(basis, theirs(spec));
        let index = other.index();
        group.bench_function("fast_rsync", |b| {
            b.iter(|| {
                let mut delta = Vec::new();
                fast_rsync::diff(&index, new, &mut delta).unwrap();
                delta.len()
            });
        });
        group.bench_function("assetsync, both in memory", |b| {
            b.iter(|| exact_diff::compare(basis, new, 64).len());
        });
        group.finish();
    }
}

fn encoded(content: &[u8]) -> Vec<u8> {
    let mut outbox = Outbox::with_window(3, Some(23)).unwrap();
    content.chunks(limits::LITERAL_BYTES).for_each(|piece| outbox.send(&ToAgent::Literal(piece)));
    outbox.flush();
    outbox.take()
}

fn protocol(c: &mut Criterion) {
    let content = script(16 << 20);
    let mut group = c.benchmark_group("protocol");
    group.sample_size(10).throughput(Throughput::Bytes(content.len() as u64));
    group.bench_function("encode literals", |b| b.iter(|| encoded(&content)));
    group.bench_function("plain zstd of the same", |b| {
        b.iter(|| {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(23).unwrap();
            encoder.write_all(&content).unwrap();
            encoder.finish().unwrap()
        });
    });
    let bytes = encoded(&content);
    group.bench_function("decode literals", |b| b.iter(|| decoded(&bytes)));
    let plain = zstd::stream::encode_all(&content[..], 3).unwrap();
    group.bench_function("plain zstd decode of the same", |b| {
        b.iter(|| zstd::stream::decode_all(&plain[..]).unwrap());
    });
    group.finish();
}

fn decoded(bytes: &[u8]) -> usize {
    let (mut inbox, mut total) = (Inbox::<ToAgent<'_>>::new().unwrap(), 0);
    for piece in bytes.chunks(64 << 10) {
        inbox.receive(piece);
        while inbox.ready().unwrap() {
            if let Received::Message(ToAgent::Literal(bytes)) = inbox.pop().unwrap() {
                total += black_box(bytes).len();
            }
        }
    }
    total
}

/// All a sender says in a first push of 1,000 files to `destination`.
fn conversation(destination: &Path, content: &[u8]) -> Vec<u8> {
    let destination = destination.as_os_str().as_encoded_bytes().to_vec();
    let hello = Hello { destination, timeout_ms: 60_000, root_mode: 0o755, ..Hello::default() };
    let mut outbox = Outbox::with_window(3, Some(23)).unwrap();
    let size = content.len() as u64;
    let file = FileAction {
        size,
        mode: 0o644,
        mtime: Mtime::default(),
        digest: Some(Digest::of(content)),
        recipe: Recipe::Whole,
        rank: PublishRank::Ordinary,
    };
    for number in 0..1000 {
        let place = ActionPath::New(RelPath::new(format!("{number:04}.js").as_bytes()).unwrap());
        outbox.send(&ToAgent::Action(WireAction { place, what: ActionKind::File(file.clone()) }));
    }
    outbox.send(&ToAgent::PlanEnd);
    for action in 0..1000 {
        outbox.send(&ToAgent::FileStart { action: Index::new(action) });
        content
            .chunks(limits::LITERAL_BYTES)
            .for_each(|piece| outbox.send(&ToAgent::Literal(piece)));
        outbox.send(&ToAgent::FileEnd);
    }
    outbox.send(&ToAgent::ContentEnd { publish: true });
    outbox.flush();
    [hello.line(), outbox.take()].concat()
}

/// Lets an agent hear `bytes` and waits for its end.
fn serve(bytes: &[u8]) {
    let (input, mut to_agent) = std::io::pipe().unwrap();
    let (mut from_agent, output) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || agent::serve(input.into(), output.into(), "00").unwrap());
        scope.spawn(move || to_agent.write_all(bytes).unwrap());
        from_agent.read_to_end(&mut Vec::new()).unwrap();
    });
}

fn apply(c: &mut Criterion) {
    let content = script(32 << 10);
    let mut group = c.benchmark_group("apply");
    group.sample_size(10).throughput(Throughput::Bytes(1000 * content.len() as u64));
    group.bench_function("agent, 1,000 new files of 32 KiB, published and synced", |b| {
        b.iter_batched(
            || {
                let dir = tempfile::tempdir().unwrap();
                let bytes = conversation(&dir.path().join("assets"), &content);
                (dir, bytes)
            },
            |(dir, bytes)| {
                serve(&bytes);
                dir
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, scan, plan, signature, matching, protocol, apply);
criterion_main!(benches);
