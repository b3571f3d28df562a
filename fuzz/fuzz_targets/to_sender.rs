//! What an agent may say to a sender.

#![no_main]

use assetsync_core::protocol::{Inbox, Received, ToSender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut inbox = Inbox::<ToSender<'_>>::new().unwrap();
    // The first byte decides how large the pieces are in which the rest arrives.
    let Some((&piece, stream)) = bytes.split_first() else { return };
    for piece in stream.chunks(usize::from(piece) + 1) {
        inbox.receive(piece);
        while inbox.ready().unwrap_or(false) {
            if let Ok(Received::Message(message)) = inbox.pop() {
                let _ = format!("{message:?}");
            }
        }
    }
});
