//! The numbers of a flow's two ends: what they mean depends on the protocol.

use ipv6_sg_common::abi::FlowKey;
use ipv6_sg_common::packet::protocol;

/// Protocols whose headers begin with two ports.
const WITH_PORTS: [u8; 5] = [protocol::TCP, protocol::UDP, protocol::SCTP, protocol::DCCP, protocol::UDP_LITE];

/// What tells flows between the same two addresses apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Ends {
    /// The VM's port, where the protocol has ports.
    pub(in crate::cli) vm_port: Option<u16>,
    /// The peer's port, likewise.
    pub(in crate::cli) peer_port: Option<u16>,
    /// The identifier of ICMPv6 echo. Who asks is who opened the flow.
    pub(in crate::cli) identifier: Option<u16>,
}

impl Ends {
    pub(in crate::cli) fn of(key: &FlowKey) -> Self {
        let is = |number: u8| key.protocol == u32::from(number);
        let ports = WITH_PORTS.into_iter().any(is);
        Self {
            vm_port: ports.then_some(key.local_port),
            peer_port: ports.then_some(key.remote_port),
            identifier: is(protocol::ICMPV6).then_some(key.remote_port),
        }
    }
}
