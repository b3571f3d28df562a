//! What the bucket holds: by its state, and where that does not say it, by a list.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use assetsync_sync::Source;
use md5::{Digest as _, Md5};

use super::each::each;
use super::holder::{Holder, LEASE};
use crate::error::BucketError;
use crate::http::xml::Listed;
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

impl Stored {
    /// There is none.
    fn missing() -> Stored {
        Stored { state: State::default(), etag: None, is_doubtful: true }
    }

    fn remembered((etag, state): (String, State)) -> Stored {
        Stored { state, etag: Some(etag), is_doubtful: false }
    }
}

/// Asks for the state, and lists the bucket if the state does not say what is there. If a list is
/// asked for, that comes first, as it shows whether there is a state, and whether it is the one
/// that this machine remembers.
pub fn survey(
    objects: &Objects<'_>,
    mut memory: Memory,
    list: bool,
) -> Result<Surveyed, BucketError> {
    let (stored, listed) = match list {
        true => listed(objects, &mut memory)?,
        false => (stored(objects, &mut memory)?, None),
    };
    let holder = Holder::new(stored.etag, memory);
    let listed = match listed {
        Some(listed) => listed,
        None if stored.is_doubtful => objects.list()?,
        None => return Ok(Surveyed { state: stored.state, holder, is_settled: true }),
    };
    let state = resolve(&stored.state, &listed, objects.prefix);
    let is_settled = state == stored.state;
    Ok(Surveyed { state, holder, is_settled })
}

/// A list, and the state that it shows. Without a list, another push has written the state since.
fn listed(
    objects: &Objects<'_>,
    memory: &mut Memory,
) -> Result<(Stored, Option<Vec<Listed>>), BucketError> {
    let listed = objects.list()?;
    let key = format!("{}{STATE}", objects.prefix);
    let Some(shown) = listed.iter().find(|object| object.key == key) else {
        return Ok((Stored::missing(), Some(listed)));
    };
    let stored = match remembered(memory) {
        Some(known) if known.0 == shown.etag => Stored::remembered(known),
        _ => stored(objects, memory)?,
    };
    let is_as_listed = stored.etag.as_ref() == Some(&shown.etag);
    let is_doubtful = stored.is_doubtful || !is_as_listed;
    Ok((Stored { is_doubtful, ..stored }, is_as_listed.then_some(listed)))
}

fn remembered(memory: &Memory) -> Option<(String, State)> {
    let (etag, bytes) = memory.state.as_ref()?;
    Some((etag.clone(), codec::decode(bytes).ok()?))
}

fn stored(objects: &Objects<'_>, memory: &mut Memory) -> Result<Stored, BucketError> {
    let remembered = remembered(memory);
    let known = remembered.as_ref().map(|(etag, _)| etag.as_str());
    match (objects.read(STATE, known)?, remembered) {
        (Read::Same, Some(known)) => Ok(Stored::remembered(known)),
        (Read::Found { content, etag, age }, _) => found(objects, memory, (&content, etag), age),
        (Read::Missing | Read::Same, _) => Ok(Stored::missing()),
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
    let same = each(
        &unknown,
        |(_, wanted, _)| wanted.size,
        |(_, wanted, etag)| Ok(md5_of(source, wanted)? == *etag),
    )?;
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
