//! A VM that tries to come by another one's prefix, most often at a server that distrusts nobody: the guard is all there is.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg::kea::Kind;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::delegation::forged::{ASSOCIATION, DUID, Forgery, forgeries, relayed, sent, to_agents};
use ipv6_sg_tests::delegation::message::{Relayed, client, client_link_layer, code, delegated, of, option, remote_id};
use ipv6_sg_tests::delegation::{Chain, Dhclient, Distrust, Duid, Identity, inside};
use ipv6_sg_tests::frame::dhcpv6::kind;
use ipv6_sg_tests::lab::kea::Server;
use ipv6_sg_tests::lab::{Pod, Wire, eventually};
use ipv6_sg_tests::world::VM_MAC;

/// The prefix is the VM's, who has not asked for it yet; and an address out of it.
fn chain(server: &Server, distrust: Distrust) -> (Chain<'_>, Ipv6Net, Ipv6Addr) {
    let chain = Chain::new(server, Identity::RemoteId, distrust);
    let prefix = chain.allocate(&chain.pod.vm, 1)[0];
    chain.take(&chain.pod.vm, inside(prefix, 1));
    (chain, prefix, inside(prefix, 1))
}

/// A message that a frame carries to a client, or to who says to be a relay.
fn message(frame: &[u8]) -> Option<&[u8]> {
    let (header, message) = (frame.get(54..62)?, frame.get(62..)?);
    let from_server =
        frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(20) == Some(&17) && header[..2] == [0x02, 0x23];
    let relayed = || Relayed::read(message).map(|relayed| relayed.message);
    from_server.then(|| relayed().unwrap_or(message))
}

/// Waits until the server has an answer to a forgery, and returns it.
#[track_caller]
fn answered(what: &str, wires: &[&Wire], kind: u8) -> Vec<u8> {
    eventually(what, || {
        let frames = wires.iter().flat_map(|wire| wire.drain());
        frames.filter_map(|frame| message(&frame).map(ToOwned::to_owned)).find(|message| message.first() == Some(&kind))
    })
}

#[track_caller]
fn unguard(pod: &Pod) {
    pod.hypervisor.ask("detach --all");
    for port in ["vm1", "vm2"] {
        pod.hypervisor.wait_released(port);
    }
}

/// Why Kea's own distrust is not enough: who sends to it past the router looks like a router.
#[test]
fn without_the_guard_a_server_that_distrusts_relays_is_deceived_too() {
    let server = Server::start(Kind::Postgres);
    let (chain, prefix, _) = chain(&server, Distrust::Relays);
    unguard(&chain.pod);
    let forger = chain.pod.neighbour.wire();
    let to_it = |forgery: &Forgery| forgery.succeeds && forgery.what.contains("to the server");
    for Forgery { what, frames, .. } in forgeries().into_iter().filter(to_it) {
        frames.iter().for_each(|frame| forger.send(frame));
        assert_eq!(delegated(&answered(what, &[&forger], kind::ADVERTISE)), [prefix], "{what}");
    }
}

#[test]
fn without_the_guard_a_forger_takes_the_prefix() {
    let server = Server::start(Kind::Postgres);
    let (chain, prefix, _) = chain(&server, Distrust::Nobody);
    let pod = &chain.pod;
    unguard(pod);
    let (forger, vm) = (pod.neighbour.wire(), pod.vm.wire());
    let all = forgeries();
    for Forgery { what, frames, .. } in all.iter().filter(|forgery| forgery.succeeds) {
        frames.iter().for_each(|frame| forger.send(frame));
        let advertise = answered(what, &[&forger, &vm], kind::ADVERTISE);
        assert_eq!(delegated(&advertise), [prefix], "{what}");
    }

    // One of them, to its end: the prefix is another client's, and the VM that it is reserved for goes without.
    let solicit = client(kind::SOLICIT, &DUID, ASSOCIATION, &[]);
    forger.send(&sent(&to_agents(547, &relayed(&solicit))).build());
    let advertise = answered("an Advertise", &[&forger], kind::ADVERTISE);
    let server = option(code::SERVER_ID, of(&advertise, code::SERVER_ID).expect("a server"));
    let request = client(kind::REQUEST, &DUID, ASSOCIATION, &server);
    forger.send(&sent(&to_agents(547, &relayed(&request))).build());
    assert_eq!(delegated(&answered("a Reply", &[&forger], kind::REPLY)), [prefix]);
    let leases = chain.delegation.pool.leases();
    assert_eq!(
        leases.iter().map(|lease| (lease.prefix, lease.association)).collect::<Vec<_>>(),
        [(prefix, ASSOCIATION)]
    );
    let mut dhclient = Dhclient::start(&pod.vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_refused();
}

/// Sends each, and waits until each frame is dropped for its reason.
#[track_caller]
fn die(chain: &Chain<'_>, forger: &Wire) {
    for Forgery { what, reasons, frames, .. } in forgeries() {
        for (frame, reason) in frames.iter().zip(reasons) {
            let dropped = || chain.pod.count("vm2", Direction::FromVm, reason);
            let before = dropped();
            forger.send(frame);
            eventually(&format!("{what}: {reason}"), || (dropped() == before + 1).then_some(()));
        }
    }
}

#[test]
fn behind_the_guard_a_forger_gets_nothing() {
    let server = Server::start(Kind::Postgres);
    let (chain, prefix, address) = chain(&server, Distrust::Nobody);
    let (pod, pool) = (&chain.pod, &chain.delegation.pool);
    let forger = pod.neighbour.wire();
    die(&chain, &forger);
    assert_eq!((chain.delegation.forwarded(), pool.leases()), (0, Vec::new()));

    // What a VM may say, with what only relays may say in it: it is not believed.
    let own = [remote_id(VM_MAC), client_link_layer(VM_MAC)].concat();
    forger.send(&sent(&to_agents(546, &client(kind::SOLICIT, &DUID, ASSOCIATION, &own))).build());
    let advertise = answered("an Advertise", &[&forger], kind::ADVERTISE);
    assert!(delegated(&advertise).is_empty());
    assert_eq!(chain.delegation.forwarded(), 1);

    let dhclient = Dhclient::start(&pod.vm, &chain.path("dhclient"), Duid::LinkLayer, 1);
    dhclient.wait_told(&["BOUND6"], prefix);
    chain.assert_works(&pod.vm, address);
    die(&chain, &forger);
    chain.assert_works(&pod.vm, address);
    let held = pool.leases();
    assert_eq!(held.len(), 1, "{held:?}");

    // With the VM's identifier and the number of its association he gets nothing either, but the VM's lease is gone.
    let duid: Vec<u8> = (0..held[0].duid.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&held[0].duid[at..at + 2], 16).expect("hex"))
        .collect();
    let server = option(code::SERVER_ID, of(&advertise, code::SERVER_ID).expect("a server"));
    let renewed = dhclient.times_told(&["RENEW6"], prefix);
    forger.send(&sent(&to_agents(546, &client(kind::REQUEST, &duid, held[0].association, &server))).build());
    assert!(delegated(&answered("a Reply", &[&forger], kind::REPLY)).is_empty());
    assert_eq!(pool.of(VM_MAC), [prefix]);
    chain.assert_works(&pod.vm, address);
    dhclient.wait_told_again(&["RENEW6"], prefix, renewed + 1);
    assert_eq!(pool.leases(), held);
    chain.assert_works(&pod.vm, address);
    pod.daemon.assert_never("ERROR");
}
