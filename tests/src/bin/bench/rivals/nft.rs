//! The same policy as CloudStack's rules, in nftables: a map leads to the VM's chain, a set holds its rules.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use anyhow::Result;

use super::run;
use crate::sample::{Rule, UDP_PORT, Vm};

/// Where flows are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// By the bridge itself (`nf_conntrack_bridge`): one table of the family `bridge`.
    Bridge,
    /// By br_netfilter, on kernels without that: the bridge only marks whose the packet is, and a table of `ip6` judges.
    BrNetfilter,
}

impl Tracking {
    /// What this kernel can, and what it answers where that is not the better one.
    pub fn of_this_kernel() -> (Self, Option<String>) {
        let probe =
            "table bridge probe { chain probe { type filter hook forward priority 0; ct state established accept; }; }";
        match run("nft", ["--check", "--file", "-"], probe) {
            Ok(()) => (Self::Bridge, None),
            Err(error) => {
                let words = format!("{error:#}");
                (
                    Self::BrNetfilter,
                    words.split("Error: ").nth(1).and_then(|said| said.lines().next()).map(str::to_owned),
                )
            }
        }
    }

    /// Of the table that judges.
    pub const fn family(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::BrNetfilter => "ip6",
        }
    }

    /// What leads to the chains of a direction.
    const fn key(self, interface: &'static str) -> &'static str {
        match self {
            Self::Bridge => interface,
            Self::BrNetfilter => "meta mark",
        }
    }
}

/// The whole ruleset for these VMs.
pub fn text(tracking: Tracking, vms: &[Vm]) -> String {
    let numbered = || (1_u32..).zip(vms);
    let mut text = format!("table {} guard {{\n", tracking.family());
    for (number, vm) in numbered() {
        text += &chains(number, vm);
    }
    let map = |kind: &str, way: &str| {
        let element = |(number, vm): (u32, &Vm)| match tracking {
            Tracking::Bridge => format!("\"{}\" : jump {way}{number}", vm.interface),
            Tracking::BrNetfilter => format!("{number} : jump {way}{number}"),
        };
        let elements: Vec<_> = numbered().map(element).collect();
        format!("  map {way} {{ type {kind} : verdict; elements = {{ {} }}; }}\n", elements.join(", "))
    };
    let kind = if tracking == Tracking::Bridge { "ifname" } else { "mark" };
    text += &(map(kind, "from") + &map(kind, "to"));
    for (chain, hook, interface) in [("from", "prerouting", "iifname"), ("to", "forward", "oifname")] {
        let key = tracking.key(interface);
        let _ = writeln!(
            text,
            "  chain {chain}_vms {{ type filter hook {hook} priority 0; ct state established,related accept; \
             {key} vmap @{chain}; }}"
        );
    }
    text += "}\n";
    // The MACs are the bridge's to judge in any case.
    let elements = |element: fn(u32, &Vm) -> String| {
        numbered().map(|(number, vm)| element(number, vm)).collect::<Vec<_>>().join(", ")
    };
    let _ = writeln!(
        text,
        "table bridge macs {{\n  set vms {{ type ifname; elements = {{ {} }}; }}\n\
         \x20 set macs {{ typeof iifname . ether saddr; elements = {{ {} }}; }}",
        elements(|_, vm| format!("\"{}\"", vm.interface)),
        elements(|_, vm| format!("\"{}\" . {}", vm.interface, vm.mac)),
    );
    let mark = |interface: &str| match tracking {
        Tracking::Bridge => String::new(),
        Tracking::BrNetfilter => {
            let marks = elements(|number, vm| format!("\"{}\" : {number}", vm.interface));
            format!("meta mark set 0; meta mark set {interface} map {{ {marks} }};")
        }
    };
    let _ = writeln!(
        text,
        "  chain from {{ type filter hook prerouting priority -300; iifname @vms iifname . ether saddr != @macs drop; {} }}",
        mark("iifname")
    );
    if tracking == Tracking::BrNetfilter {
        let _ = writeln!(text, "  chain to {{ type filter hook forward priority -200; {} }}", mark("oifname"));
    }
    text + "}\n"
}

/// The chains of one VM.
fn chains(number: u32, vm: &Vm) -> String {
    let own = vm.addresses().map(|address| address.to_string()).join(", ");
    let errors = "{ packet-too-big, destination-unreachable, time-exceeded, parameter-problem }";
    format!(
        "{}{}\
         \x20 chain from{number} {{\n\
         \x20   icmpv6 type nd-router-solicit ip6 daddr ff02::2 ip6 hoplimit 255 accept\n\
         \x20   icmpv6 type nd-router-advert drop\n\
         \x20   icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 accept\n\
         \x20   ip6 saddr != {{ {own} }} drop\n\
         \x20   icmpv6 type nd-neighbor-advert ip6 hoplimit 255 accept\n\
         \x20   icmpv6 type {errors} accept\n\
         \x20   icmpv6 type mld2-listener-report ip6 daddr ff02::16 accept\n\
         \x20   udp sport 546 ip6 saddr fe80::/64 ip6 daddr ff02::1:2 accept\n\
         \x20   udp sport 547 ip6 daddr != fe80::/64 drop\n\
         \x20   meta l4proto {{ tcp, udp }} th dport 53 accept\n\
         \x20   meta l4proto . th dport . ip6 daddr @egress{number} accept\n\
         \x20   drop\n\
         \x20 }}\n\
         \x20 chain to{number} {{\n\
         \x20   icmpv6 type nd-router-advert ip6 saddr fe80::/64 ip6 hoplimit 255 accept\n\
         \x20   icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept\n\
         \x20   icmpv6 type {errors} accept\n\
         \x20   udp dport 546 ip6 saddr fe80::/64 accept\n\
         \x20   meta l4proto . th dport . ip6 saddr @ingress{number} accept\n\
         \x20   drop\n\
         \x20 }}\n",
        set(&format!("ingress{number}"), &vm.ingress),
        set(&format!("egress{number}"), &vm.egress),
    )
}

fn set(name: &str, rules: &[Rule]) -> String {
    let element = |Rule { protocol, port, peer }: &Rule| format!("{protocol} . {port} . {peer}");
    let elements = rules.iter().map(element).collect::<Vec<_>>().join(", ");
    let kind = "type inet_proto . inet_service . ipv6_addr; flags interval";
    format!("  set {name} {{ {kind}; elements = {{ {elements} }}; }}\n")
}

/// Puts one member more into the rules of the VM with this number.
pub fn member(tracking: Tracking, number: u32, member: Ipv6Addr) -> String {
    format!("add element {} guard ingress{number} {{ udp . {UDP_PORT} . {member} }}\n", tracking.family())
}

/// Runs nft on these words, which hold all or not at all.
///
/// # Errors
/// It refuses them.
pub fn apply(text: &str) -> Result<()> {
    run("nft", ["--file", "-"], text)
}
