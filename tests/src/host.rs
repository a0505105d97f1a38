//! A port on the host: the verdict core with its tables in memory.

use ipv6_sg::compile::HostTables;
use ipv6_sg_common::abi::{Direction, Port};
use ipv6_sg_common::packet::Bytes;
use ipv6_sg_common::verdict::{Reason, judge};

use crate::frame::Frame;
use crate::world::Setup;

/// The port, and the first fragments that crossed it.
#[derive(Debug)]
pub struct Host {
    port: Port,
    tables: HostTables,
}

impl Host {
    /// The port, with nothing remembered.
    pub fn new(setup: Setup) -> Self {
        Self { port: setup.port, tables: HostTables::new(setup.sources, setup.routers) }
    }

    /// The verdict on one frame.
    pub fn judge(&self, direction: Direction, frame: &Frame) -> Reason {
        let bytes = Bytes { bytes: &frame.bytes, tagged_beside: frame.tagged_beside, offload: frame.offload };
        judge(direction, &self.port, &bytes, &self.tables)
    }
}
