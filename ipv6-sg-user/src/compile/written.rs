//! Rules as they are written, asked one after the other: slow, and it can name the one that decides. For people; what
//! is enforced is the compiled form.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::address::Address;

use super::allowance::{Allowance, Grant};
use super::image::Image;
use super::prefix::{Prefix, covers};
use crate::state::{Model, Peer, Rule};

/// A rule, by where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The security group.
    pub group: &'a str,
    /// The rule's place among the group's rules of the direction, from 0.
    pub index: usize,
    /// How it allows the packet.
    pub grant: Grant,
}

/// The first rule of these groups, in their order, that allows this packet; one that names its ICMPv6 type comes before
/// all that do not. `protocol` and `number` are as in [`Allowance::allows`].
pub fn deciding_rule<'a>(
    model: &'a Model,
    image: &Image,
    groups: &[String],
    direction: Direction,
    peer: Address,
    (protocol, number): (u8, u16),
) -> Option<Decision<'a>> {
    let mut general = None;
    for group in groups.iter().filter_map(|name| model.groups().get(name)) {
        let rules = match direction {
            Direction::ToVm => &group.ingress,
            Direction::FromVm => &group.egress,
        };
        for (index, rule) in rules.iter().enumerate() {
            let Some(grant) = Allowance::from(rule.traffic).allows(protocol, number) else { continue };
            if (grant == Grant::General && general.is_some()) || !is_about(rule, peer, model, image) {
                continue;
            }
            let decision = Decision { group: &group.name, index, grant };
            match grant {
                Grant::NamesType => return Some(decision),
                Grant::General => general = Some(decision),
            }
        }
    }
    general
}

fn is_about(rule: &Rule, peer: Address, model: &Model, image: &Image) -> bool {
    let is_in = |prefix: Prefix| covers(prefix, (peer, 128));
    rule.peers.iter().any(|peers| match peers {
        Peer::Prefix(prefix) => prefix.contains(&peer.to_ip()),
        Peer::Group(name) => {
            let mut elsewhere = model.groups().get(name).into_iter().flat_map(|group| &group.members);
            let ports = model.ports().values().filter(|port| port.security_groups.iter().flatten().any(|g| g == name));
            elsewhere.any(|prefix| prefix.contains(&peer.to_ip()))
                || ports
                    .filter_map(|port| image.ports.get(&port.interface))
                    .any(|port| port.beyond_the_link().into_iter().any(is_in))
        }
    })
}
