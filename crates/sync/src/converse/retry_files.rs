//! Sends files again that did not arrive as they were sent.

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::ToAgent;
use assetsync_tree::OpenTree;

use super::session::Session;
use crate::compare::answers::Answers;
use crate::compare::content_match::SourceEntry;
use crate::encode::file::Encoder;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::Event;
use crate::scan::source::{Source, read_again};

impl Session<'_> {
    /// Sends the files of these actions again, once, whole and as they are now.
    pub(super) fn retry(
        &mut self,
        failed: &[ActionIndex],
        plan: &mut Plan,
        source: &Source,
        publish: bool,
    ) -> Result<(), PushError> {
        self.monitor.event(Event::Retrying { files: failed.len() as u64 });
        let mut tree = source.tree().map_err(PushError::Io)?;
        let answers = Answers::new();
        for &position in failed {
            let action = plan.actions.get_mut(position.position());
            let action = action.ok_or_else(|| PushError::Protocol("failure of no file".into()))?;
            let amend = amend(position, action, source, &mut tree)?;
            self.wire.send(&amend)?;
            let sink = &mut self.wire;
            let mut encoder = Encoder { tree: &mut tree, sink, answers: &answers };
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

/// Reads the file of an action again. Updates the action, and returns the message that updates the
/// agent's.
fn amend(
    position: ActionIndex,
    action: &mut Action,
    source: &Source,
    tree: &mut OpenTree,
) -> Result<ToAgent<'static>, PushError> {
    let ActionKind::File(file) = &mut action.what else {
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
    if is_given && (size, Some(digest)) != (file.size, file.digest) {
        // The content of a given source can't change, so this is not it.
        return Err(PushError::Missing { path: path() });
    }
    let mtime = if is_given { file.mtime } else { now.entry.mtime };
    (file.size, file.mtime, file.digest) = (size, mtime, Some(digest));
    Ok(ToAgent::Amend { action: position, size, mtime, digest })
}
