//! A Capistrano configuration, of which assetsync.toml is made: that can be read.

#![no_main]

use assetsync_deploy::ConfigFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let made = assetsync_deploy::internals::convert_capistrano(text);
    if let Err(problems) = ConfigFile::parse("assetsync.toml", &made) {
        panic!("{problems}\n{made}");
    }
});
