//! A VM asks for a prefix and lives with it: guarded, by a relay that tells its MAC as the Remote-ID, from a Kea with PostgreSQL.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg::kea::Kind;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::delegation::{Chain, Dhclient, Dhcp6c, Distrust, Duid, Identity, inside};
use ipv6_sg_tests::lab::kea::{Release, Server};
use ipv6_sg_tests::lab::{Conversation, Counts, Hypervisor};
use ipv6_sg_tests::world::ROUTER;

fn chain(server: &Server) -> Chain<'_> {
    Chain::new(server, Identity::RemoteId, Distrust::Relays)
}

/// The prefixes that somebody holds.
fn leased(chain: &Chain<'_>) -> Vec<Ipv6Net> {
    chain.delegation.pool.leases().into_iter().map(|lease| lease.prefix).collect()
}

/// The first prefix of a VM, the client that has got it, and an address out of it that the VM uses.
#[track_caller]
fn bound(chain: &Chain<'_>) -> (Ipv6Net, Dhclient, Ipv6Addr) {
    let vm = &chain.pod.vm;
    let prefix = chain.allocate(vm, 1)[0];
    let dhclient = Dhclient::start(vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_told(&["BOUND6"], prefix);
    assert_eq!(leased(chain), [prefix]);
    let address = inside(prefix, 1);
    chain.take(vm, address);
    chain.assert_works(vm, address);
    (prefix, dhclient, address)
}

#[test]
fn a_vm_gets_what_is_reserved_for_it_and_a_neighbour_cannot_use_it() {
    let server = Server::start(Kind::Postgres);
    let chain = chain(&server);
    let pod = &chain.pod;
    let (prefix, _dhclient, address) = bound(&chain);
    // Solicit, Advertise, Request, Reply.
    for direction in Direction::ALL {
        assert!(pod.count("vm1", direction, Reason::Dhcpv6) >= 2, "{}", direction.name());
    }

    let stolen = inside(prefix, 2);
    chain.take(&pod.neighbour, stolen);
    chain.assert_stopped(&pod.hypervisor, &pod.neighbour, stolen);
    // And what a bridge floods: what the VM asks all servers.
    let mut dropped = pod.dropped();
    dropped.remove(&("vm2", Direction::ToVm, Reason::LinkLocalTraffic));
    assert_eq!(dropped, Counts::from([(("vm2", Direction::FromVm, Reason::SourceSpoofed), 3)]));
    chain.assert_works(&pod.vm, address);
    pod.daemon.assert_never("ERROR");
}

#[test]
fn a_second_prefix_arrives_while_the_first_is_in_use() {
    let server = Server::start(Kind::Postgres);
    let chain = chain(&server);
    let pod = &chain.pod;
    let one = chain.allocate(&pod.vm, 1);
    let client = Dhcp6c::start(&pod.vm, &chain.path("dhcp6c"), 2);
    let first = client.wait_address(&pod.vm, 0);
    let talk = Conversation::start(&pod.vm.netns, (first, 7003), &pod.beyond);
    talk.flow(100);
    assert_eq!(leased(&chain), one);

    let both = chain.allocate(&pod.vm, 2);
    assert_eq!(both[0], one[0]);
    let second = client.wait_address(&pod.vm, 1);
    assert_eq!(leased(&chain), both);
    chain.assert_works(&pod.vm, second);
    talk.flow(100);
    talk.stop();
    pod.assert_nothing_dropped_from("vm1");
}

fn a_prefix_that_is_released_is_stopped_at_once_and_taken_back_at_the_next_renew(release: Release) {
    let server = Server::start(Kind::Postgres);
    let chain = Chain::of(release, &server, Identity::RemoteId, Distrust::Relays);
    let pod = &chain.pod;
    let (prefix, mut dhclient, address) = bound(&chain);

    chain.release(&pod.vm, prefix);
    chain.assert_stopped(&pod.hypervisor, &pod.vm, address);
    dhclient.process.wait_for("Max lifetime 0.");
    dhclient.wait_refused();
    assert!(leased(&chain).is_empty(), "{:?}", leased(&chain));
    // What is its own goes on.
    pod.vm.netns.run(&format!("ping -6 -n -c 1 -W 5 {ROUTER}"));
}

#[test]
fn a_prefix_is_released_with_kea_2_2() {
    a_prefix_that_is_released_is_stopped_at_once_and_taken_back_at_the_next_renew(Release::Kea2_2);
}

#[test]
fn a_prefix_is_released_with_kea_3_0() {
    a_prefix_that_is_released_is_stopped_at_once_and_taken_back_at_the_next_renew(Release::Kea3_0);
}

fn a_vm_that_is_installed_anew_is_locked_out_until_its_leases_are_dropped(release: Release) {
    let server = Server::start(Kind::Postgres);
    let chain = Chain::of(release, &server, Identity::RemoteId, Distrust::Relays);
    let pod = &chain.pod;
    let (prefix, old, address) = bound(&chain);
    let pool = &chain.delegation.pool;
    let held = pool.leases();
    // As a VM that is destroyed: without a word.
    drop(old);

    let mut new = Dhclient::start(&pod.vm, &chain.path("new"), Duid::LinkLayerTime, 1);
    new.wait_refused();
    assert_eq!(pool.leases(), held);
    pool.rebuild(pod.vm.mac);
    new.wait_told(&["BOUND6"], prefix);
    let leases = pool.leases();
    assert!(leases.len() == 1 && leases[0].prefix == prefix && leases[0].duid != held[0].duid, "{leases:?}");
    chain.assert_works(&pod.vm, address);
}

#[test]
fn a_vm_is_installed_anew_with_kea_2_2() {
    a_vm_that_is_installed_anew_is_locked_out_until_its_leases_are_dropped(Release::Kea2_2);
}

#[test]
fn a_vm_is_installed_anew_with_kea_3_0() {
    a_vm_that_is_installed_anew_is_locked_out_until_its_leases_are_dropped(Release::Kea3_0);
}

#[test]
fn a_prefix_stays_while_the_database_is_away() {
    let server = Server::start(Kind::Postgres);
    let mut chain = chain(&server);
    let (prefix, dhclient, address) = bound(&chain);
    chain.delegation.pool.take_database_away();
    chain.delegation.kea.wait_for("RECONNECT");
    let told = dhclient.events();
    chain.assert_works(&chain.pod.vm, address);

    chain.delegation.pool.give_database_back();
    dhclient.wait_told_again(&["RENEW6"], prefix, dhclient.times_told(&["RENEW6"], prefix));
    // It was not told otherwise in between.
    let since = dhclient.events().split_off(told.len());
    assert!(since.iter().all(|line| line.starts_with("RENEW6")), "{since:#?}");
    assert_eq!(leased(&chain), [prefix]);
    chain.assert_works(&chain.pod.vm, address);
}

#[test]
fn a_prefix_moves_with_its_vm_to_another_hypervisor() {
    let server = Server::start(Kind::Postgres);
    let chain = chain(&server);
    let (pod, first, second) = (&chain.pod, &chain.pod.hypervisor, Hypervisor::new());
    first.uplink(&second);
    second.site.settings(&chain.delegation.pool.source());
    let _daemon = second.daemon();
    let (prefix, dhclient, address) = bound(&chain);

    first.migrate(&pod.vm, &second);
    chain.permit(&second, &pod.vm);
    second.wait_guarded(&pod.vm.port);
    chain.assert_works(&pod.vm, address);
    // The client has noticed nothing, and goes on.
    let renewed = dhclient.times_told(&["RENEW6"], prefix);
    dhclient.wait_told_again(&["RENEW6"], prefix, renewed);
    let counted = |reason| second.counters(&pod.vm.port).direction(Direction::FromVm).of(reason).packets;
    assert!(counted(Reason::Dhcpv6) > 0 && counted(Reason::SourceSpoofed) == 0);

    // Who is left behind has none of it.
    let stolen = inside(prefix, 2);
    chain.take(&pod.neighbour, stolen);
    chain.assert_stopped(first, &pod.neighbour, stolen);
    chain.assert_works(&pod.vm, address);
}
