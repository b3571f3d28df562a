//! Sends files again that did not arrive as they were sent.

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::ToAgent;

use super::session::Session;
use crate::compare::content_match::SourceEntry;
use crate::encode::file::Encoder;
use crate::encode::inputs::DeltaBytes;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::Event;
use crate::scan::source::{Source, read_again};
use crate::scan::source_tree::SourceTree;

impl Session<'_> {
    /// Sends the files of these actions again, once and whole, if they are still as they were read:
    /// all destinations get one source.
    pub(super) fn retry(
        &mut self,
        failed: &[ActionIndex],
        plan: &Plan,
        source: &Source,
        publish: bool,
    ) -> Result<(), PushError> {
        self.monitor.event(Event::Retrying { files: failed.len() as u64 });
        let mut tree = source.tree().map_err(PushError::Io)?;
        for &position in failed {
            let action = position.of(&plan.actions);
            let action = action.ok_or_else(|| PushError::Protocol("failure of no file".into()))?;
            let amend = amend(position, action, source, &mut tree)?;
            self.wire.send(&amend)?;
            let sink = &mut self.wire;
            let deltas = &DeltaBytes::default();
            let mut encoder = Encoder { tree: &mut tree, sink, deltas };
            if !encoder.encode_whole(position, action)? {
                let source = std::io::Error::other("it changes while it is read");
                return Err(PushError::Changing { path: action.path.to_string(), source });
            }
        }
        self.wire.send(&ToAgent::ContentEnd { publish })?;
        self.wire.flush()?;
        match self.staged(plan)?.first() {
            None => Ok(()),
            Some(&position) => {
                let action = position.of(&plan.actions);
                Err(PushError::Damaged(action.map_or("?".into(), |action| action.path.to_string())))
            }
        }
    }
}

/// Reads the file of an action again. Returns the message that announces it to the agent.
fn amend(
    position: ActionIndex,
    action: &Action,
    source: &Source,
    tree: &mut SourceTree,
) -> Result<ToAgent<'static>, PushError> {
    let ActionKind::File(file) = &action.what else {
        return Err(PushError::Protocol("failure of no file".into()));
    };
    let (kind, mode, mtime) = (Kind::File { size: file.size }, file.mode, file.mtime);
    let entry = Entry { path: action.path.clone(), kind, mode, mtime };
    let mut now = SourceEntry { entry, digest: None };
    let path = || action.path.to_string();
    let is_given = source.has_contents_elsewhere();
    read_again(tree, &mut now, &mut vec![0; 64 * 1024]).map_err(|error| match is_given {
        true => PushError::Missing { path: path() },
        false => PushError::Changing { path: path(), source: error },
    })?;
    let (Some(digest), Some(size)) = (now.digest, now.entry.file_size()) else {
        let source = std::io::ErrorKind::InvalidInput.into();
        return Err(PushError::Changing { path: path(), source });
    };
    if (size, Some(digest)) != (file.size, file.digest) {
        return Err(match is_given {
            // The content of a given source can't change, so this is not it.
            true => PushError::Missing { path: path() },
            false => PushError::Changing { path: path(), source: changed() },
        });
    }
    Ok(ToAgent::Amend { action: position, size, mtime: file.mtime, digest })
}

/// A file that is not as it was read.
fn changed() -> std::io::Error {
    std::io::Error::other("it is not as it was when the source was read")
}
