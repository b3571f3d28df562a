//! Reads files on a thread of its own, ahead of what is compressed and sent: finding out what a
//! basis has takes about as long as compressing the rest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use assetsync_core::index::ActionIndex;
use assetsync_core::plan::Plan;

use super::file_reader::{FilePiece, FileReader};
use super::in_order::receive;
use super::inputs::EncodeInputs;
use crate::cost::line::Line;
use crate::error::PushError;
use crate::scan::source_tree::SourceTree;

/// How many pieces are read ahead; each holds a few megabytes at most.
const PIECES: usize = 8;

/// What the thread that reads is told.
#[derive(Debug)]
pub struct ReadAhead {
    is_line_quick: AtomicBool,
}

impl ReadAhead {
    /// Reading for this line.
    pub fn new(line: Line) -> ReadAhead {
        ReadAhead { is_line_quick: AtomicBool::new(line.is_quick()) }
    }

    /// Reads on for this line.
    pub fn follow(&self, line: Line) {
        self.is_line_quick.store(line.is_quick(), Ordering::Relaxed);
    }

    /// Starts to read the files of the actions in `order`.
    pub fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        plan: &'scope Plan,
        order: &'scope [ActionIndex],
        inputs: &'scope EncodeInputs<'_>,
        mut tree: SourceTree,
    ) -> PiecesAhead {
        let (sender, receiver) = sync_channel(PIECES);
        scope.spawn(move || {
            let (answers, is_line_quick) = (inputs.answers, &self.is_line_quick);
            let mut reader = FileReader { tree: &mut tree, answers, is_line_quick };
            let mut emit = |piece| sender.send(piece);
            // Nobody receives any more pieces if the transfer has failed.
            let _ = order.iter().try_for_each(|&at| reader.read(at, &plan.actions[at], &mut emit));
        });
        PiecesAhead(receiver)
    }
}

/// Pieces of files, in order.
#[derive(Debug)]
pub struct PiecesAhead(Receiver<FilePiece>);

impl PiecesAhead {
    /// The next piece, if there are more. Calls `wait` now and then while it is not ready.
    pub fn next(
        &self,
        wait: impl FnMut() -> Result<(), PushError>,
    ) -> Result<Option<FilePiece>, PushError> {
        receive(&self.0, wait)
    }
}
