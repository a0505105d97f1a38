//! Test runs: what a program answers when the kernel runs it on a frame that came from nowhere.

use std::io;

use aya::programs::{ProgramError, SchedClassifier, TestRun, TestRunOptions, Xdp};
use ipv6_sg_common::abi::{Direction, Hook, programs};
use ipv6_sg_common::packet::{ETHERNET_HEADER, Offload};
use ipv6_sg_common::verdict::{Action, Reason};

use super::Object;
use crate::frame::Frame;
use crate::world::Setup;

/// Why a frame got no verdict: the kernel did not run the program on it. See [`runnable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

/// Whether every kernel can be told to run the program on the frame; the rest only a live port can show. Newer kernels
/// refuse a socket buffer without the whole IP header that its type promises, and there is no putting a tag beside it, nor
/// anything that is left to be done.
pub fn runnable(hook: Hook, frame: &Frame) -> bool {
    let header = match (hook, frame.bytes.get(12..14)) {
        (Hook::Tc, Some([0x86, 0xdd])) => 40,
        (Hook::Tc, Some([0x08, 0x00])) => 20,
        _ => 0,
    };
    !frame.tagged_beside && frame.offload == Offload::NONE && frame.bytes.len() >= ETHERNET_HEADER + header
}

/// What the shield does with a frame from the VM that is judged so: what takes memory of other packets, or rules, it leaves
/// to tc.
pub fn shielded(setup: &Setup, reason: Reason) -> Action {
    match reason {
        Reason::FragmentUnknown | Reason::FragmentOverlap | Reason::EgressDenied => Action::Pass,
        Reason::IcmpNeedsRule if setup.rules.is_some() => Action::Pass,
        _ => reason.action(),
    }
}

impl Object {
    /// What tc does with the frame.
    ///
    /// # Errors
    /// [`TooShort`], and the program has not run.
    pub fn tc(&self, direction: Direction, frame: &Frame) -> Result<Action, TooShort> {
        /// `TC_ACT_UNSPEC`: on to the next program.
        const NEXT: u32 = u32::MAX;
        /// `TC_ACT_SHOT`
        const SHOT: u32 = 2;
        assert!(!frame.tagged_beside, "a test run cannot put a tag beside a frame");
        let name = match direction {
            Direction::FromVm => programs::FROM_VM,
            Direction::ToVm => programs::TO_VM,
        };
        let program: &SchedClassifier = self.ebpf.program(name).expect(name).try_into().expect(name);
        match run(program, frame)? {
            NEXT => Ok(Action::Pass),
            SHOT => Ok(Action::Drop),
            other => panic!("{name} answers {other}"),
        }
    }

    /// What the shield does with a frame from the VM.
    ///
    /// # Errors
    /// [`TooShort`], and the program has not run.
    pub fn xdp(&self, frame: &Frame) -> Result<Action, TooShort> {
        /// `XDP_DROP`
        const DROP: u32 = 1;
        /// `XDP_PASS`
        const PASS: u32 = 2;
        assert!(!frame.tagged_beside, "there is no beside before a socket buffer");
        let shield: &Xdp =
            self.ebpf.program(programs::SHIELD).expect(programs::SHIELD).try_into().expect(programs::SHIELD);
        match run(shield, frame)? {
            PASS => Ok(Action::Pass),
            DROP => Ok(Action::Drop),
            other => panic!("the shield answers {other}"),
        }
    }
}

fn run<P>(program: &P, frame: &Frame) -> Result<u32, TooShort>
where
    P: for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = aya::TestRunResult>,
{
    match program.test_run(TestRunOptions { data_in: Some(&frame.bytes), ..TestRunOptions::new() }) {
        Ok(result) => Ok(result.return_value),
        Err(ProgramError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::InvalidInput => Err(TooShort),
        Err(error) => panic!("no test run of {} bytes: {error}", frame.bytes.len()),
    }
}
