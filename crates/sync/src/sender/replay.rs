//! A destination hears what is encoded for it and for others in the same state.

use std::thread;
use std::time::Duration;

use super::content::Work;
use super::error::PushError;
use super::monitor::{Event, Monitor};
use super::outlet::Outlet;
use super::sharing::Sharing;
use super::tape::{Heard, Player};
use super::wire::Wire;
use crate::proto::Memory;

/// How long to wait for the encoder before showing a sign of life and looking for one.
const PATIENCE: Duration = Duration::from_millis(200);

/// Sends `work` over `wire`. Gives whether it was encoded here, which is on for all who listen: an error of this
/// destination then comes only once they have all of it.
pub fn share(
    sharing: &Sharing,
    work: &Work<'_>,
    wire: &mut Wire,
    monitor: &dyn Monitor,
) -> Result<bool, PushError> {
    let memory = wire.pause()?;
    let (player, recorder) = sharing.tape(work, memory)?;
    let encodes = recorder.is_some();
    thread::scope(|scope| {
        if let Some(mut recorder) = recorder {
            scope.spawn(move || {
                let encoded = work.encode(&mut recorder);
                sharing.count(recorder.end(encoded));
            });
        }
        let replayed = replay(player, wire, monitor, work.bytes());
        if replayed.is_err() {
            wire.hang_up();
        }
        replayed
    })
    .and_then(|memory| wire.resume(memory))?;
    Ok(encodes)
}

/// Passes on what is on the tape, as it gets there; gives what this direction remembers in the end.
fn replay(
    mut player: Player,
    wire: &mut Wire,
    monitor: &dyn Monitor,
    total: u64,
) -> Result<Memory, PushError> {
    let mut told = 0;
    loop {
        match player.next(PATIENCE)? {
            Heard::Bytes { bytes, done } => {
                wire.write(bytes)?;
                if std::mem::replace(&mut told, done) != done {
                    monitor.event(Event::Progress { done, total, sent: wire.sent() });
                }
            }
            Heard::Nothing => {
                wire.tick()?;
                wire.check()?;
            }
            Heard::End(memory) => return Ok(memory),
        }
    }
}
