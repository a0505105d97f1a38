//! dnsmasq as a DHCPv6 relay, which tells a VM's MAC as the Client Link-Layer Address (option 79).

use std::net::Ipv6Addr;

use crate::lab::{Netns, Process};

/// Starts it for the clients on an interface of a router, whose address there is `link`. It does nothing else.
#[track_caller]
pub(super) fn dnsmasq(router: &Netns, interface: &str, link: Ipv6Addr, server: Ipv6Addr) -> Process {
    let mut command = router.command("dnsmasq");
    command.args(["--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file="]);
    command.args([format!("--interface={interface}"), format!("--dhcp-relay={link},{server}")]);
    let mut dnsmasq = Process::start(command);
    dnsmasq.wait_for("DHCP relay");
    dnsmasq
}
