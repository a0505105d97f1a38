//! The user side of ipv6-sg: state → compile → kernel.
