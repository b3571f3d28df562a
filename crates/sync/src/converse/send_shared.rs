//! Sends a shared encoding to one destination.

use std::thread;
use std::time::Duration;

use assetsync_core::protocol::CodecContext;

use super::progress_sink::ProgressReporter;
use super::wire::Wire;
use crate::cost::line::Line;
use crate::encode::job::EncodeJob;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::Monitor;
use crate::share::push_group::PushGroup;
use crate::share::shared_encoding::{NextBytes, SharedEncodingReader};

/// How long to wait for the encoder before sending a heartbeat and checking for the agent.
const WAIT_LIMIT: Duration = Duration::from_millis(200);

/// Sends `work` over `wire`. Returns whether it was encoded here. That encoding continues for all
/// readers: an error of this destination is then reported only after they have all of it.
pub fn send_shared(
    group: &PushGroup,
    work: &EncodeJob<'_>,
    wire: &mut Wire,
    monitor: &dyn Monitor,
) -> Result<bool, PushError> {
    let context = wire.pause()?;
    let (reader, writer) = group.encoding(work, context)?;
    let encodes = writer.is_some();
    thread::scope(|scope| {
        if let Some(mut writer) = writer {
            scope.spawn(move || {
                let encoded = work.encode(&mut writer);
                group.count(writer.end(encoded));
            });
        }
        let replayed = replay(reader, wire, ProgressReporter::new(monitor, work), work.line);
        if replayed.is_err() {
            wire.disconnect();
        }
        replayed
    })
    .and_then(|context| wire.resume(context))?;
    Ok(encodes)
}

/// Sends the encoding as it grows. Returns the codec context at its end.
fn replay(
    mut reader: SharedEncodingReader,
    wire: &mut Wire,
    mut reporter: ProgressReporter<'_>,
    line: Line,
) -> Result<CodecContext, PushError> {
    let mut told = 0;
    loop {
        match reader.next(WAIT_LIMIT)? {
            NextBytes::Bytes { bytes, done } => {
                wire.write_encoded(bytes)?;
                if std::mem::replace(&mut told, done) != done {
                    reporter.report(done, wire)?;
                    reader.note_line_rate(wire.line_rate(line.bytes_per_second()));
                }
            }
            NextBytes::Nothing => {
                wire.keep_alive()?;
                wire.check()?;
            }
            NextBytes::End(context) => return Ok(context),
        }
    }
}
