//! What somebody who is root in a VM, or on its link, may try: for each frame the reason it should die with. The corpus has
//! every shape of everything; this is what a reader is told and a live port is tried with.

use crate::frame::extension::{self, atomic, destination, fragment, hop_by_hop, routing};
use crate::frame::{Ethernet, Frame, Ipv6, OnWire, SERVICE_VLAN, Upper, VLAN, dhcpv6, icmpv6, nd, raw, tcp, udp};
use crate::world::{
    ALL_NODES, ALL_ROUTERS, DHCP_AGENTS, NEIGHBOUR, NEIGHBOUR_LINK_LOCAL, NEIGHBOUR_MAC, NEIGHBOUR_SOLICITED, ROUTER,
    ROUTER_LINK_LOCAL, ROUTER_MAC, STRANGER, UNSPECIFIED, VM, VM_LINK_LOCAL, VM_MAC, VM_PRIVACY, VM_SOLICITED,
    WIDE_GROUP,
};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

/// A forgery.
pub struct Forged {
    /// In words.
    pub what: &'static str,
    /// What the guard should say about the last frame.
    pub reason: Reason,
    /// The last one is the forgery; those before it are honest and prepare it.
    pub frames: Vec<Frame>,
}

impl Forged {
    /// What a receiving socket would show of it at the end of a frame, had it arrived.
    pub fn content(&self) -> &[u8] {
        self.frames.last().expect("a forgery").content()
    }
}

fn forged(direction: Direction, what: &'static str, reason: Reason, frame: impl OnWire) -> Forged {
    Forged { what, reason, frames: vec![frame.frame(direction)] }
}

fn from_vm(what: &'static str, reason: Reason, frame: impl OnWire) -> Forged {
    forged(Direction::FromVm, what, reason, frame)
}

fn to_vm(what: &'static str, reason: Reason, frame: impl OnWire) -> Forged {
    forged(Direction::ToVm, what, reason, frame)
}

/// An honest datagram that only this row sends.
fn datagram(text: &str) -> Ipv6 {
    Ipv6::new(VM, STRANGER, udp(40_000, 9, text.as_bytes()))
}

fn ethernet(text: &str) -> Ethernet {
    datagram(text).ethernet(Direction::FromVm)
}

/// Neighbour discovery and its like: from the link-local address, hop limit 255.
fn discovery(upper: Upper) -> Ipv6 {
    Ipv6::new(VM_LINK_LOCAL, ALL_NODES, upper).hops(255)
}

fn advertisement() -> Ipv6 {
    discovery(nd::ra(&[nd::slla(VM_MAC), nd::prefix("2001:db8:bad::".parse().expect("a prefix"))]))
}

/// From inside VM 1.
pub fn by_the_vm() -> Vec<Forged> {
    [layer2(), addresses(), discoveries(), headers(), others()].into_iter().flatten().collect()
}

fn layer2() -> Vec<Forged> {
    vec![
        from_vm("the neighbour's MAC as the source", MacSpoofed, ethernet("mac").from(NEIGHBOUR_MAC)),
        from_vm("VLAN tag", VlanTagged, ethernet("tag").tag(VLAN, 100)),
        from_vm("two priority tags", VlanTagged, ethernet("tags").tag(SERVICE_VLAN, 0).tag(VLAN, 0)),
        from_vm(
            "IPv6 inside LLC and SNAP",
            LengthTyped,
            ethernet("llc").length_typed(&[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]),
        ),
        from_vm("LLDP", EtherType, ethernet("lldp").kind(0x88cc)),
    ]
}

fn addresses() -> Vec<Forged> {
    vec![
        from_vm("a stranger's address as the source", SourceSpoofed, datagram("stranger").from(STRANGER).to(ROUTER)),
        from_vm("the neighbour's address as the source", SourcePrivacy, datagram("neighbour").from(NEIGHBOUR)),
        from_vm("a privacy address", SourcePrivacy, datagram("privacy").from(VM_PRIVACY)),
        from_vm("a multicast source", SourceMulticast, datagram("multicast").from(WIDE_GROUP)),
        from_vm("a datagram from ::", SourceUnspecified, datagram("nobody").from(UNSPECIFIED)),
        from_vm("TCP to the neighbour's link-local address", LinkLocalTraffic, {
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, tcp(40_000, 22, 2))
                .ethernet(Direction::FromVm)
                .to(NEIGHBOUR_MAC)
        }),
    ]
}

fn discoveries() -> Vec<Forged> {
    let claim = || nd::unsolicited_na(NEIGHBOUR, &[nd::tlla(VM_MAC)]);
    let redirect = nd::redirect(VM_LINK_LOCAL, STRANGER, &[nd::tlla(VM_MAC)]);
    vec![
        from_vm("Router Advertisement", RaFromVm, advertisement()),
        from_vm("… behind hop-by-hop options", RaFromVm, advertisement().ext(hop_by_hop(&[]))),
        from_vm("… behind destination options and AH", RaFromVm, {
            advertisement().ext(destination(&[])).ext(extension::authentication(12))
        }),
        from_vm("… in an atomic fragment", RaFromVm, advertisement().ext(atomic())),
        from_vm("… with its type in a second fragment", FragmentHeadless, {
            discovery(raw(60, vec![58, 0, 1, 4, 0, 0, 0, 0])).ext(fragment(0x0bad, 0, true))
        }),
        from_vm("Redirect", RedirectFromVm, discovery(redirect)),
        from_vm("Neighbour Advertisement for the neighbour's address", NaForeign, discovery(claim())),
        from_vm("Neighbour Advertisement that gives the router's MAC", NdLinkLayerSpoofed, {
            discovery(nd::unsolicited_na(VM, &[nd::tlla(ROUTER_MAC)]))
        }),
        from_vm("Neighbour Solicitation with two source MACs", NdLinkLayerSpoofed, {
            discovery(nd::ns(NEIGHBOUR, &[nd::slla(VM_MAC), nd::slla(ROUTER_MAC)])).to(NEIGHBOUR_SOLICITED)
        }),
        from_vm("Neighbour Solicitation in a fragment", NdFragmented, {
            let upper = nd::ns(NEIGHBOUR, &[nd::slla(VM_MAC)]);
            discovery(upper).to(NEIGHBOUR_SOLICITED).ext(fragment(0x0bae, 0, true))
        }),
        from_vm("Neighbour Solicitation from beyond the link", NdHopLimit, {
            discovery(nd::ns(NEIGHBOUR, &[])).to(NEIGHBOUR_SOLICITED).hops(64)
        }),
        from_vm("duplicate address detection for the neighbour's address", DadForeign, {
            discovery(nd::ns(NEIGHBOUR, &[])).from(UNSPECIFIED).to(NEIGHBOUR_SOLICITED)
        }),
        from_vm("MLD query", MldQueryFromVm, {
            Ipv6::new(VM_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)).hops(1).ext(extension::router_alert())
        }),
    ]
}

fn headers() -> Vec<Forged> {
    let mut nine = datagram("nine");
    for _ in 0..9 {
        nine = nine.ext(destination(&[]));
    }
    let pieces = datagram(&"overlap ".repeat(4)).fragments(0x0baf, &[24]);
    let mut overlap: Vec<_> = pieces.into_iter().take(1).collect();
    overlap.push(Ipv6::new(VM, STRANGER, raw(17, vec![0x0f; 16])).ext(fragment(0x0baf, 16, false)));
    vec![
        from_vm("routing header of type 0", RoutingType0, datagram("rh0").ext(routing(0, 1))),
        from_vm("routing header with segments left", RoutingSegmentsLeft, datagram("srh").ext(routing(4, 1))),
        from_vm("nine extension headers", TooManyHeaders, nine),
        from_vm("a later fragment without a first", FragmentUnknown, {
            Ipv6::new(VM, STRANGER, raw(17, vec![0xf0; 32])).ext(fragment(0x0bb0, 1280, false))
        }),
        Forged {
            what: "a fragment that overlaps the first",
            reason: FragmentOverlap,
            frames: overlap.into_iter().map(|packet| packet.frame(Direction::FromVm)).collect(),
        },
    ]
}

fn others() -> Vec<Forged> {
    let quoted = Ipv6::new(NEIGHBOUR, STRANGER, tcp(443, 40_000, 16));
    vec![
        from_vm("Packet Too Big about somebody else's packet", ErrorForeign, {
            Ipv6::new(VM, STRANGER, icmpv6::error(2, 0, &quoted))
        }),
        from_vm("DHCPv6 Advertise: the VM as a server", Dhcpv6ServerFromVm, {
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, dhcpv6::server(dhcpv6::kind::ADVERTISE))
        }),
        from_vm("DHCPv6 Relay-Forward to the link", Dhcpv6Type, {
            Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, &dhcpv6::relay_forward()))
        }),
        from_vm("DHCPv6 Relay-Forward to a server far away", Dhcpv6NotClient, {
            Ipv6::new(VM, STRANGER, udp(40_000, 547, &dhcpv6::relay_forward()))
        }),
        from_vm("node information query", IcmpForbidden, {
            Ipv6::new(VM, NEIGHBOUR, icmpv6::message(139, 0, &[0; 28])).ethernet(Direction::FromVm).to(NEIGHBOUR_MAC)
        }),
        from_vm("ICMPv6 type 200", IcmpNeedsRule, Ipv6::new(VM, STRANGER, icmpv6::message(200, 0, &[0; 8]))),
    ]
}

/// To VM 1, from somebody beyond the guard's other ports.
pub fn by_the_link() -> Vec<Forged> {
    let neighbourly = |upper| Ipv6::new(NEIGHBOUR_LINK_LOCAL, ALL_NODES, upper).hops(255);
    vec![
        to_vm("Router Advertisement from a router that is not listed", RaUnlisted, {
            neighbourly(nd::ra(&[nd::prefix("2001:db8:bad::".parse().expect("a prefix"))]))
        }),
        to_vm("Redirect from a router that is not listed", RedirectUnlisted, {
            neighbourly(nd::redirect(NEIGHBOUR_LINK_LOCAL, STRANGER, &[])).to(VM_LINK_LOCAL)
        }),
        to_vm("duplicate address detection against the VM", DadAgainstVm, {
            neighbourly(nd::ns(VM, &[])).from(UNSPECIFIED).to(VM_SOLICITED)
        }),
        to_vm("Neighbour Advertisement that claims the VM's address", NaAgainstVm, {
            neighbourly(nd::unsolicited_na(VM, &[nd::tlla(ROUTER_MAC)]))
        }),
        to_vm("Router Solicitation", RsToVm, neighbourly(nd::rs(&[])).to(ALL_ROUTERS)),
        to_vm("a datagram from the VM's own address", SourceIsThisVm, Ipv6::new(VM, VM, udp(9, 9, b"myself"))),
        to_vm("a datagram to another address", NotForThisVm, Ipv6::new(STRANGER, VM_PRIVACY, udp(9, 9, b"other"))),
        to_vm("Packet Too Big about a packet that the VM never sent", ErrorForeign, {
            Ipv6::new(ROUTER_LINK_LOCAL, VM, icmpv6::error(2, 0, &Ipv6::new(NEIGHBOUR, STRANGER, tcp(443, 1, 16))))
        }),
        to_vm("UDP to the DHCPv6 client from a far server", Dhcpv6NotServer, {
            Ipv6::new(STRANGER, VM, dhcpv6::server(dhcpv6::kind::REPLY))
        }),
    ]
}
