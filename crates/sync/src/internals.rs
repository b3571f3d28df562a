//! Parts of the engine for the benchmarks and tests of this workspace. Nothing here is promised to
//! anyone else.

use std::path::Path;
use std::time::SystemTime;

use assetsync_core::digest::Digest;
use assetsync_core::state::{RemoteEntry, StateId};
use assetsync_ssh::Target;

pub use crate::compare::answers::Answers;
pub use crate::compare::comparison::Comparison;
pub use crate::converse::wire_estimate::WireEstimate;
pub use crate::draft::exact_diff;
pub use crate::encode::delta::{Matcher, Op, Search};
pub use crate::event::NoMonitor;
pub use crate::push::pipeline::push;
use crate::scan::filter::{Filter, Verdict};
pub use crate::sftp::push as push_over_sftp;
use crate::share::push_group::PushGroup;
use crate::store::layout::StoreFile;
use crate::store::pack::Pack;
use crate::store::state_file::StateFile;
use crate::store::{CachedState, DestinationKey, Store, StoreError};

/// Whether a filter lets a path be pushed.
pub fn is_included(filter: &Filter, path: &[u8], is_dir: bool) -> bool {
    filter.verdict(path, is_dir) == Verdict::Included
}

/// Whether a filter excludes a file, or a directory above it.
pub fn is_covered(filter: &Filter, path: &[u8]) -> bool {
    filter.covers(path, false)
}

/// Reads the contents of a pack; how many are whole.
pub fn read_pack(path: &Path) -> usize {
    let Ok(bytes) = path.metadata().map(|metadata| metadata.len()) else { return 0 };
    let found = StoreFile { path: path.to_path_buf(), bytes, modified: SystemTime::UNIX_EPOCH };
    let Ok(Some(pack)) = Pack::open(found) else { return 0 };
    pack.index().iter().filter(|slot| pack.get_packed(slot).is_some()).count()
}

/// Reads a state without the hash at its end; how many entries it has.
pub fn read_state(body: &[u8]) -> Option<usize> {
    let whole = [body, blake3::hash(body).as_bytes()].concat();
    StateFile::open(&whole)?.entries().map(|entries| entries.len())
}

/// Bytes of all encodings of a group.
pub fn encoded_bytes(group: &PushGroup) -> u64 {
    group.encoded_bytes()
}

/// Leaves in the store in `path` what a push of these files to `target` leaves; `name` is the
/// target as people write it.
pub fn remember(
    path: &Path,
    target: &Target,
    name: &str,
    files: &[(RemoteEntry, &str)],
) -> Result<(), StoreError> {
    let store = Store::open(path)?;
    let digest = |content: &str| (Digest::of(content.as_bytes()), content.len() as u64);
    let wanted: Vec<_> = files.iter().map(|(_, content)| digest(content)).collect();
    store.add(&wanted, &|at| Ok(files[at].1.as_bytes().to_vec()))?;
    let entries = files.iter().map(|(entry, _)| entry.clone()).collect();
    let state = CachedState { id: StateId([1; 16]), past_line: None, entries };
    store.remember(&DestinationKey::new(target, None), name, &state)
}
