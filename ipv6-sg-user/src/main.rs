//! The `ipv6-sg` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipv6_sg::cli::main()
}
