//! The state as it is stored: a line with the version, then JSON, compressed by zstd.

use std::collections::BTreeMap;
use std::io::Read;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Intent, Object, RunId, State, is_kept_name};
use crate::headers::Headers;

/// What a state begins with; the number is its version.
const MAGIC: &[u8] = b"assetsync bucket state 1\n";

/// What a state of any version begins with.
const ANY: &[u8] = b"assetsync bucket state ";

/// The largest JSON that is read.
const LARGEST: u64 = 512 << 20;

/// The most objects, the most kept contents, and the most sets of headers.
const MOST: usize = 1_000_000;

const LEVEL: i32 = 9;

/// Why a state can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is of another version.
    #[error("it was written by another version of assetsync; push with that version, or a newer")]
    Version,
    /// It is damaged.
    #[error("it is damaged; the next push lists the bucket and makes it anew")]
    Damaged,
}

/// Digest, size, ETag and the position of the headers.
#[derive(Serialize, Deserialize)]
struct StoredObject(String, u64, String, usize);

#[derive(Serialize, Deserialize)]
struct StoredIntent {
    run: String,
    who: String,
    next: BTreeMap<String, StoredObject>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    completed: bool,
    headers: Vec<Vec<(String, String)>>,
    objects: BTreeMap<String, StoredObject>,
    kept: Vec<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    history: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<StoredIntent>,
}

/// The bytes of a state. Objects whose content or headers are not known are left out: the next
/// push asks for them.
pub fn encode(state: &State) -> Vec<u8> {
    let mut headers = Vec::new();
    let objects = stored(&state.objects, &mut headers);
    let intent = state.intent.as_ref().map(|intent| StoredIntent {
        run: intent.run.0.clone(),
        who: intent.who.clone(),
        next: stored(&intent.next, &mut headers),
    });
    let kept = state.kept.iter().cloned().collect();
    let pairs = |headers: &Headers| {
        headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let headers = headers.into_iter().map(pairs).collect();
    let history = STANDARD.encode(&state.history);
    let completed = state.completed;
    let stored = Stored { completed, headers, objects, kept, history, intent };
    // Neither fails: keys are texts, and the bytes are in memory.
    let json = serde_json::to_vec(&stored).unwrap_or_default();
    let packed = zstd::bulk::compress(&json, LEVEL).unwrap_or_default();
    [MAGIC, &packed].concat()
}

fn stored<'s>(
    objects: &'s BTreeMap<String, Object>,
    headers: &mut Vec<&'s Headers>,
) -> BTreeMap<String, StoredObject> {
    let stored = objects.iter().filter_map(|(path, object)| {
        let (digest, own) = (object.digest?, object.headers.as_ref()?);
        let at = headers.iter().position(|known| *known == own).unwrap_or_else(|| {
            headers.push(own);
            headers.len() - 1
        });
        let object = StoredObject(digest.to_string(), object.size, object.etag.clone(), at);
        Some((path.clone(), object))
    });
    stored.collect()
}

/// Reads a state, whose bytes anybody may have written who may write to the bucket.
pub fn decode(bytes: &[u8]) -> Result<State, StateError> {
    let Some(packed) = bytes.strip_prefix(MAGIC) else {
        let is_other = bytes.starts_with(ANY);
        return Err(if is_other { StateError::Version } else { StateError::Damaged });
    };
    let stored = read(packed).ok_or(StateError::Damaged)?;
    state(stored).ok_or(StateError::Damaged)
}

fn read(packed: &[u8]) -> Option<Stored> {
    let mut json = Vec::new();
    let plain = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
    plain.take(LARGEST).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

fn state(stored: Stored) -> Option<State> {
    if stored.headers.len() > MOST || stored.kept.len() > MOST {
        return None;
    }
    let headers: Option<Vec<Headers>> = stored.headers.iter().map(|set| checked(set)).collect();
    let headers = headers?;
    let intent = match stored.intent {
        Some(intent) => Some(Intent {
            run: RunId(short(intent.run)?),
            who: short(intent.who)?,
            next: objects(intent.next, &headers)?,
        }),
        None => None,
    };
    let kept = stored.kept.into_iter().map(|name| is_kept_name(&name).then_some(name));
    Some(State {
        completed: stored.completed,
        objects: objects(stored.objects, &headers)?,
        kept: kept.collect::<Option<_>>()?,
        history: STANDARD.decode(stored.history).ok()?,
        intent,
    })
}

fn checked(set: &[(String, String)]) -> Option<Headers> {
    let mut headers = Headers::default();
    set.iter().try_for_each(|(name, value)| headers.try_set(name, value)).ok()?;
    Some(headers)
}

fn objects(
    stored: BTreeMap<String, StoredObject>,
    headers: &[Headers],
) -> Option<BTreeMap<String, Object>> {
    if stored.len() > MOST {
        return None;
    }
    let objects = stored.into_iter().map(|(path, StoredObject(digest, size, etag, at))| {
        RelPath::new(path.as_bytes()).ok()?;
        let object = Object {
            digest: Some(Digest::from_hex(&digest)?),
            size,
            etag: short(etag)?,
            headers: Some(headers.get(at)?.clone()),
        };
        Some((path, object))
    });
    objects.collect()
}

/// A text that is not longer than a name.
fn short(text: String) -> Option<String> {
    (text.len() <= 255).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(content: &str, cache: &str) -> Object {
        let mut headers = Headers::default();
        headers.try_set("cache-control", cache).unwrap();
        Object {
            digest: Some(Digest::of(content.as_bytes())),
            size: content.len() as u64,
            etag: "0123-2".into(),
            headers: Some(headers),
        }
    }

    fn some() -> State {
        let objects = [("a/b.js", "1"), ("\u{fc} +.css", "2"), ("c", "1")];
        let objects = objects.map(|(path, text)| (path.to_owned(), object(text, text)));
        let kept = ["etag-00-1".to_owned(), Digest::of(b"x").to_string()].into();
        let next = BTreeMap::from([("new".to_owned(), object("n", "3"))]);
        let (run, who) = (RunId("12".into()), "ada@laptop".into());
        let intent = Some(Intent { run, who, next });
        let history = b"of deploys".to_vec();
        State { completed: true, objects: objects.into(), kept, history, intent }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        for state in [State::default(), some(), State { intent: None, ..some() }] {
            assert_eq!(decode(&encode(&state)), Ok(state));
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut state = some();
        let foreign = Object { digest: None, ..object("f", "1") };
        state.objects.insert("foreign".into(), foreign);
        assert_eq!(decode(&encode(&state)), Ok(some()));
    }

    #[test]
    fn the_format_of_version_1() {
        let packed = &encode(&some())[MAGIC.len()..];
        let json = zstd::bulk::decompress(packed, 1 << 20).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["objects"]["a/b.js"][1], 1);
        assert_eq!(json["objects"]["a/b.js"][2], "0123-2");
        assert_eq!(json["headers"][0][0][0], "cache-control");
        assert_eq!(json["intent"]["who"], "ada@laptop");
    }

    #[test]
    fn hostile_states_are_refused() {
        let packed =
            |json: &str| [MAGIC, &zstd::bulk::compress(json.as_bytes(), 1).unwrap()].concat();
        let (digest, rest) = (Digest::of(b"").to_string(), r#""kept":[]}"#);
        let with = |path: &str, headers: &str, at: usize| {
            packed(&format!(
                r#"{{"headers":{headers},"objects":{{"{path}":["{digest}",0,"e",{at}]}},{rest}"#
            ))
        };
        assert!(decode(&with("a", "[[]]", 0)).is_ok());
        let damaged = [
            with("../a", "[[]]", 0),
            with("/a", "[[]]", 0),
            with("a", "[[]]", 1),
            with("a", r#"[[["host","x"]]]"#, 0),
            with("a", r#"[[["cache-control","a\r\nb"]]]"#, 0),
            packed(r#"{"headers":[],"objects":{},"kept":["../../x"]}"#),
            packed(r#"{"headers":[],"objects":{},"kept":[],"history":"*"}"#),
            packed("{"),
            MAGIC.to_vec(),
            Vec::new(),
            [&encode(&some())[..60]].concat(),
        ];
        for (at, bytes) in damaged.iter().enumerate() {
            assert_eq!(decode(bytes), Err(StateError::Damaged), "{at}");
        }
        assert_eq!(decode(b"assetsync bucket state 2\nx"), Err(StateError::Version));
    }
}
