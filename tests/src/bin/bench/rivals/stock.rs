//! What CloudStack's script programs on a KVM host: ip6tables behind the bridge, ipset, ebtables. IPv6 only.

use std::net::Ipv6Addr;

use anyhow::Result;

use super::run;
use crate::sample::{Rule, UDP_PORT, Vm};

/// The chain of the bridge; with `-IN` and `-OUT`, what leads to the VMs.
const BRIDGE: &str = "BF-br0";

/// Commands for one VM, each a line of words as somebody would type them behind the program's name.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// For ipset.
    pub sets: Vec<String>,
    /// For ip6tables.
    pub filters: Vec<String>,
    /// For ebtables.
    pub frames: Vec<String>,
}

/// What is there before the first VM; everything that is forwarded to `uplink` and came through the VMs' chains may leave.
pub fn bridge(uplink: &str) -> Vec<String> {
    let bridged = "-m physdev --physdev-is-bridged";
    vec![
        format!("-N {BRIDGE}"),
        format!("-N {BRIDGE}-IN"),
        format!("-N {BRIDGE}-OUT"),
        format!("-A FORWARD -i br0 {bridged} -j {BRIDGE}"),
        format!("-A FORWARD -o br0 {bridged} -j {BRIDGE}"),
        "-A FORWARD -i br0 -j DROP".to_owned(),
        "-A FORWARD -o br0 -j DROP".to_owned(),
        format!("-A {BRIDGE} -m state --state RELATED,ESTABLISHED -j ACCEPT"),
        format!("-A {BRIDGE} -m physdev --physdev-is-in --physdev-is-bridged -j {BRIDGE}-IN"),
        format!("-A {BRIDGE} -m physdev --physdev-is-out --physdev-is-bridged -j {BRIDGE}-OUT"),
        format!("-A {BRIDGE} {bridged} --physdev-out {uplink} -j ACCEPT"),
    ]
}

/// What a VM gets.
pub fn vm(vm: &Vm) -> Commands {
    let name = &vm.interface;
    let (set, chain) = (set(vm), format!("{name}-def"));
    let sets = [format!("create {set} hash:net family inet6")].into_iter();
    let sets = sets.chain(vm.addresses().into_iter().map(|address| format!("add {set} {address}")));
    let (from, to) = (
        format!("-m physdev --physdev-is-bridged --physdev-in {name}"),
        format!("-m physdev --physdev-is-bridged --physdev-out {name}"),
    );
    let own = format!("-m set --match-set {set} src");
    let icmp = |kind: &str| format!("-p icmpv6 --icmpv6-type {kind}");
    let (solicit, advert) = (icmp("neighbour-solicitation"), icmp("neighbour-advertisement"));
    let mut filters = vec![
        format!("-N {name}"),
        format!("-N {name}-eg"),
        format!("-N {chain}"),
        format!("-A {BRIDGE}-OUT {to} -j {chain}"),
        format!("-A {BRIDGE}-IN {from} -j {chain}"),
        format!("-A {chain} -m state --state RELATED,ESTABLISHED -j ACCEPT"),
        format!("-A {chain} {to} -s fe80::/64 -d ff02::1 {} -m hl --hl-eq 255 -j ACCEPT", icmp("router-advertisement")),
        format!("-A {chain} {from} -d ff02::2 {} -m hl --hl-eq 255 -j RETURN", icmp("router-solicitation")),
        format!("-A {chain} {} -j DROP", icmp("router-advertisement")),
        format!("-A {chain} {from} {solicit} -m hl --hl-eq 255 -j RETURN"),
        format!("-A {chain} {to} {solicit} -m hl --hl-eq 255 -j ACCEPT"),
        format!("-A {chain} {from} {advert} {own} -m hl --hl-eq 255 -j RETURN"),
        format!("-A {chain} {to} {advert} -m hl --hl-eq 255 -j ACCEPT"),
    ];
    for kind in ["packet-too-big", "destination-unreachable", "time-exceeded", "parameter-problem"] {
        filters.push(format!("-A {chain} {from} {} {own} -j RETURN", icmp(kind)));
        filters.push(format!("-A {chain} {to} {} -j ACCEPT", icmp(kind)));
    }
    filters.extend([
        format!("-A {chain} {from} -p icmpv6 -d ff02::16 -j RETURN"),
        format!("-A {chain} {from} -p udp --sport 546 -s fe80::/64 -d ff02::1:2 -j RETURN"),
        format!("-A {chain} {to} -p udp --dport 546 -s fe80::/64 -j ACCEPT"),
        format!("-A {chain} {from} -p udp --sport 547 ! -d fe80::/64 -j DROP"),
        format!("-A {chain} {from} -p udp --dport 53 {own} -j RETURN"),
        format!("-A {chain} {from} -p tcp --dport 53 {own} -j RETURN"),
        format!("-A {chain} {from} -m set ! --match-set {set} src -j DROP"),
        format!("-A {chain} {from} {own} -j {name}-eg"),
        format!("-A {chain} {to} -j {name}"),
    ]);
    filters.extend(rules(vm));
    let frames = vec![
        format!("-t nat -N {name}-in"),
        format!("-t nat -A PREROUTING -i {name} -j {name}-in"),
        format!("-t nat -A {name}-in -s ! {} -j DROP", vm.mac),
        format!("-t nat -P {name}-in ACCEPT"),
    ];
    Commands { sets: sets.collect(), filters, frames }
}

/// The set of a VM's addresses.
fn set(vm: &Vm) -> String {
    format!("{}-6", vm.interface)
}

/// What of a VM's chains its rules are: both are emptied and written again with every change.
fn rules(vm: &Vm) -> Vec<String> {
    let name = &vm.interface;
    let what =
        |Rule { protocol, port, .. }: &Rule| format!("-p {protocol} -m {protocol} --dport {port} -m state --state NEW");
    let mut lines = vec![format!("-F {name}"), format!("-F {name}-eg")];
    lines.extend(vm.ingress.iter().map(|rule| format!("-A {name} {} -s {} -j ACCEPT", what(rule), rule.peer)));
    lines.extend(vm.egress.iter().map(|rule| format!("-A {name}-eg {} -d {} -j RETURN", what(rule), rule.peer)));
    lines.extend([format!("-A {name} -j DROP"), format!("-A {name}-eg -j DROP")]);
    lines
}

/// The rule for one member of a group; the script knows groups only as a list of addresses.
pub fn member(chain: &str, member: Ipv6Addr) -> String {
    format!("-A {chain} -p udp -m udp --dport {UDP_PORT} -m state --state NEW -s {member}/128 -j ACCEPT")
}

/// Runs a program once for each line, as the script does.
///
/// # Errors
/// It refuses one.
pub fn one_by_one(program: &str, lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|line| run(program, line.split_whitespace(), ""))
}

/// Gives all lines to one ip6tables, as the script does not.
///
/// # Errors
/// It refuses one; then none holds.
pub fn at_once(lines: &[String]) -> Result<()> {
    run("ip6tables-restore", ["--noflush"], &format!("*filter\n{}\nCOMMIT\n", lines.join("\n")))
}

/// Everything for these VMs.
///
/// # Errors
/// One of the programs refuses something.
pub fn program(uplink: &str, vms: &[Vm]) -> Result<()> {
    let mut all = Commands { filters: bridge(uplink), ..Commands::default() };
    for commands in vms.iter().map(vm) {
        all.sets.extend(commands.sets);
        all.filters.extend(commands.filters);
        all.frames.extend(commands.frames);
    }
    run("ipset", ["restore"], &(all.sets.join("\n") + "\n"))?;
    at_once(&all.filters)?;
    one_by_one("ebtables", &all.frames)
}
