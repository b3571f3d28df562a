//! The assetsync engine: scan, compare, plan, delta, protocol, publish.
