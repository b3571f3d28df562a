//! Makes the linker leave the tables for unwinding out of the agent, in which a panic aborts.

use std::env;
use std::path::Path;

/// The profile in which a panic aborts. Build scripts get neither its name nor its panic strategy
/// from Cargo, but the folder is named after it: OUT_DIR is `<profile>/build/<package>/out`.
const PROFILE: &str = "agent";

fn main() {
    println!("cargo::rerun-if-changed=src/unwinding.ld");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let out = variable("OUT_DIR");
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name);
    if variable("CARGO_CFG_TARGET_OS") == "linux" && profile.is_some_and(|name| name == PROFILE) {
        let root = variable("CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{root}/src/unwinding.ld");
    }
}
