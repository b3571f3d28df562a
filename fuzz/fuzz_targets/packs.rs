//! Packs of contents in the local store.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static FILE: OnceLock<PathBuf> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let name = || format!("assetsync-fuzz-{}", std::process::id());
    let file = FILE.get_or_init(|| std::env::temp_dir().join(name()));
    fs::write(file, bytes).unwrap();
    assetsync_sync::internals::read_pack(file);
});
