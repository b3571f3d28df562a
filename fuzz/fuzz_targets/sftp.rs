//! What an SFTP server may answer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| assetsync_ssh::internals::read_sftp_replies(bytes).unwrap());
