//! The user side of ipv6-sg: state → compile → kernel, in one direction.

pub mod kernel;
