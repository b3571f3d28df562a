//! assetsync.toml: an error, or settings.

#![no_main]

use assetsync_deploy::ConfigFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = ConfigFile::parse("assetsync.toml", text) {
        assert!(!problems.to_string().is_empty());
    }
});
