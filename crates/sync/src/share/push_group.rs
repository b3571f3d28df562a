//! Pushes of one source to several destinations share drafts, and encodings for destinations in the
//! same state.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use assetsync_core::plan::Plan;
use assetsync_core::protocol::{
    CodecContext, Message, StateHasher, ToAgent, put_bytes, put_number,
};
use assetsync_core::recipe::Recipes;
use assetsync_core::state::{Partial, RetainedContent, State, StateId};

use super::run_members::RunMembers;
use super::shared_encoding::{SharedEncoding, SharedEncodingReader, SharedEncodingWriter};
use crate::compare::answers::{Answer, Answers};
use crate::draft::drafts::{Draft, Drafts};
use crate::draft::exact_diff::PatchOp;
use crate::encode::job::EncodeJob;
use crate::error::PushError;

/// Shared by pushes of one source with one store and equal options. Used once.
///
/// Destinations in the same state are sent the same bytes, encoded once. A push that fails or is
/// slow does not affect the others.
#[derive(Debug, Default)]
pub struct PushGroup {
    /// How many destinations there are.
    destinations: usize,
    /// Which of them are one directory.
    pub(crate) members: RunMembers,
    drafts: Mutex<HashMap<CacheKey, Arc<OnceLock<Arc<Drafts>>>>>,
    shared: Mutex<HashMap<CacheKey, Arc<SharedEncoding>>>,
    encodings: AtomicU64,
    encoded_bytes: AtomicU64,
}

/// Cache key: BLAKE3 of every input of a draft or an encoding.
type CacheKey = [u8; 32];

/// Drafts, and whether this push made them.
pub struct SharedDrafts {
    /// The drafts.
    pub drafts: Arc<Drafts>,
    /// Whether no other push had made them.
    pub is_new: bool,
}

impl PushGroup {
    /// A group of this many destinations that shares nothing yet.
    pub fn for_destinations(destinations: usize) -> PushGroup {
        PushGroup { destinations, ..PushGroup::default() }
    }

    /// Whether there are other destinations to share with.
    pub(crate) fn has_several(&self) -> bool {
        self.destinations > 1
    }

    /// The number of encodings.
    pub fn encodings(&self) -> u64 {
        self.encodings.load(Ordering::Relaxed)
    }

    /// Bytes of all encodings.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        self.encoded_bytes.load(Ordering::Relaxed)
    }

    /// The shared encoding of `work` that begins with the codec context `context`: a reader, and
    /// the writer if no other push has begun it.
    pub(crate) fn encoding(
        &self,
        work: &EncodeJob<'_>,
        context: CodecContext,
    ) -> Result<(SharedEncodingReader, Option<SharedEncodingWriter>), PushError> {
        let key = key_of(work, &context);
        let mut shared = lock(&self.shared);
        if let Some(reader) = shared.get(&key).and_then(SharedEncoding::join) {
            return Ok((reader, None));
        }
        let (encoding, writer, reader) = SharedEncoding::begin(context).map_err(PushError::Io)?;
        shared.insert(key, encoding);
        Ok((reader, Some(writer)))
    }

    /// Counts an encoding of this many bytes.
    pub(crate) fn count(&self, bytes: u64) {
        self.encodings.fetch_add(1, Ordering::Relaxed);
        self.encoded_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Everything that drafts depend on, besides the source and the entries of the destination.
#[derive(Clone, Copy)]
pub struct DraftInputs<'s> {
    /// The recipes that may be used.
    pub recipes: Recipes,
    /// Partials at the destination.
    pub partials: &'s [Partial],
    /// Retained contents at the destination.
    pub retained_contents: &'s [RetainedContent],
}

impl DraftInputs<'_> {
    fn key(&self, id: StateId) -> CacheKey {
        let Recipes { copy, rewrite, patch, delta, regzip } = self.recipes;
        let mut bytes = id.0.to_vec();
        bytes.extend([copy, rewrite, patch, delta, regzip].map(u8::from));
        put_partials(&mut bytes, self.partials);
        for retained_contents in self.retained_contents {
            bytes.extend_from_slice(&retained_contents.digest.0);
            put_number(&mut bytes, retained_contents.size);
        }
        key(&bytes)
    }
}

/// The drafts for a destination with the entries of `id`. The first call makes them; concurrent
/// calls wait.
pub fn drafts(
    group: Option<&PushGroup>,
    id: impl FnOnce() -> StateId,
    existing: DraftInputs<'_>,
    make: impl FnOnce() -> Drafts,
) -> SharedDrafts {
    let Some(group) = group else {
        return SharedDrafts { drafts: Arc::new(make()), is_new: true };
    };
    let cell = Arc::clone(lock(&group.drafts).entry(existing.key(id())).or_default());
    let mut is_new = false;
    let drafts = cell.get_or_init(|| {
        is_new = true;
        Arc::new(make())
    });
    SharedDrafts { drafts: Arc::clone(drafts), is_new }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(bytes: &[u8]) -> CacheKey {
    *blake3::hash(bytes).as_bytes()
}

/// The key of everything that the bytes of an encoding depend on, besides the source. The link
/// speed decides only the first compression level, and the plan.
fn key_of(work: &EncodeJob<'_>, context: &CodecContext) -> CacheKey {
    let inputs = work.inputs;
    let mut bytes = vec![u8::from(work.sends_renames)];
    context.put(&mut bytes);
    put_state(&mut bytes, inputs.state);
    put_plan(&mut bytes, work.plan, inputs.drafts);
    put_answers(&mut bytes, inputs.answers);
    put_drafts(&mut bytes, inputs.drafts);
    key(&bytes)
}

fn put_state(bytes: &mut Vec<u8>, state: &State) {
    bytes.extend_from_slice(&StateHasher::id(&state.entries).0);
    put_partials(bytes, &state.partials);
}

fn put_partials(bytes: &mut Vec<u8>, partials: &[Partial]) {
    put_number(bytes, partials.len() as u64);
    for partial in partials {
        bytes.extend_from_slice(&partial.digest.0);
        put_number(bytes, partial.size);
    }
}

/// Appends the plan as it is sent.
fn put_plan(bytes: &mut Vec<u8>, plan: &Plan, drafts: &Drafts) {
    let context = &mut CodecContext::default();
    for (old, new) in drafts.substitutes.iter().cloned() {
        ToAgent::Substitute { old, new }.encode(bytes, context);
    }
    for (_, rename) in &drafts.renames {
        ToAgent::Rename(rename.clone()).encode(bytes, context);
    }
    for order in plan.wire_actions() {
        ToAgent::Action(order).encode(bytes, context);
    }
    ToAgent::PlanEnd.encode(bytes, context);
}

fn put_answers(bytes: &mut Vec<u8>, answers: &Answers) {
    let mut answers: Vec<_> = answers.iter().collect();
    answers.sort_unstable_by_key(|(known, _)| **known);
    put_number(bytes, answers.len() as u64);
    for (known, answer) in answers {
        put_number(bytes, u64::from(known.number()));
        bytes.push(match answer {
            Answer::ContentMatch => 0,
            Answer::Different => 1,
            Answer::Gone => 2,
            Answer::Signed(_) => 3,
        });
        if let Answer::Signed(signature) = answer {
            let spec = signature.spec();
            put_number(bytes, u64::from(spec.block_bytes));
            bytes.push(spec.strong_bytes);
            put_number(bytes, signature.basis_bytes());
            put_bytes(bytes, signature.entries());
        }
    }
}

/// Appends the operations of patches. Which files are patches, and their bases, is in the plan.
fn put_drafts(bytes: &mut Vec<u8>, drafts: &Drafts) {
    let mut files: Vec<_> = drafts.files.iter().collect();
    files.sort_unstable_by_key(|(at, _)| **at);
    for (at, draft) in files {
        let Draft::Compared { pieces, .. } = draft else { continue };
        put_number(bytes, u64::from(at.number()));
        put_number(bytes, pieces.len() as u64);
        for piece in pieces {
            put_piece(bytes, piece);
        }
    }
}

fn put_piece(bytes: &mut Vec<u8>, piece: &PatchOp) {
    let numbers = match piece {
        PatchOp::Copy { offset, length } => [0, *offset, *length, 0, 0],
        PatchOp::New { range, nearby } => [1, range.start, range.end, nearby.start, nearby.end],
    };
    numbers.iter().for_each(|&number| put_number(bytes, number as u64));
}

#[cfg(test)]
mod tests {
    use assetsync_core::index::Index;

    use std::{fs, thread};

    use assetsync_core::delta::{Signature, SignatureSpec};
    use assetsync_core::digest::{Digest, ShortDigest};
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::Rename;
    use assetsync_core::protocol::Outbox;
    use assetsync_core::recipe::{Basis, Reference};
    use assetsync_core::state::RemoteEntry;

    use super::*;
    use crate::compare::comparison::Comparison;
    use crate::compare::policy::Policy;
    use crate::cost::line::Line;
    use crate::draft::old_contents::NoContents;
    use crate::encode::inputs::{DeltaBytes, EncodeInputs};
    use crate::scan::source::Source;

    /// The inputs of an encoding.
    #[derive(Clone, Default)]
    struct Given {
        sends_renames: bool,
        context: CodecContext,
        state: State,
        answers: Answers,
        substitutes: Vec<(Vec<u8>, Vec<u8>)>,
        pieces: Vec<PatchOp>,
        delete: bool,
    }

    fn key_for(source: &Source, given: &Given) -> CacheKey {
        let policy = Policy { delete: given.delete, ..Policy::default() };
        let reference = Reference { basis: Basis::Existing(Index::new(0)), rewritten: false };
        let draft = Draft::Compared { reference, pieces: given.pieces.clone() };
        let drafts = Drafts {
            substitutes: given.substitutes.clone(),
            files: HashMap::from([(Index::new(0), draft)]),
            ..Drafts::default()
        };
        let entries = source.hashed().unwrap();
        let comparison =
            Comparison::new(entries, &given.state, &policy, Recipes::ALL).with(Arc::new(drafts));
        let plan = comparison.plan(&given.answers).unwrap();
        let inputs = EncodeInputs {
            source,
            entries,
            state: &given.state,
            drafts: comparison.drafts(),
            answers: &given.answers,
            old: &NoContents,
            deltas: &DeltaBytes::default(),
        };
        let work = EncodeJob::new(&plan, &inputs, given.sends_renames, Line::UNKNOWN);
        key_of(&work, &given.context)
    }

    fn state(size: u64) -> State {
        let path = RelPath::new(b"own.txt").unwrap();
        let entry = Entry { path, kind: Kind::File { size }, mode: 0o644, mtime: Mtime::default() };
        State { entries: vec![RemoteEntry { entry, digest: None }], partials: Vec::new() }
    }

    fn memory_after(known: u32) -> CodecContext {
        let mut outbox = Outbox::new(1).unwrap();
        outbox.send(&ToAgent::Rename(Rename {
            known: Index::new(known),
            start: 0,
            length: 8,
            new: vec![b'a'; 8],
        }));
        outbox.end()
    }

    fn signed(byte: u8) -> Answer {
        let spec = SignatureSpec::new(1024, 2).unwrap();
        Answer::Signed(Signature::new(spec, 10, vec![byte; spec.entry_bytes()]).unwrap())
    }

    #[test]
    fn the_same_is_shared_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("app.js"), "content").unwrap();
        let source = Source::scan(dir.path(), &Policy::default()).unwrap();
        let partial = |size| {
            let partials = vec![Partial { digest: ShortDigest([1; 16]), size }];
            Given { state: State { partials, ..State::default() }, ..Given::default() }
        };
        let answer = |answer| Given {
            answers: Answers::from([(Index::new(3), answer)]),
            ..Given::default()
        };
        let piece = |piece| Given { pieces: vec![piece], ..Given::default() };
        let given = [
            Given::default(),
            Given { sends_renames: true, ..Given::default() },
            Given { context: memory_after(4), ..Given::default() },
            Given { context: memory_after(5), ..Given::default() },
            Given { state: state(1), ..Given::default() },
            Given { state: state(2), ..Given::default() },
            Given { state: state(2), delete: true, ..Given::default() },
            partial(1),
            partial(2),
            answer(Answer::ContentMatch),
            answer(Answer::Gone),
            answer(signed(1)),
            answer(signed(2)),
            Given { substitutes: vec![(vec![1; 6], vec![2; 6])], ..Given::default() },
            piece(PatchOp::Copy { offset: 1, length: 2 }),
            piece(PatchOp::Copy { offset: 2, length: 1 }),
            piece(PatchOp::New { range: 0..7, nearby: 0..0 }),
            piece(PatchOp::New { range: 0..7, nearby: 0..1 }),
        ];
        let keys: Vec<CacheKey> = given.iter().map(|given| key_for(&source, given)).collect();
        let again: Vec<CacheKey> =
            given.iter().map(|given| key_for(&source, &given.clone())).collect();
        assert_eq!(keys, again);
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "number {at} is taken for another one");
        }

        // Another content gives another plan.
        fs::write(dir.path().join("app.js"), "CONTENT").unwrap();
        let other = Source::scan(dir.path(), &Policy::default()).unwrap();
        assert_ne!(key_for(&source, &given[0]), key_for(&other, &given[0]));
    }

    #[test]
    fn drafts_are_made_once_for_each_state() {
        let group = PushGroup::for_destinations(2);
        let all = DraftInputs { recipes: Recipes::ALL, partials: &[], retained_contents: &[] };
        let drafts = |id: u8, existing: DraftInputs<'_>| {
            drafts(Some(&group), || StateId([id; 16]), existing, Drafts::default)
        };
        let of = |id: u8, partials: &[Partial]| drafts(id, DraftInputs { partials, ..all });
        let made: Vec<SharedDrafts> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| of(1, &[]))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|made| made.is_new).count(), 1);
        assert!(made.iter().all(|other| Arc::ptr_eq(&other.drafts, &made[0].drafts)));
        let partial = Partial { digest: Digest::of(b"left").short(), size: 4 };
        assert!(of(2, &[]).is_new && of(1, &[partial]).is_new && !of(2, &[]).is_new);
        let retained_contents = [RetainedContent { digest: Digest::of(b"aside"), size: 5 }];
        assert!(drafts(1, DraftInputs { retained_contents: &retained_contents, ..all }).is_new);
        assert!(drafts(1, DraftInputs { recipes: Recipes::FAST_LINK, ..all }).is_new);
    }
}
