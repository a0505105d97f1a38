//! A VM asks for a prefix and lives with it: guarded, by a relay that tells its MAC as the Remote-ID, from a Kea with PostgreSQL.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::delegation::{Chain, Dhclient, Dhcp6c, Distrust, Duid, Identity};
use ipv6_sg_tests::lab::{Conversation, Counts, Hypervisor};
use ipv6_sg_tests::world::ROUTER;

const FIRST: &str = "2001:db8:f000:10::/60";
/// In [`FIRST`].
const IN_FIRST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x1f, 0, 0, 0, 1);
const SECOND: &str = "2001:db8:f000:70::/60";

fn chain() -> Chain {
    Chain::new(Identity::RemoteId, Distrust::Relays)
}

/// The prefixes that somebody holds.
fn leased(chain: &Chain) -> Vec<String> {
    chain.delegation.reservations().leases().into_iter().map(|lease| lease.prefix).collect()
}

#[test]
fn a_vm_gets_what_is_reserved_for_it_and_a_neighbour_cannot_use_it() {
    let chain = chain();
    let pod = &chain.pod;
    chain.reserve(&pod.vm, &[FIRST]);
    let dhclient = Dhclient::start(&pod.vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_told(&["BOUND6"], FIRST);
    assert_eq!(leased(&chain), [FIRST]);
    chain.take(&pod.vm, IN_FIRST);
    chain.assert_works(&pod.vm, IN_FIRST);
    // Solicit, Advertise, Request, Reply.
    for direction in Direction::ALL {
        assert!(pod.count("vm1", direction, Reason::Dhcpv6) >= 2, "{}", direction.name());
    }

    let stolen = "2001:db8:f000:1f::2".parse().expect("an address");
    chain.take(&pod.neighbour, stolen);
    chain.assert_stopped(&pod.hypervisor, &pod.neighbour, stolen);
    // And what a bridge floods: what the VM asks all servers.
    let mut dropped = pod.dropped();
    dropped.remove(&("vm2", Direction::ToVm, Reason::LinkLocalTraffic));
    assert_eq!(dropped, Counts::from([(("vm2", Direction::FromVm, Reason::SourceSpoofed), 3)]));
    chain.assert_works(&pod.vm, IN_FIRST);
    pod.daemon.assert_never("ERROR");
}

#[test]
fn a_second_prefix_arrives_while_the_first_is_in_use() {
    let chain = chain();
    let pod = &chain.pod;
    chain.reserve(&pod.vm, &[FIRST]);
    let client = Dhcp6c::start(&pod.vm, &chain.path("dhcp6c"), 2);
    let first = client.wait_address(&pod.vm, 0);
    let talk = Conversation::start(&pod.vm.netns, (first, 7003), &pod.beyond);
    talk.flow(100);
    assert_eq!(leased(&chain), [FIRST]);

    chain.reserve(&pod.vm, &[SECOND]);
    let second = client.wait_address(&pod.vm, 1);
    assert_eq!(leased(&chain), [FIRST, SECOND]);
    chain.assert_works(&pod.vm, second);
    talk.flow(100);
    talk.stop();
    pod.assert_nothing_dropped_from("vm1");
}

#[test]
fn a_prefix_that_is_released_is_stopped_at_once_and_taken_back_at_the_next_renew() {
    let chain = chain();
    let pod = &chain.pod;
    chain.reserve(&pod.vm, &[FIRST]);
    let mut dhclient = Dhclient::start(&pod.vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_told(&["BOUND6"], FIRST);
    chain.take(&pod.vm, IN_FIRST);
    chain.assert_works(&pod.vm, IN_FIRST);

    chain.release(&pod.vm, FIRST);
    chain.assert_stopped(&pod.hypervisor, &pod.vm, IN_FIRST);
    dhclient.process.wait_for("Max lifetime 0.");
    dhclient.wait_refused();
    assert_eq!(leased(&chain), [""; 0]);
    // What is its own goes on.
    pod.vm.netns.run(&format!("ping -6 -n -c 1 -W 5 {ROUTER}"));
}

#[test]
fn a_vm_that_is_installed_anew_is_locked_out_until_its_leases_are_dropped() {
    let chain = chain();
    let pod = &chain.pod;
    chain.reserve(&pod.vm, &[FIRST]);
    let old = Dhclient::start(&pod.vm, &chain.path("old"), Duid::LinkLayer, 1);
    old.wait_told(&["BOUND6"], FIRST);
    let held = chain.delegation.reservations().leases();
    // As a VM that is destroyed: without a word.
    drop(old);

    let mut new = Dhclient::start(&pod.vm, &chain.path("new"), Duid::LinkLayerTime, 1);
    new.wait_refused();
    assert_eq!(chain.delegation.reservations().leases(), held);
    chain.delegation.reservations().forget_leases(pod.vm.mac);
    new.wait_told(&["BOUND6"], FIRST);
    let leases = chain.delegation.reservations().leases();
    assert!(leases.len() == 1 && leases[0].prefix == FIRST && leases[0].duid != held[0].duid, "{leases:?}");
    chain.take(&pod.vm, IN_FIRST);
    chain.assert_works(&pod.vm, IN_FIRST);
}

#[test]
fn a_prefix_moves_with_its_vm_to_another_hypervisor() {
    let chain = chain();
    let (pod, first, second) = (&chain.pod, &chain.pod.hypervisor, Hypervisor::new());
    first.uplink(&second);
    let _daemon = second.daemon();
    chain.reserve(&pod.vm, &[FIRST]);
    let dhclient = Dhclient::start(&pod.vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_told(&["BOUND6"], FIRST);
    chain.take(&pod.vm, IN_FIRST);
    chain.assert_works(&pod.vm, IN_FIRST);

    first.migrate(&pod.vm, &second);
    chain.permit(&second, &pod.vm);
    second.wait_guarded(&pod.vm.port);
    chain.assert_works(&pod.vm, IN_FIRST);
    // The client has noticed nothing, and goes on.
    let renewed = dhclient.times_told(&["RENEW6"], FIRST);
    dhclient.wait_told_again(&["RENEW6"], FIRST, renewed);
    let counted = |reason| second.counters(&pod.vm.port).direction(Direction::FromVm).of(reason).packets;
    assert!(counted(Reason::Dhcpv6) > 0 && counted(Reason::SourceSpoofed) == 0);

    // Who is left behind has none of it: neither the neighbour nor a VM that comes to the same name.
    let stolen = "2001:db8:f000:1f::2".parse().expect("an address");
    chain.take(&pod.neighbour, stolen);
    chain.assert_stopped(first, &pod.neighbour, stolen);
    chain.assert_works(&pod.vm, IN_FIRST);
}
