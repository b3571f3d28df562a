//! known_hosts files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for name in ["web1", "[web1.example.com]:2222", "2001:db8::1"] {
        assetsync_ssh::internals::known_keys(&text, name);
    }
});
