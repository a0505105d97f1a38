//! The `ipv6-sg` binary.
fn main() {}
