//! The `assetsync` command.
fn main() {}
