//! What the bucket holds: by its state, and where that does not say it, by a list.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use assetsync_sync::Source;
use md5::{Digest as _, Md5};

use super::each::each;
use super::holder::{Holder, LEASE};
use crate::error::BucketError;
use crate::memory::Memory;
use crate::objects::{Objects, Read};
use crate::plan::wanted::Wanted;
use crate::state::codec::{self, StateError};
use crate::state::resolve::resolve;
use crate::state::{STATE, State};

/// How much of a file is read at a time.
const READ_BYTES: usize = 256 << 10;

/// What the bucket holds.
pub struct Surveyed {
    /// The objects. There is no intent.
    pub state: State,
    /// The state object.
    pub holder: Holder,
    /// Whether the state object says exactly this.
    pub is_settled: bool,
}

/// The state as it is stored.
struct Stored {
    state: State,
    etag: Option<String>,
    /// Whether it may not be what the bucket holds.
    is_doubtful: bool,
}

/// Asks for the state; lists the bucket if that is asked for, or if the state does not say what is
/// there.
pub fn survey(
    objects: &Objects<'_>,
    mut memory: Memory,
    list: bool,
) -> Result<Surveyed, BucketError> {
    let stored = stored(objects, &mut memory)?;
    let holder = Holder::new(stored.etag, memory);
    if !list && !stored.is_doubtful {
        let state = stored.state;
        return Ok(Surveyed { state, holder, is_settled: true });
    }
    let state = resolve(&stored.state, &objects.list()?, objects.prefix);
    let is_settled = state == stored.state;
    Ok(Surveyed { state, holder, is_settled })
}

fn stored(objects: &Objects<'_>, memory: &mut Memory) -> Result<Stored, BucketError> {
    let remembered = memory.state.as_ref().and_then(|(etag, bytes)| {
        let state = codec::decode(bytes).ok()?;
        Some((etag.clone(), state))
    });
    let known = remembered.as_ref().map(|(etag, _)| etag.as_str());
    match (objects.read(STATE, known)?, remembered) {
        (Read::Same, Some((etag, state))) => {
            Ok(Stored { state, etag: Some(etag), is_doubtful: false })
        }
        (Read::Found { content, etag, age }, _) => found(objects, memory, (&content, etag), age),
        (Read::Missing | Read::Same, _) => {
            Ok(Stored { state: State::default(), etag: None, is_doubtful: true })
        }
    }
}

fn found(
    objects: &Objects<'_>,
    memory: &mut Memory,
    (content, etag): (&[u8], String),
    age: Option<Duration>,
) -> Result<Stored, BucketError> {
    let state = match codec::decode(content) {
        Ok(state) => state,
        Err(StateError::Damaged) => {
            let state = State::default();
            return Ok(Stored { state, etag: Some(etag), is_doubtful: true });
        }
        Err(error @ StateError::Version) => {
            let key = format!("{}{STATE}", objects.prefix);
            return Err(BucketError::State { key, error });
        }
    };
    let Some(intent) = &state.intent else {
        memory.keep(&etag, content)?;
        return Ok(Stored { state, etag: Some(etag), is_doubtful: false });
    };
    let is_own = memory.run.as_ref() == Some(&intent.run);
    let left = LEASE.saturating_sub(age.unwrap_or_default());
    if !is_own && !left.is_zero() {
        let who = intent.who.clone();
        return Err(BucketError::Busy { who, seconds: left.as_secs() + 1 });
    }
    Ok(Stored { state, etag: Some(etag), is_doubtful: true })
}

/// Finds objects of other programs that have the wanted content: by their ETag, which is the MD5 of
/// what was put there at once.
pub fn identify(
    state: &mut State,
    wanted: &BTreeMap<String, Wanted>,
    source: &Source,
) -> Result<(), BucketError> {
    let is_md5 = |etag: &str| etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unknown: Vec<(&String, &Wanted, String)> = wanted
        .iter()
        .filter_map(|(path, wanted)| {
            let object = state.objects.get(path)?;
            let may_be = object.digest.is_none() && object.size == wanted.size;
            (may_be && is_md5(&object.etag)).then(|| (path, wanted, object.etag.clone()))
        })
        .collect();
    let same = each(&unknown, |(_, wanted, etag)| Ok(md5_of(source, wanted)? == *etag))?;
    for ((path, wanted, _), same) in unknown.into_iter().zip(same) {
        if let Some(object) = state.objects.get_mut(path).filter(|_| same) {
            object.digest = Some(wanted.digest);
        }
    }
    Ok(())
}

fn md5_of(source: &Source, wanted: &Wanted) -> Result<String, BucketError> {
    let failed = |source| {
        let path = wanted.source.to_string();
        BucketError::Push(assetsync_sync::PushError::Changing { path, source })
    };
    let mut file = source.open(&wanted.source).map_err(failed)?;
    let (mut hash, mut buffer) = (Md5::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
