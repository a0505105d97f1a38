//! The VMs of the benchmark and the rules that they have, in the words of no program: whoever enforces them writes them out.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::port;
use ipv6_sg_tests::world::{STRANGER, VM_MAC};

/// Where the datagrams of the benchmark go.
pub const UDP_PORT: u16 = 9;
/// Where its TCP connections go.
pub const TCP_PORT: u16 = 7000;
/// Who talks to the VM is in here.
pub const FAR: &str = "2a00::/16";
/// The VMs' network.
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0);

/// A rule that allows one port, of the VM to one prefix or of the prefix to the VM.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The destination port.
    pub port: u16,
    /// The prefix, as everybody writes it.
    pub peer: String,
}

/// A VM.
#[derive(Clone, Debug)]
pub struct Vm {
    /// The host's end of its interface.
    pub interface: String,
    /// Its MAC.
    pub mac: Mac,
    /// What may come.
    pub ingress: Vec<Rule>,
    /// What may go.
    pub egress: Vec<Rule>,
}

impl Vm {
    /// The VM that is measured, with so many rules for each way.
    pub fn measured(rules: u32) -> Self {
        Self::numbered("vnet1".to_owned(), VM_MAC, 0, rules)
    }

    /// One of the others, which only are there. Numbers begin at 1.
    pub fn idle(number: u32, rules: u32) -> Self {
        let [.., high, low] = number.to_be_bytes();
        Self::numbered(format!("idle{number}"), Mac { octets: [0x06, 0, 0, 1, high, low] }, number, rules)
    }

    fn numbered(interface: String, mac: Mac, number: u32, rules: u32) -> Self {
        let [ingress, egress] = both_ways(number, rules);
        Self { interface, mac, ingress, egress }
    }

    /// Its addresses: link-local, then global.
    pub fn addresses(&self) -> [Ipv6Addr; 2] {
        [eui64::link_local(self.mac), eui64::slaac(Address::from_ip(PREFIX), self.mac)].map(Address::to_ip)
    }

    /// The port and a group of its own, in the words of a state file.
    pub fn state(&self) -> String {
        let group = format!("group-{}", self.interface);
        port(&self.interface, self.mac, &format!("security_groups = [\"{group}\"]"))
            + &self::group(&group, &self.ingress, &self.egress)
    }
}

/// So many rules for what comes and as many for what goes, none of which are alike. `set` tells them from others'.
pub fn both_ways(set: u32, count: u32) -> [Vec<Rule>; 2] {
    [some_rules(2 * set, count), some_rules(2 * set + 1, count)]
}

/// So many rules, of which those that allow what the benchmark sends stand in the middle.
fn some_rules(set: u32, count: u32) -> Vec<Rule> {
    let far = |protocol, port| Rule { protocol, port, peer: FAR.to_owned() };
    let needed: Vec<_> =
        [far("udp", UDP_PORT), far("tcp", TCP_PORT)].into_iter().take(usize::try_from(count).unwrap_or(0)).collect();
    let other = |number: u32| {
        let port = 10_000 + u16::try_from(number % 50_000).unwrap_or(0);
        Rule { protocol: "tcp", port, peer: format!("2001:db8:{set:x}:{number:x}::/64") }
    };
    let others = count.saturating_sub(2);
    let (before, after) = ((0..others / 2).map(other), (others / 2..others).map(other));
    before.chain(needed).chain(after).collect()
}

/// A group with these rules, in the words of a state file.
pub fn group(name: &str, ingress: &[Rule], egress: &[Rule]) -> String {
    let list = |rules: &[Rule]| {
        let rule = |Rule { protocol, port, peer }: &Rule| {
            format!("  {{ protocol = \"{protocol}\", ports = \"{port}\", peers = [\"{peer}\"] }},\n")
        };
        rules.iter().map(rule).collect::<String>()
    };
    format!("[security_group.{name}]\ningress = [\n{}]\negress = [\n{}]\n", list(ingress), list(egress))
}

/// So many addresses far away, of which the last is who talks to the VM.
pub fn members(count: u32) -> impl Iterator<Item = Ipv6Addr> {
    let member = |number: u32| {
        let [a, b, c, d] = number.to_be_bytes().map(u16::from);
        Ipv6Addr::new(0x2a00, 0xf10, c, d, a, b, 0, 1)
    };
    (1..count).map(member).chain([STRANGER])
}

/// A group with these members, named `members`, and one, named `web`, to which they may come. It may go to all of [`FAR`].
pub fn open_to(members: impl Iterator<Item = Ipv6Addr>) -> String {
    let mut list = String::new();
    for member in members {
        let _ = writeln!(list, "  \"{member}/128\",");
    }
    let rules = |peers: &str| {
        let rule =
            |protocol, port| format!("{{ protocol = \"{protocol}\", ports = \"{port}\", peers = [\"{peers}\"] }}");
        format!("[{}, {}]", rule("udp", UDP_PORT), rule("tcp", TCP_PORT))
    };
    format!(
        "[security_group.members]\nmembers = [\n{list}]\n[security_group.web]\ningress = {}\negress = {}\n",
        rules("group:members"),
        rules(FAR)
    )
}
