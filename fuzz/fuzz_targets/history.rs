//! The history of deploys that a host keeps.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assetsync_deploy::internals::read_history(bytes);
});
