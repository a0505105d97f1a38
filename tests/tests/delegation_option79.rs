//! Two prefixes at once, from each release of Kea, for `dhcp6c` and for `dhclient`, by dnsmasq as a relay that tells a VM's MAC as the Client Link-Layer Address.

use ipv6_sg::kea::Kind;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::delegation::{Chain, Dhclient, Dhcp6c, Distrust, Duid, Identity, inside};
use ipv6_sg_tests::lab::kea::{Release, Server};

fn two_prefixes_for_each_of_two_vms(release: Release, kind: Kind) {
    let server = Server::start(kind);
    let chain = Chain::of(release, &server, Identity::LinkLayer, Distrust::Relays);
    let pod = &chain.pod;
    let prefixes = chain.allocate(&pod.vm, 2);
    let client = Dhcp6c::start(&pod.vm, &chain.path("dhcp6c"), prefixes.len());
    let addresses: Vec<_> = (0..prefixes.len()).map(|number| client.wait_address(&pod.vm, number)).collect();
    let leased: Vec<_> = chain.delegation.pool.leases().into_iter().map(|lease| lease.prefix).collect();
    assert_eq!(leased, prefixes);
    // Which of them is for which is the server's to say.
    for prefix in &prefixes {
        let address = addresses.iter().find(|address| prefix.contains(*address));
        chain.assert_works(&pod.vm, *address.unwrap_or_else(|| panic!("{prefix}: {addresses:?}")));
    }
    // Another VM, with the other client, has others.
    let others = chain.allocate(&pod.neighbour, 2);
    let dhclient = Dhclient::start(&pod.neighbour, &chain.path("dhclient"), Duid::LinkLayer, others.len());
    for prefix in others {
        dhclient.wait_told(&["BOUND6"], prefix);
        chain.take(&pod.neighbour, inside(prefix, 1));
        chain.assert_works(&pod.neighbour, inside(prefix, 1));
    }
    for port in ["vm1", "vm2"] {
        assert!(pod.count(port, Direction::FromVm, Reason::Dhcpv6) >= 2);
        pod.assert_nothing_dropped_from(port);
    }
    pod.daemon.assert_never("ERROR");
}

#[test]
fn kea_2_2_with_mariadb() {
    two_prefixes_for_each_of_two_vms(Release::Kea2_2, Kind::Mysql);
}

#[test]
fn kea_2_6_with_postgresql() {
    two_prefixes_for_each_of_two_vms(Release::Kea2_6, Kind::Postgres);
}

#[test]
fn kea_3_0_with_postgresql() {
    two_prefixes_for_each_of_two_vms(Release::Kea3_0, Kind::Postgres);
}

#[test]
fn kea_3_0_with_mariadb() {
    two_prefixes_for_each_of_two_vms(Release::Kea3_0, Kind::Mysql);
}
