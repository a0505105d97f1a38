//! A verdict as if the rules had just changed: it asks them even where a flow or a first fragment is up to date, and so
//! tells which question decides. For people; leaves no trace in the tables.

use std::cell::Cell;

use ipv6_sg_common::abi::{Direction, FirstFragment, Flow, FlowKey, FragmentKey, PeerKey, Port, Service, ServiceKey};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::packet::Frame;
use ipv6_sg_common::verdict::{self, Tables};

use super::HostTables;

/// What a verdict looked up on its way through flows and rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// The flow between the packet's ends, dead or alive, as it was before the packet.
    pub flow: Option<(FlowKey, Flow)>,
    from_vm: Option<Question>,
    to_vm: Option<Question>,
}

/// What the rules of a port were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Those for what crosses the port this way.
    pub direction: Direction,
    /// The peer.
    pub peer: Address,
    /// The upper-layer protocol.
    pub protocol: u8,
    /// The destination port, or ICMPv6 type and code: see [`allowance::message`](super::allowance::message).
    pub number: u16,
}

impl Rehearsal {
    /// What the rules for what crosses the port this way were asked last; `None` when all or nothing may, and no rule had to
    /// be asked.
    pub const fn question(&self, direction: Direction) -> Option<Question> {
        match direction {
            Direction::FromVm => self.from_vm,
            Direction::ToVm => self.to_vm,
        }
    }

    /// Of the verdict on `frame`. To be had before the verdict itself, which may change the flow.
    pub fn of<F: Frame>(direction: Direction, port: &Port, frame: &F, tables: &HostTables) -> Self {
        let listener = Listener { tables, port, peer: Cell::new(None), heard: Cell::default() };
        verdict::judge(direction, port, frame, &listener);
        listener.heard.get()
    }
}

struct Listener<'a> {
    tables: &'a HostTables,
    port: &'a Port,
    /// Whom the service is for that is asked next, and which way.
    peer: Cell<Option<(Direction, Address)>>,
    heard: Cell<Rehearsal>,
}

/// No class of [`HostTables`].
const UNKNOWN_PEER: u32 = u32::MAX;

impl Tables for Listener<'_> {
    fn source(&self, address: &Address) -> bool {
        self.tables.source(address)
    }

    fn router(&self, address: &Address) -> bool {
        self.tables.router(address)
    }

    fn remember_fragment(&self, _: &FragmentKey, _: &FirstFragment) {}

    fn first_fragment(&self, key: &FragmentKey) -> Option<FirstFragment> {
        self.tables.first_fragment(key)
    }

    fn now_ns(&self) -> u64 {
        self.tables.now_ns()
    }

    fn generation(&self) -> u32 {
        self.tables.generation().wrapping_add(1)
    }

    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        let flow = self.tables.flow(key)?;
        // The rules are asked about a flow of whatever generation but this one.
        let before = Flow { generation: self.tables.generation(), ..flow };
        self.heard.set(Rehearsal { flow: Some((*key, flow)), ..self.heard.get() });
        Some(before)
    }

    fn remember_flow(&self, _: &FlowKey, _: &Flow) {}

    fn class(&self, peer: &PeerKey) -> Option<u32> {
        let from_vm = peer.ruleset == self.port.ruleset(Direction::FromVm);
        let direction = if from_vm { Direction::FromVm } else { Direction::ToVm };
        self.peer.set(Some((direction, peer.address)));
        // So that the rest of the question is asked too; the answer is no either way.
        Some(self.tables.class(peer).unwrap_or(UNKNOWN_PEER))
    }

    fn service(&self, service: &ServiceKey) -> Option<Service> {
        if let Some((direction, peer)) = self.peer.get() {
            let number = u16::from_be_bytes(service.number);
            let question = Some(Question { direction, peer, protocol: service.protocol, number });
            let heard = self.heard.get();
            self.heard.set(match direction {
                Direction::FromVm => Rehearsal { from_vm: question, ..heard },
                Direction::ToVm => Rehearsal { to_vm: question, ..heard },
            });
        }
        self.tables.service(service)
    }
}
