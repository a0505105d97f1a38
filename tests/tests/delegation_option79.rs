//! Two prefixes at once for `dhcp6c`, by dnsmasq as a relay that tells a VM's MAC as the Client Link-Layer Address.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::delegation::{Chain, Dhcp6c, Distrust, Identity};

const PREFIXES: [&str; 2] = ["2001:db8:f000:10::/60", "2001:db8:f000:20::/60"];

#[test]
fn two_prefixes_for_a_client_that_numbers_what_is_behind_it() {
    let chain = Chain::new(Identity::LinkLayer, Distrust::Relays);
    let pod = &chain.pod;
    chain.reserve(&pod.vm, &PREFIXES);
    let client = Dhcp6c::start(&pod.vm, &chain.path("dhcp6c"), PREFIXES.len());
    let mut addresses: Vec<_> = (0..PREFIXES.len()).map(|number| client.wait_address(&pod.vm, number)).collect();
    let leases: Vec<_> = chain.delegation.reservations().leases().into_iter().map(|lease| lease.prefix).collect();
    assert_eq!(leases, PREFIXES);
    for address in &addresses {
        chain.assert_works(&pod.vm, *address);
    }
    // Which is given to which association is the server's to say.
    addresses.sort();
    let networks = addresses.iter().map(|address| address.segments()[3] & 0xfff0).collect::<Vec<_>>();
    assert_eq!(networks, [0x10, 0x20]);
    assert!(pod.count("vm1", Direction::FromVm, Reason::Dhcpv6) >= 2);
    pod.assert_nothing_dropped_from("vm1");
    pod.daemon.assert_never("ERROR");
}
