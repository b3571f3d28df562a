//! Makes the bootstrap script as it is sent from the one that people read.

mod minify;

use std::path::Path;
use std::{env, fs};

const SOURCE: &str = "src/bootstrap.sh";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=minify.rs");
    let script = fs::read_to_string(SOURCE).unwrap_or_else(|e| panic!("can't read {SOURCE}: {e}"));
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let result = Path::new(&folder).join("bootstrap.sh");
    let written = fs::write(&result, minify::minify(&script));
    written.unwrap_or_else(|e| panic!("can't write {}: {e}", result.display()));
}
