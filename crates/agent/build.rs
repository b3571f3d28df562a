//! Tells the linker to leave out of the agent what nobody reads: in it a panic aborts.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=src/unwinding.ld");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_PANIC", "abort") {
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{root}/src/unwinding.ld");
    }
}
