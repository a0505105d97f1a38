//! Two prefixes at once for `dhcp6c`, by dnsmasq as a relay that tells a VM's MAC as the Client Link-Layer Address.

use ipv6_sg::kea::Kind;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::delegation::{Chain, Dhcp6c, Distrust, Identity};
use ipv6_sg_tests::lab::kea::Server;

#[test]
fn two_prefixes_for_a_client_that_numbers_what_is_behind_it() {
    let server = Server::start(Kind::Postgres);
    let chain = Chain::new(&server, Identity::LinkLayer, Distrust::Relays);
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
    assert!(pod.count("vm1", Direction::FromVm, Reason::Dhcpv6) >= 2);
    pod.assert_nothing_dropped_from("vm1");
    pod.daemon.assert_never("ERROR");
}
