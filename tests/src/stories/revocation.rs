//! What is taken away is gone at once; what is still allowed goes on; what is given back goes on again.

use ipv6_sg_common::verdict::Reason::*;

use super::{ECHO_RULES, ELSEWHERE, IN_GROUP, NO_RULES, Story, back, both, egress, ingress, only_ingress, out};
use crate::frame::{Ipv6, icmpv6, raw, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    [rules(), peers(), addresses(), survivors()].concat()
}

const SSH: &str = r#"{ protocol = "tcp", ports = "22", peers = ["::/0"] }"#;
const HTTPS: &str = r#"{ protocol = "tcp", ports = "443", peers = ["::/0"] }"#;
const DNS: &str = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;

fn rules() -> Vec<Story> {
    let asked = |flags| back(tcp(40000, 22, flags));
    let serves = |flags| out(tcp(22, 40000, flags));
    let ssh_and_dns = format!("{SSH}, {DNS}");
    let everything = r#"{ protocol = "all", peers = ["::/0"] }"#;
    vec![
        Story::new("a_rule_goes", &only_ingress(&ssh_and_dns))
            .gets(asked(2), Allowed)
            .sends(serves(0x12), Established)
            .gets(back(udp(9, 53, &[])), Allowed)
            .rules(&only_ingress(DNS))
            .gets(asked(0x10), IngressDenied)
            .sends(serves(0x10), EgressDenied)
            .gets(back(udp(9, 53, &[])), Established)
            .sends(out(udp(53, 9, &[])), Established),
        Story::new("a_rule_goes_and_comes_back", &only_ingress(SSH))
            .gets(asked(2), Allowed)
            .sends(serves(0x12), Established)
            .rules(&only_ingress(DNS))
            .gets(asked(0x10), IngressDenied)
            .rules(&only_ingress(SSH))
            .gets(asked(0x10), Established)
            .sends(serves(0x10), Established)
            .remembers(1),
        Story::new("a_rule_goes_and_the_server_speaks_first", &only_ingress(SSH))
            .gets(asked(2), Allowed)
            .rules(&only_ingress(DNS))
            .sends(serves(0x12), EgressDenied)
            .rules(&only_ingress(SSH))
            .sends(serves(0x12), Established),
        // The VM may send everything, but what it sends of the connection that was cut does not make it its own.
        Story::new("a_rule_goes_where_the_vm_may_send_everything", &ingress(SSH))
            .gets(asked(2), Allowed)
            .sends(serves(0x12), Established)
            .rules(NO_RULES)
            .sends(serves(0x10), Allowed)
            .gets(asked(0x10), IngressDenied)
            .sends(serves(0x11), Allowed)
            .gets(asked(0x10), IngressDenied)
            .rules(&ingress(SSH))
            .gets(asked(0x10), Established)
            .remembers(1),
        Story::new("a_cut_connection_leaves_its_tuple_to_who_may_begin_one", &ingress(SSH))
            .gets(asked(2), Allowed)
            .sends(serves(0x12), Established)
            .rules(NO_RULES)
            .sends(serves(2), Allowed)
            .gets(asked(0x12), Established)
            .sends(serves(0x10), Established)
            .gets(asked(2), IngressDenied)
            .remembers(1),
        Story::new("an_egress_rule_goes_where_the_peer_may_send_everything", &both(everything, HTTPS))
            .sends(out(tcp(40000, 443, 2)), Allowed)
            .gets(back(tcp(443, 40000, 0x12)), Established)
            .rules(&both(everything, ELSEWHERE))
            .gets(back(tcp(443, 40000, 0x10)), Allowed)
            .sends(out(tcp(40000, 443, 0x10)), EgressDenied)
            .gets(back(tcp(443, 40000, 2)), Allowed)
            .sends(out(tcp(40000, 443, 0x12)), Established),
        // No datagram says that it begins something: until the old flow would have been over, none does.
        Story::new("a_rule_goes_where_the_vm_may_send_every_datagram", &ingress(DNS))
            .gets(back(udp(9, 53, &[])), Allowed)
            .rules(NO_RULES)
            .gets(back(udp(9, 53, &[])), IngressDenied)
            .sends(out(udp(53, 9, &[])), Allowed)
            .gets(back(udp(9, 53, &[])), IngressDenied)
            .seconds(120)
            .sends(out(udp(53, 9, &[])), Allowed)
            .gets(back(udp(9, 53, &[])), Established)
            .remembers(1),
        Story::new("an_egress_rule_comes", NO_RULES)
            .sends(out(tcp(40000, 443, 2)), Allowed)
            .gets(back(tcp(443, 40000, 0x12)), Established)
            .sends(out(udp(40000, 53, &[])), Allowed)
            .rules(&egress(DNS))
            .sends(out(tcp(40000, 443, 0x10)), EgressDenied)
            .gets(back(tcp(443, 40000, 0x10)), IngressDenied)
            .gets(back(udp(53, 40000, &[])), Established)
            .rules(NO_RULES)
            .gets(back(tcp(443, 40000, 0x10)), Established),
        Story::new("a_port_range_shrinks", &ingress(r#"{ protocol = "udp", ports = "5000-5010", peers = ["::/0"] }"#))
            .gets(back(udp(9, 5000, &[])), Allowed)
            .gets(back(udp(9, 5010, &[])), Allowed)
            .rules(&both(r#"{ protocol = "udp", ports = "5000-5009", peers = ["::/0"] }"#, ELSEWHERE))
            .gets(back(udp(9, 5000, &[])), Established)
            .gets(back(udp(9, 5010, &[])), IngressDenied)
            .sends(out(udp(5010, 9, &[])), EgressDenied),
        Story::on(
            "a_rule_for_echo_goes",
            ECHO_RULES,
            &only_ingress(r#"{ protocol = "icmpv6", type = 128, peers = ["::/0"] }"#),
        )
        .gets(back(icmpv6::echo_request()), Allowed)
        .sends(out(icmpv6::echo_reply()), Established)
        .port(ECHO_RULES, &only_ingress(r#"{ protocol = "icmpv6", type = 129, peers = ["::/0"] }"#))
        .gets(back(icmpv6::echo_request()), IngressDenied)
        .sends(out(icmpv6::echo_reply()), EgressDenied)
        .port(ECHO_RULES, &only_ingress(r#"{ protocol = "icmpv6", peers = ["::/0"] }"#))
        .sends(out(icmpv6::echo_reply()), Established),
        Story::new("a_rule_for_a_protocol_goes", &only_ingress(r#"{ protocol = 47, peers = ["::/0"] }"#))
            .gets(back(raw(47, vec![0; 4])), Allowed)
            .rules(&only_ingress(r#"{ protocol = 50, peers = ["::/0"] }"#))
            .gets(back(raw(47, vec![0; 4])), IngressDenied)
            .sends(out(raw(47, vec![0; 4])), EgressDenied),
        Story::new("a_whole_group_goes", &only_ingress(&ssh_and_dns))
            .gets(asked(2), Allowed)
            .gets(back(udp(9, 53, &[])), Allowed)
            .sends(serves(0x12), Established)
            .port("security_groups = []", "")
            .gets(asked(0x10), IngressDenied)
            .gets(back(udp(9, 53, &[])), IngressDenied)
            .port(IN_GROUP, &only_ingress(&ssh_and_dns))
            .gets(asked(0x10), Established)
            .gets(back(udp(9, 53, &[])), Established),
        Story::new("flows_of_a_port_that_is_in_no_group_for_a_while", &only_ingress(SSH))
            .gets(asked(2), Allowed)
            .port("", "")
            .gets(asked(0x10), Traffic)
            .sends(serves(0x10), Traffic)
            .sends(out(tcp(1, 2, 2)), Traffic)
            .port(IN_GROUP, &only_ingress(DNS))
            .gets(asked(0x10), IngressDenied)
            .sends(out(tcp(1, 2, 0x10)), EgressDenied),
    ]
}

fn peers() -> Vec<Story> {
    let member = |prefix: &str| {
        format!(
            "[security_group.db]\nmembers = [\"2001:db8:5::/64\", {prefix:?}]\n{}",
            both(r#"{ protocol = "tcp", ports = "22", peers = ["group:db"] }"#, ELSEWHERE)
        )
    };
    let from = |peer: &str| Ipv6::new(peer.parse().expect("an address"), VM, tcp(40000, 22, 0x10));
    let to = |peer: &str| Ipv6::new(VM, peer.parse().expect("an address"), tcp(22, 40000, 0x10));
    let nested = |length: u8| only_ingress(&format!(r#"{{ protocol = "tcp", peers = ["2001:db8:5::/{length}"] }}"#));
    vec![
        Story::new("a_member_of_a_group_goes", &member("2001:db8:6::/64"))
            .gets(from("2001:db8:5::1"), Allowed)
            .gets(from("2001:db8:6::1"), Allowed)
            .sends(to("2001:db8:6::1"), Established)
            .rules(&member("2001:db8:7::/64"))
            .gets(from("2001:db8:6::1"), IngressDenied)
            .sends(to("2001:db8:6::1"), EgressDenied)
            .gets(from("2001:db8:5::1"), Established)
            .sends(to("2001:db8:5::1"), Established)
            .gets(from("2001:db8:7::1"), Allowed)
            .rules(&member("2001:db8:6::/64"))
            .sends(to("2001:db8:6::1"), Established)
            .gets(from("2001:db8:7::1"), IngressDenied),
        Story::new("a_prefix_shrinks", &nested(48))
            .gets(from("2001:db8:5::1"), Allowed)
            .gets(from("2001:db8:5:1::1"), Allowed)
            .rules(&nested(64))
            .gets(from("2001:db8:5::1"), Established)
            .gets(from("2001:db8:5:1::1"), IngressDenied)
            .rules(&nested(48))
            .gets(from("2001:db8:5:1::1"), Established),
        // The longer prefix goes, and what it allowed is allowed by the one around it, or is not.
        Story::new(
            "the_inner_of_two_prefixes_goes",
            &only_ingress(
                r#"{ protocol = "tcp", ports = "22", peers = ["2001:db8::/32"] },
               { protocol = "udp", peers = ["2001:db8:5::/64"] }"#,
            ),
        )
        .gets(from("2001:db8:5::1"), Allowed)
        .gets(Ipv6::new("2001:db8:5::1".parse().expect("an address"), VM, udp(1, 2, &[])), Allowed)
        .rules(&only_ingress(r#"{ protocol = "tcp", ports = "22", peers = ["2001:db8::/32"] }"#))
        .gets(from("2001:db8:5::1"), Established)
        .gets(Ipv6::new("2001:db8:5::1".parse().expect("an address"), VM, udp(1, 2, &[])), IngressDenied),
    ]
}

fn addresses() -> Vec<Story> {
    let port = |keys: &str| format!("security_groups = [\"vm\"]\n{keys}");
    let extra = port("addresses = [\"2001:db8:100::100\"]");
    let elsewhere = port("addresses = [\"2001:db8:abcd::100\"]");
    let elsewhere_address = "2001:db8:abcd::100".parse().expect("an address");
    let delegated = port("delegated = [\"2001:db8:f000:10::/60\"]");
    let half = port("delegated = [\"2001:db8:f000:10::/61\"]");
    let asks = |address| Ipv6::new(address, STRANGER, udp(40000, 53, &[]));
    let answers = |address| Ipv6::new(STRANGER, address, udp(53, 40000, &[]));
    vec![
        Story::on("an_address_of_the_vm_goes", &extra, NO_RULES)
            .sends(asks(EXTRA), Allowed)
            .sends(asks(VM), Allowed)
            .gets(answers(EXTRA), Established)
            .port(IN_GROUP, NO_RULES)
            .sends(asks(EXTRA), SourcePrivacy)
            .gets(answers(EXTRA), NotForThisVm)
            .gets(answers(VM), Established)
            .port(&extra, NO_RULES)
            .gets(answers(EXTRA), Established),
        Story::on("an_address_beyond_the_network_goes", &elsewhere, NO_RULES)
            .sends(asks(elsewhere_address), Allowed)
            .port(IN_GROUP, NO_RULES)
            .sends(asks(elsewhere_address), SourceSpoofed)
            .gets(answers(elsewhere_address), NotForThisVm),
        Story::on("a_delegated_prefix_goes", &delegated, NO_RULES)
            .sends(asks(DELEGATED_FIRST), Allowed)
            .sends(asks(DELEGATED_LAST), Allowed)
            .gets(answers(DELEGATED_LAST), Established)
            .port(&half, NO_RULES)
            .gets(answers(DELEGATED_FIRST), Established)
            .sends(asks(DELEGATED_LAST), SourceSpoofed)
            .gets(answers(DELEGATED_LAST), NotForThisVm)
            .port(IN_GROUP, NO_RULES)
            .sends(asks(DELEGATED_FIRST), SourceSpoofed)
            .gets(answers(DELEGATED_FIRST), NotForThisVm)
            .port(&delegated, NO_RULES)
            .gets(answers(DELEGATED_FIRST), Established),
    ]
}

/// Nothing that is still allowed loses a packet, whatever else changes.
fn survivors() -> Vec<Story> {
    let mut story = Story::new("flows_that_every_change_still_allows", &ingress(&format!("{SSH}, {DNS}")))
        .gets(back(tcp(40000, 22, 2)), Allowed)
        .sends(out(tcp(22, 40000, 0x12)), Established)
        .sends(out(udp(40000, 123, &[])), Allowed);
    let ntp = r#"{ protocol = "udp", ports = "123", peers = ["::/0"] }"#;
    let admin = r#"{ protocol = "tcp", ports = "20-30", peers = ["2a00::/16"] }"#;
    for groups in [
        ingress(SSH),
        ingress(r#"{ protocol = "all", peers = ["::/0"] }"#),
        both(SSH, ntp),
        both(admin, ntp),
        both(admin, r#"{ protocol = 17, peers = ["2000::/3"] }"#),
        both(&format!("{admin}, {DNS}"), &format!("{ELSEWHERE}, {ntp}")),
        ingress(SSH),
    ] {
        story = story
            .rules(&groups)
            .gets(back(tcp(40000, 22, 0x10)), Established)
            .sends(out(tcp(22, 40000, 0x10)), Established)
            .gets(back(udp(123, 40000, &[])), Established)
            .sends(out(udp(40000, 123, &[])), Established);
    }
    vec![
        story.remembers(2),
        Story::new("a_flow_remembers_who_opened_it", NO_RULES)
            .sends(out(udp(53, 53, &[])), Allowed)
            .gets(back(udp(53, 53, &[])), Established)
            // Now the rules would let the peer open it, but it was the VM who did, and it may not.
            .rules(&only_ingress(r#"{ protocol = "udp", ports = "54", peers = ["::/0"] }"#))
            .gets(back(udp(53, 53, &[])), IngressDenied)
            .rules(&only_ingress(DNS))
            .gets(back(udp(53, 53, &[])), Allowed)
            .sends(out(udp(53, 53, &[])), EgressDenied)
            .seconds(300)
            .gets(back(udp(53, 53, &[])), Allowed)
            .sends(out(udp(53, 53, &[])), Established),
    ]
}
