//! The far side of assetsync: the engine's receiver and nothing else.
fn main() {}
