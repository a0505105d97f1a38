//! What the programs cost the verifier. It gives up at a million instructions, and kernels count differently.

use aya::VerifierLogLevel;
use aya::programs::{Program, ProgramError};
use ipv6_sg_common::abi::programs;
use ipv6_sg_tests::object::Object;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Half of what the verifier looks at before it gives up: room for the kernels to come, and for programs to grow.
const MOST: u32 = 500_000;

/// The verifier's words about a program. aya shows them of programs only that do not load, and before 5.16 the kernel
/// tells by no other way; so the program is verified, and then there is no descriptor left to give it.
fn words(program: &mut Program) -> String {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("our own limit");
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).expect("less is always allowed");
    let refused = match program {
        Program::SchedClassifier(tc) => tc.load(),
        Program::Xdp(xdp) => xdp.load(),
        _ => panic!("neither tc nor XDP"),
    };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("no more than before");
    match refused {
        Err(ProgramError::LoadError { io_error, verifier_log }) => {
            assert_eq!(io_error.raw_os_error(), Some(libc::EMFILE), "{io_error}: {verifier_log}");
            verifier_log.to_string()
        }
        other => panic!("there was a descriptor left: {other:?}"),
    }
}

/// The count in a line like `processed 23456 insns (limit 1000000) max_states_per_insn 4 …`; from Linux 7.2 on there is
/// another line that has the word.
fn instructions(words: &str) -> u32 {
    let count = words.lines().find_map(|line| line.strip_prefix("processed ")?.split(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("no count in {words:?}"))
}

#[test]
fn no_program_comes_near_the_verifiers_limit() {
    let mut ebpf = Object::unloaded(VerifierLogLevel::STATS);
    for name in programs::ALL {
        let count = instructions(&words(ebpf.program_mut(name).expect(name)));
        println!("instructions verified: {name} {count}");
        assert!(count > 100, "{name}: {count} cannot be all of it");
        assert!(count <= MOST, "{name}: {count} of a million; at most {MOST} are to be needed");
    }
}
