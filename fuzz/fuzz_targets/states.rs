//! States of destinations in the local store.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assetsync_sync::internals::read_state(bytes);
});
