//! A VM whose owner is root and lies: nothing of it reaches the neighbour or the router, and each lie is named.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ethernet, Frame, IPV6, Ipv6, VLAN, dhcpv6, extension, icmpv6, nd, tcp, udp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Netns, Process, eventually};
use ipv6_sg_tests::world::{
    ALL_NODES, DHCP_AGENTS, NEIGHBOUR, NEIGHBOUR_LINK_LOCAL, NEIGHBOUR_MAC, NEIGHBOUR_SOLICITED, ROUTER,
    ROUTER_LINK_LOCAL, ROUTER_MAC, STRANGER, UNSPECIFIED, VM, VM_LINK_LOCAL, VM_MAC, VM_PRIVACY,
};

/// A VM, its neighbour and their router, all with a kernel that speaks IPv6 and addresses set by hand.
struct Pod {
    _daemon: Process,
    vm: Guest,
    neighbour: Guest,
    router: Guest,
    hypervisor: Hypervisor,
}

impl Pod {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let guest = |port, mac, address: Ipv6Addr| {
            let guest = hypervisor.guest(port, mac, Ip::Kernel);
            guest.netns.sysctl("ipv6/conf/eth0/accept_dad", "0");
            guest.netns.ip(&format!("addr add {address}/64 dev eth0 nodad"));
            guest
        };
        let router = guest("up0", ROUTER_MAC, ROUTER);
        let neighbour = guest("vm2", NEIGHBOUR_MAC, NEIGHBOUR);
        // The liar's kernel keeps still: what leaves is what the test sends.
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        hypervisor.ports(&[&vm, &neighbour]);
        let daemon = hypervisor.daemon();
        Self { _daemon: daemon, vm, neighbour, router, hypervisor }
    }

    fn dropped(&self, reason: Reason) -> u64 {
        self.hypervisor.counters("vm1").direction(Direction::FromVm).of(reason).packets
    }
}

/// A lie, and what it must be called.
struct Lie {
    frame: Frame,
    reason: Reason,
}

/// Of an IPv6 packet with an honest MAC.
fn lie(packet: Ipv6, reason: Reason) -> Lie {
    ethernet(packet.ethernet(Direction::FromVm), reason)
}

fn ethernet(frame: Ethernet, reason: Reason) -> Lie {
    Lie { frame: frame.build(), reason }
}

fn to_router(source: Ipv6Addr) -> Ipv6 {
    Ipv6::new(source, ROUTER, udp(53, 53, b"forged"))
}

fn lies() -> Vec<Lie> {
    use Reason::*;
    let honest = || to_router(VM).ethernet(Direction::FromVm);
    let claim = nd::na(NEIGHBOUR, &[nd::tlla(VM_MAC)]);
    let advertisement = || nd::ra(&[nd::slla(VM_MAC), nd::prefix("2001:db8:666::".parse().expect("a prefix"))]);
    let to_neighbour = Ipv6::new(ROUTER, NEIGHBOUR, udp(53, 53, b"quoted"));
    let shrink = icmpv6::error(2, 0, &Ipv6::new(NEIGHBOUR, STRANGER, tcp(22, 40_000, 0x10)));
    let mut lies = vec![
        // Somebody else's addresses.
        ethernet(honest().from(NEIGHBOUR_MAC), MacSpoofed),
        lie(to_router(NEIGHBOUR), SourcePrivacy),
        lie(to_router(VM_PRIVACY), SourcePrivacy),
        lie(to_router(STRANGER), SourceSpoofed),
        lie(Ipv6::new(NEIGHBOUR_LINK_LOCAL, ROUTER_LINK_LOCAL, icmpv6::echo_request()), SourcePrivacy),
        lie(to_router(UNSPECIFIED), SourceUnspecified),
        lie(to_router(ALL_NODES), SourceMulticast),
        // Taking a neighbour's address.
        lie(Ipv6::new(VM, ALL_NODES, claim.clone()).hops(255), NaForeign),
        lie(Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, claim).hops(255), NaForeign),
        lie(Ipv6::new(UNSPECIFIED, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[])).hops(255), DadForeign),
        lie(
            Ipv6::new(VM, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[nd::slla(ROUTER_MAC)])).hops(255),
            NdLinkLayerSpoofed,
        ),
        // Playing the router.
        lie(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, advertisement()).hops(255), RaFromVm),
        lie(
            Ipv6::new(VM_LINK_LOCAL, ALL_NODES, advertisement())
                .hops(255)
                .ext(extension::hop_by_hop(&[]))
                .ext(extension::destination(&[])),
            RaFromVm,
        ),
        lie(Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR, nd::redirect(VM_LINK_LOCAL, STRANGER, &[])).hops(255), RedirectFromVm),
        lie(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)).hops(1), MldQueryFromVm),
        // Playing the DHCPv6 server, or a relay towards one.
        lie(Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, dhcpv6::server(dhcpv6::kind::REPLY)), Dhcpv6ServerFromVm),
        lie(Ipv6::new(VM, ROUTER, udp(546, 547, &dhcpv6::relay_forward())), Dhcpv6NotClient),
        lie(Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(dhcpv6::kind::RELAY_FORWARD)), Dhcpv6Type),
        // Breaking other people's flows.
        lie(Ipv6::new(VM, STRANGER, shrink), ErrorForeign),
        lie(Ipv6::new(VM, ROUTER, icmpv6::error(1, 4, &to_neighbour)), ErrorForeign),
        // Around the guard.
        ethernet(honest().tag(VLAN, 0), VlanTagged),
        ethernet(honest().tag(VLAN, 5).tag(VLAN, 6), VlanTagged),
        ethernet(honest().length_typed(&[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]), LengthTyped),
        ethernet(honest().kind(0x88cc), EtherType),
        lie(to_router(VM).ext(extension::routing(0, 1)), RoutingType0),
        lie(to_router(VM).ext(extension::fragment(7, 1024, false)), FragmentUnknown),
        lie(Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, tcp(40_000, 22, 2)), LinkLocalTraffic),
        ethernet(Ethernet::new(Direction::FromVm, IPV6, vec![0x40; 60]), Ipv6Version),
    ];
    // A claim in fragments: each dies by itself.
    let pieces = Ipv6::new(VM, ALL_NODES, nd::na(NEIGHBOUR, &[nd::tlla(VM_MAC)])).hops(255).fragments(9, &[24]);
    lies.extend(pieces.into_iter().zip([NdFragmented, FragmentUnknown]).map(|(piece, reason)| lie(piece, reason)));
    lies
}

#[test]
fn lies_die_at_the_port_under_their_names() {
    let pod = Pod::new();
    let [at_neighbour, at_router] = [&pod.neighbour, &pod.router].map(Guest::wire);
    let wire = pod.vm.wire();
    for (index, Lie { frame, reason }) in lies().into_iter().enumerate() {
        let before = pod.dropped(reason);
        wire.send(&frame);
        eventually(&format!("lie {index}, {reason}: {frame:?}"), || (pod.dropped(reason) == before + 1).then_some(()));
    }
    // An honest word to everybody comes after all of them.
    let hello = Ipv6::new(VM, ALL_NODES, nd::unsolicited_na(VM, &[nd::tlla(VM_MAC)])).hops(255);
    let hello = hello.ethernet(Direction::FromVm).build();
    wire.send(&hello);
    for (who, wire) in [("neighbour", at_neighbour), ("router", at_router)] {
        let seen = wire.until("the honest word", |frame| frame == hello.bytes);
        for frame in &seen {
            // Tags are taken off on the way: the frame is searched for what is behind them.
            let lied = lies().into_iter().find(|lie| frame.ends_with(&lie.frame.bytes[14..]));
            assert!(lied.is_none(), "the {who} got {frame:02x?}");
        }
    }
}

/// What the router believes of the neighbour, and the neighbour of the router, stays true under fire.
#[test]
fn a_neighbours_address_keeps_working() {
    let pod = Pod::new();
    let wire = pod.vm.wire();
    let believes = |who: &Netns, address: Ipv6Addr| who.run(&format!("ip -6 neigh show to {address} dev eth0"));
    for _ in 0..5 {
        for Lie { frame, .. } in lies() {
            wire.send(&frame);
        }
        pod.router.netns.run(&format!("ping -6 -n -c 1 -W 5 {NEIGHBOUR}"));
        pod.neighbour.netns.run(&format!("ping -6 -n -c 1 -W 5 {ROUTER}"));
        let (neighbour, router) = (believes(&pod.router.netns, NEIGHBOUR), believes(&pod.neighbour.netns, ROUTER));
        assert!(neighbour.contains(&NEIGHBOUR_MAC.to_string()), "{neighbour}");
        assert!(router.contains(&ROUTER_MAC.to_string()), "{router}");
    }
    let addresses = pod.neighbour.netns.run("ip -6 -o addr show dev eth0");
    assert_eq!(addresses.matches("inet6").count(), 2, "a rogue prefix was believed: {addresses}");
    assert_eq!(pod.neighbour.netns.run("ip -6 route show default"), "", "a rogue router was believed");
}

/// The same lies do harm without the guard: else the tests above would prove nothing.
#[test]
fn without_the_guard_lies_are_believed() {
    let pod = Pod::new();
    pod.hypervisor.ask("detach --all");
    pod.hypervisor.wait_released("vm1");
    let wire = pod.vm.wire();
    pod.router.netns.run(&format!("ping -6 -n -c 1 -W 5 {NEIGHBOUR}"));
    for Lie { frame, .. } in lies() {
        wire.send(&frame);
    }
    eventually("a poisoned neighbour cache", || {
        let neighbour = pod.router.netns.run(&format!("ip -6 neigh show to {NEIGHBOUR} dev eth0"));
        neighbour.contains(&VM_MAC.to_string()).then_some(())
    });
    eventually("a rogue router", || {
        let route = pod.neighbour.netns.run("ip -6 route show default");
        route.contains(&VM_LINK_LOCAL.to_string()).then_some(())
    });
}
