//! The first line of a sender: what is taken for one reads back as what it writes.

#![no_main]

use assetsync_core::protocol::Hello;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(hello) = Hello::parse(bytes) {
        assert_eq!(Hello::parse(&hello.line()), Ok(hello));
    }
});
