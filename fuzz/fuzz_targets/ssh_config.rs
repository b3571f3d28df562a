//! What ssh -G prints.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assetsync_ssh::internals::read_ssh_config(&String::from_utf8_lossy(bytes));
});
