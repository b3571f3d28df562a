//! Entries of the index that an agent keeps.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assetsync_receiver::internals::read_index_entries(bytes);
});
