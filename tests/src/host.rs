//! A port on the host: the verdict core with its tables in memory.

use std::time::Duration;

use ipv6_sg::compile::HostTables;
use ipv6_sg_common::abi::{Direction, Flow, FlowKey, Port};
use ipv6_sg_common::packet::Bytes;
use ipv6_sg_common::verdict::{Reason, Tables as _, judge};

use crate::frame::Frame;
use crate::world::Setup;

/// The port, and the first fragments and flows that crossed it.
#[derive(Debug)]
pub struct Host {
    port: Port,
    tables: HostTables,
    now: Duration,
}

impl Host {
    /// The port, with nothing remembered.
    pub fn new(setup: Setup) -> Self {
        let mut tables = HostTables::new(setup.sources, setup.routers);
        let port = tables.rule(setup.port, setup.rules.as_ref());
        Self { port, tables, now: Duration::ZERO }
    }

    /// Changes the port; everything that is remembered stays.
    pub fn change(&mut self, setup: &Setup) {
        self.tables.replace(setup.sources.iter().copied(), setup.routers.iter().copied());
        self.port = self.tables.rule(setup.port, setup.rules.as_ref());
    }

    /// Lets time pass, which stands still otherwise.
    pub fn age(&mut self, by: Duration) {
        self.now += by;
        self.tables.set_time(self.now);
    }

    /// The flows that the port remembers.
    pub fn flows(&self) -> Vec<(FlowKey, Flow)> {
        self.tables.flows()
    }

    /// The generation of the rules.
    pub fn generation(&self) -> u32 {
        self.tables.generation()
    }

    /// The verdict on one frame.
    pub fn judge(&self, direction: Direction, frame: &Frame) -> Reason {
        let bytes = Bytes { bytes: &frame.bytes, tagged_beside: frame.tagged_beside, offload: frame.offload };
        judge(direction, &self.port, &bytes, &self.tables)
    }
}
