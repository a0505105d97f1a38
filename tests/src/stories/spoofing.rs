//! Anti-spoofing comes before every flow: who forges gains nothing from what is established.

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::*;

use super::{NO_RULES, Story, back, ingress, out};
use crate::frame::extension::{destination, fragment, routing};
use crate::frame::{Ipv6, VLAN, icmpv6, raw, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    let client = || out(tcp(40000, 443, 0x10));
    let server = || back(tcp(443, 40000, 0x10));
    let established = |name| {
        Story::new(name, NO_RULES).sends(client(), Allowed).gets(server(), Established).sends(client(), Established)
    };
    let web = ingress(r#"{ protocol = "tcp", ports = "443", peers = ["::/0"] }"#);
    vec![
        established("forged_on_an_established_flow_out")
            .sends(client().from(NEIGHBOUR), SourcePrivacy)
            .sends(client().from(STRANGER), SourceSpoofed)
            .sends(client().from(VM_LINK_LOCAL), LinkLocalTraffic)
            .sends(client().from(UNSPECIFIED), SourceUnspecified)
            .sends(client().ethernet(FromVm).from(NEIGHBOUR_MAC), MacSpoofed)
            .sends(client().ethernet(FromVm).tag(VLAN, 5), VlanTagged)
            .sends(client().ext(routing(0, 0)), RoutingType0)
            .sends(client().cut(1), UpperTruncated)
            .sends(client(), Established)
            .remembers(1),
        established("forged_on_an_established_flow_in")
            .gets(server().to(NEIGHBOUR), NotForThisVm)
            .gets(server().from(VM), SourceIsThisVm)
            .gets(server().from(ALL_NODES), SourceMulticast)
            .gets(server().ethernet(ToVm).to(NEIGHBOUR_MAC), NotForThisMac)
            .gets(server().ethernet(ToVm).tag(VLAN, 5), VlanTagged)
            .gets(server().ext(routing(0, 0)), RoutingType0)
            .gets(server(), Established)
            .remembers(1),
        established("forged_fragments_on_an_established_flow")
            .sends(out(udp(40000, 443, &[0; 8])).from(NEIGHBOUR).ext(fragment(7, 0, true)), SourcePrivacy)
            .sends(out(raw(6, vec![0; 24])).from(NEIGHBOUR).ext(fragment(7, 24, false)), SourcePrivacy)
            .sends(out(raw(6, vec![0; 24])).ext(fragment(7, 24, false)), FragmentUnknown)
            .gets(back(raw(6, vec![0; 24])).from(VM).ext(fragment(7, 24, false)), SourceIsThisVm)
            .gets(back(raw(6, vec![0; 24])).ext(fragment(7, 24, false)), FragmentUnknown),
        established("an_answer_in_the_name_of_the_peer_about_a_strangers_packet")
            .gets(back(icmpv6::error(2, 0, &Ipv6::new(NEIGHBOUR, STRANGER, tcp(40000, 443, 0x10)))), ErrorForeign)
            .gets(back(icmpv6::error(2, 0, &client())), IcmpError),
        Story::new("a_rule_for_everybody_is_none_for_forgers", &web)
            .gets(back(tcp(40000, 443, 2)).from(VM), SourceIsThisVm)
            .gets(back(tcp(40000, 443, 2)).from(WIDE_GROUP), SourceMulticast)
            .gets(back(tcp(40000, 443, 2)).to(STRANGER), NotForThisVm)
            .gets(back(tcp(40000, 443, 2)).ext(destination(&[])), Allowed)
            .remembers(1),
        // Each address of the VM has flows of its own.
        Story::on("a_flow_of_one_address_is_none_of_another", TWO_ADDRESSES, NO_RULES)
            .sends(client(), Allowed)
            .gets(server().to(EXTRA), IngressDenied)
            .gets(server().to(DELEGATED_LAST), IngressDenied)
            .sends(client().from(EXTRA), Allowed)
            .gets(server().to(EXTRA), Established)
            .gets(server().to(DELEGATED_LAST), IngressDenied)
            .sends(client().from(DELEGATED_LAST), Allowed)
            .gets(server().to(DELEGATED_LAST), Established)
            .gets(server().to(DELEGATED_FIRST), IngressDenied)
            .gets(server().to(DELEGATED_AFTER), NotForThisVm)
            .remembers(3),
    ]
}

/// The port has a further address and a delegated prefix.
const TWO_ADDRESSES: &str = "security_groups = [\"vm\"]\naddresses = [\"2001:db8:100::100\"]\n\
                             delegated = [\"2001:db8:f000:10::/60\"]";
