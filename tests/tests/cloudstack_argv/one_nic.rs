//! A VM with one NIC, from the agent's start to the VM's end, with a reboot between.

use ipv6_sg_common::verdict::Reason::{Allowed, EgressDenied, SourcePrivacy};

use crate::life::Life;
use crate::row::{Holds, Row};

const OPEN: &[(&str, Holds)] = &[("vnet1", Holds::Open)];
const DEFAULT: &[(&str, Holds)] = &[("vnet1", Holds::into(&[]))];
const SSH: &[(&str, Holds)] = &[("vnet1", Holds::into(&[22]))];
const GONE: &[(&str, Holds)] = &[("vnet1", Holds::Gone)];

pub const CALLS: &[Row] = &[
    Row::same("can_bridge_firewall --privnic eth0", "", OPEN),
    Row::same("cleanup_rules", "", OPEN),
    Row::same("get_rule_logs_for_vms", "\n", OPEN),
    Row::better(
        "get_rule_logs_for_vms",
        "what is missing here is never said again",
        "\n",
        "i-2-5-VM,5,,-1,_initial_,-1\n",
        OPEN,
    )
    .after(|life| life.runs(1)),
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; --isFirstNic",
        "",
        DEFAULT,
    ),
    Row::same("get_rule_logs_for_vms", "i-2-5-VM,5,10.1.1.5,1,_initial_,-1\n", DEFAULT),
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; --isFirstNic --check",
        "",
        DEFAULT,
    ),
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 7215ee9c7d9dc229d2921a40e899ec5f --seq 1 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:icmp;-1;-1;0.0.0.0/0,NEXT;I:icmp;128;0;::/0,NEXT;I:tcp;22;22;10.1.1.0/24,::/0,NEXT;",
        "",
        SSH,
    ),
    Row::same("get_rule_logs_for_vms", "i-2-5-VM,5,10.1.1.5,1,7215ee9c7d9dc229d2921a40e899ec5f,1\n", SSH),
    Row::same(
        "verify_network_rules --vmname i-2-5-VM --vmip 10.1.1.5 --vmmac 06:7a:88:00:00:8b --nicsecips 0;",
        "",
        SSH,
    ),
    Row::same(
        "network_rules_vmSecondaryIp --vmname i-2-5-VM --vmmac 06:7a:88:00:00:8b --nicsecips 2001:db8:100::100 --action=-A",
        "",
        &[("vnet1", Holds::Guarded { open: &[22], own: Allowed, further: Allowed })],
    ),
    // A release to come says how a NIC is routed.
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 202cb962ac59075b964b07152d234b70 --seq 2 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 \
         --nicsecips 10.1.1.77;2001:db8:100::100; --directrouted \
         --rules I:tcp;80;80;0.0.0.0/0,::/0,NEXT;E:tcp;443;443;0.0.0.0/0,fd00::/64,NEXT;",
        "",
        &[("vnet1", Holds::Guarded { open: &[80], own: EgressDenied, further: EgressDenied })],
    ),
    // As older releases write the action.
    Row::same(
        "network_rules_vmSecondaryIp --vmname i-2-5-VM --vmmac 06:7a:88:00:00:8b --nicsecips 2001:db8:100::100 --action -D",
        "",
        &[("vnet1", Holds::Guarded { open: &[80], own: EgressDenied, further: SourcePrivacy })],
    ),
    // No rule is left, and a list of addresses that has become empty is a word without letters.
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig d41d8cd98f00b204e9800998ecf8427e --seq 3 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips ",
        "",
        DEFAULT,
    ),
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips  --isFirstNic --check",
        "",
        DEFAULT,
    ),
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 7215ee9c7d9dc229d2921a40e899ec5f --seq 4 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;22;22;0.0.0.0/0,::/0,NEXT;",
        "",
        SSH,
    ),
    Row::better(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 202cb962ac59075b964b07152d234b70 --seq 2 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;80;80;0.0.0.0/0,::/0,NEXT;",
        "it was late, and undoes the newer one there",
        "",
        "",
        SSH,
    ),
    Row::better(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; --isFirstNic",
        "it has its rules all the while, and none before the next call there",
        "",
        "",
        SSH,
    )
    .after(|life| life.reboots(2)),
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 7215ee9c7d9dc229d2921a40e899ec5f --seq 4 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;22;22;0.0.0.0/0,::/0,NEXT;",
        "",
        SSH,
    ),
    Row::same("get_rule_logs_for_vms", "i-2-5-VM,5,10.1.1.5,2,7215ee9c7d9dc229d2921a40e899ec5f,4\n", SSH),
    Row::better(
        "destroy_network_rules_for_vm --vmname i-2-5-VM --vif vnet1",
        "it runs on for a while, and nothing of it is filtered there",
        "",
        "",
        SSH,
    ),
    Row::same("get_rule_logs_for_vms", "\n", GONE).after(Life::ends),
    // After a migration nobody says which tap it had.
    Row::same("destroy_network_rules_for_vm --vmname i-2-5-VM", "", GONE),
    Row::same("cleanup_rules", "", GONE),
];
