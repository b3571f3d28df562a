//! A destination hears what is encoded for it and for others in the same state.

use std::thread;
use std::time::Duration;

use assetsync_core::protocol::CodecContext;

use super::wire::Wire;
use crate::encode::job::EncodeJob;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::share::push_group::PushGroup;
use crate::share::shared_encoding::{NextBytes, SharedEncodingReader};

/// How long to wait for the encoder before showing a sign of life and looking for one.
const WAIT_LIMIT: Duration = Duration::from_millis(200);

/// Sends `work` over `wire`. Gives whether it was encoded here, which is on for all who listen: an error of this
/// destination then comes only once they have all of it.
pub fn send_shared(
    group: &PushGroup,
    work: &EncodeJob<'_>,
    wire: &mut Wire,
    monitor: &dyn Monitor,
) -> Result<bool, PushError> {
    let memory = wire.pause()?;
    let (player, recorder) = group.tape(work, memory)?;
    let encodes = recorder.is_some();
    thread::scope(|scope| {
        if let Some(mut recorder) = recorder {
            scope.spawn(move || {
                let encoded = work.encode(&mut recorder);
                group.count(recorder.end(encoded));
            });
        }
        let replayed = replay(player, wire, monitor, work.bytes());
        if replayed.is_err() {
            wire.disconnect();
        }
        replayed
    })
    .and_then(|memory| wire.resume(memory))?;
    Ok(encodes)
}

/// Passes on what is on the tape, as it gets there; gives what this direction remembers in the end.
fn replay(
    mut player: SharedEncodingReader,
    wire: &mut Wire,
    monitor: &dyn Monitor,
    total: u64,
) -> Result<CodecContext, PushError> {
    let mut told = 0;
    loop {
        match player.next(WAIT_LIMIT)? {
            NextBytes::Bytes { bytes, done } => {
                wire.write(bytes)?;
                if std::mem::replace(&mut told, done) != done {
                    monitor.event(Event::Progress { done, total, sent: wire.sent() });
                }
            }
            NextBytes::Nothing => {
                wire.keep_alive()?;
                wire.check()?;
            }
            NextBytes::End(memory) => return Ok(memory),
        }
    }
}
