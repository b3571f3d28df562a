//! What a bucket really holds, from the state and a list of its objects; pure.
//!
//! A list has keys, sizes and ETags. Where an ETag is one that the state knows for that key, the
//! object is the one it knows: also after a push that was ended in the middle, whose intent has the
//! ETags of what it was about to put there.

use std::collections::{BTreeMap, BTreeSet};

use assetsync_core::path::RelPath;

use super::{KEPT, OWN, Object, State, is_kept_name};
use crate::http::xml::Listed;

/// The state as the list shows it: without an intent, and with objects whose content is not known.
pub fn resolve(state: &State, listed: &[Listed], prefix: &str) -> State {
    let (mut objects, mut kept) = (BTreeMap::new(), BTreeSet::new());
    for listed in listed {
        let Some(path) = listed.key.strip_prefix(prefix) else { continue };
        if let Some(name) = path.strip_prefix(KEPT) {
            kept.extend(is_kept_name(name).then(|| name.to_owned()));
        } else if !path.starts_with(OWN) && RelPath::new(path.as_bytes()).is_ok() {
            objects.insert(path.to_owned(), known(state, path, listed));
        }
    }
    State { objects, kept, intent: None, history: state.history.clone(), ..*state }
}

fn known(state: &State, path: &str, listed: &Listed) -> Object {
    let next = state.intent.as_ref().and_then(|intent| intent.next.get(path));
    let known = [state.objects.get(path), next].into_iter().flatten();
    let same = |object: &&Object| object.etag == listed.etag && object.size == listed.size;
    known.into_iter().find(same).cloned().unwrap_or_else(|| Object {
        digest: None,
        size: listed.size,
        etag: listed.etag.clone(),
        headers: None,
    })
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::Digest;

    use super::*;
    use crate::headers::Headers;
    use crate::state::{Intent, RunId};

    fn object(content: &str) -> Object {
        Object {
            digest: Some(Digest::of(content.as_bytes())),
            size: content.len() as u64,
            etag: format!("of {content}"),
            headers: Some(Headers::default()),
        }
    }

    fn listed(key: &str, content: &str) -> Listed {
        Listed { key: key.to_owned(), size: content.len() as u64, etag: format!("of {content}") }
    }

    #[test]
    fn the_list_decides_what_an_ended_push_has_put_there() {
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, Object> {
            pairs.iter().map(|(path, content)| ((*path).to_owned(), object(content))).collect()
        };
        let next = of(&[("a", "new a"), ("b", "new b"), ("c", "new c")]);
        let intent = Intent { run: RunId::new(), who: String::new(), next };
        let objects = of(&[("a", "a"), ("b", "b"), ("d", "d"), ("e", "e")]);
        let state = State { objects, intent: Some(intent), ..State::default() };
        let list = [
            listed("p/.assetsync/kept/12", "x"),
            listed("p/.assetsync/state", "x"),
            listed("p/a", "new a"),
            listed("p/b", "b"),
            listed("p/c", "new c"),
            listed("p/e", "by others"),
            listed("p/f", "by others"),
            listed("p/dir/", ""),
            listed("other/g", "x"),
        ];
        let found = resolve(&state, &list, "p/");
        let mut expected = of(&[("a", "new a"), ("b", "b"), ("c", "new c")]);
        for path in ["e", "f"] {
            let foreign = Object { digest: None, headers: None, ..object("by others") };
            expected.insert(path.to_owned(), foreign);
        }
        assert_eq!(found.objects, expected);
        assert_eq!(found.kept, ["12".to_owned()].into());
        assert_eq!(found.intent, None);
    }
}
