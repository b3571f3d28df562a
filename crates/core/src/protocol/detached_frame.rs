//! Compresses a whole zstd frame of a direction's stream apart from the stream, so that several
//! can be compressed at the same time.

use std::io;

use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

use crate::limits;

/// Smallest window, as a power of two.
const SMALLEST_WINDOW_LOG: u32 = 10;

/// A zstd frame of `messages` that refer to `prefix`, at zstd's `level`. The other side holds both
/// in memory.
pub fn detached_frame(level: i32, prefix: &[u8], messages: &[u8]) -> io::Result<Vec<u8>> {
    let window = (prefix.len() + messages.len()).next_power_of_two().trailing_zeros();
    let window = window.clamp(SMALLEST_WINDOW_LOG, limits::WINDOW_LOG);
    let mut context = CCtx::create();
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::ContentSizeFlag(false),
        CParameter::WindowLog(window),
    ] {
        context.set_parameter(parameter).map_err(explain)?;
    }
    context.ref_prefix(prefix).map_err(explain)?;
    let mut frame = Vec::with_capacity(compress_bound(messages.len()));
    context.compress2(&mut frame, messages).map_err(explain)?;
    Ok(frame)
}

fn explain(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
