//! Datagrams of 64 bytes between the VM that is measured and somebody far away: of one flow, or each of a flow of its own.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, udp};
use ipv6_sg_tests::world::{STRANGER, VM};

use crate::sample::UDP_PORT;

/// Where the source port and the two bytes of data are in the frame.
const SOURCE_PORT: usize = 54;
const DATA: usize = 62;

/// Below are DHCPv6's, which no VM may use as it likes.
const FIRST_PORT: u16 = 1024;

/// An endless row of frames.
#[derive(Clone, Debug)]
pub struct Datagrams {
    frame: Vec<u8>,
    /// The source port of the next one, where each has another.
    next: Option<u16>,
}

/// A frame that crosses the VM's port this way, between these ports.
fn frame(direction: Direction, from: u16, to: u16) -> Vec<u8> {
    let (source, destination) = match direction {
        Direction::FromVm => (VM, STRANGER),
        Direction::ToVm => (STRANGER, VM),
    };
    // Port and data always add up to the same, and so the checksum stays right when one goes up and the other down.
    Ipv6::new(source, destination, udp(from, to, &(u16::MAX - from).to_be_bytes())).frame(direction).bytes
}

impl Datagrams {
    /// All of one flow, which this direction opens.
    pub fn one_flow(direction: Direction) -> Self {
        Self { frame: frame(direction, 4000, UDP_PORT), next: None }
    }

    /// The answer to one of [`Self::one_flow`]; `direction` is still the one that opens it.
    pub fn answer(direction: Direction) -> Self {
        let back = match direction {
            Direction::FromVm => Direction::ToVm,
            Direction::ToVm => Direction::FromVm,
        };
        Self { frame: frame(back, UDP_PORT, 4000), next: None }
    }

    /// Each of a flow that was not seen for some 64 000 datagrams.
    pub fn new_flows(direction: Direction) -> Self {
        Self { frame: frame(direction, FIRST_PORT, UDP_PORT), next: Some(FIRST_PORT) }
    }

    /// The next frame.
    pub fn next_frame(&mut self) -> Vec<u8> {
        let frame = self.frame.clone();
        if let Some(port) = self.next {
            self.frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
            self.frame[DATA..DATA + 2].copy_from_slice(&(u16::MAX - port).to_be_bytes());
            self.next = Some(if port == u16::MAX - 1 { FIRST_PORT } else { port + 1 });
        }
        frame
    }
}
