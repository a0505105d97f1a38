//! A VM that gets a second NIC, and loses it.

use crate::life::Life;
use crate::row::{Holds, Row};

const SSH: &[(&str, Holds)] = &[("vnet1", Holds::into(&[22])), ("vnet2", Holds::into(&[22]))];
const APART: &[(&str, Holds)] = &[("vnet1", Holds::into(&[22])), ("vnet2", Holds::into(&[80]))];
const FIRST: &[(&str, Holds)] = &[("vnet1", Holds::into(&[22])), ("vnet2", Holds::Gone)];

pub const CALLS: &[Row] = &[
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; --isFirstNic",
        "",
        &[("vnet1", Holds::into(&[])), ("vnet2", Holds::Open)],
    )
    .after(|life| life.runs(1)),
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 7215ee9c7d9dc229d2921a40e899ec5f --seq 1 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;22;22;0.0.0.0/0,::/0,NEXT;",
        "",
        &[("vnet1", Holds::into(&[22])), ("vnet2", Holds::Open)],
    ),
    // Of the second one no rules are said: it has the VM's.
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.2.5 --vmip6 2001:db8:100:0:400:ff:fe00:109 \
         --vmmac 06:00:00:00:01:09 --vif vnet2 --brname br0 --nicsecips 0;",
        "",
        SSH,
    )
    .after(Life::runs_with_two),
    Row::same(
        "destroy_network_rules_for_vm --vmname i-2-5-VM --vmip 10.1.2.5 --vmmac 06:00:00:00:01:09 --vif vnet2 --nicsecips 0;",
        "",
        SSH,
    ),
    Row::same("get_rule_logs_for_vms", "i-2-5-VM,5,10.1.1.5,1,7215ee9c7d9dc229d2921a40e899ec5f,1\n", FIRST)
        .after(Life::runs_with_one),
    // Again, on a network of IPv6 alone.
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip6 2001:db8:100:0:400:ff:fe00:109 \
         --vmmac 06:00:00:00:01:09 --vif vnet2 --brname br0 --nicsecips 0;",
        "",
        SSH,
    )
    .after(Life::runs_with_two),
    // It is the default one now, and the agent names the tap of the first for each.
    Row::better(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:400:ff:fe00:109 \
         --sig 202cb962ac59075b964b07152d234b70 --seq 2 --vmmac 06:00:00:00:01:09 --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;80;80;0.0.0.0/0,::/0,NEXT;",
        "rules are the NIC's whose MAC is named",
        "",
        "",
        APART,
    ),
    Row::better(
        "destroy_network_rules_for_vm --vmname i-2-5-VM --vmmac 06:00:00:00:01:09 --vif vnet2 --nicsecips 0;",
        "a NIC without an IPv4 address is taken for the whole VM there",
        "",
        "",
        APART,
    ),
    Row::better(
        "get_rule_logs_for_vms",
        "the VM was forgotten there, and is never said again",
        "\n",
        "i-2-5-VM,5,10.1.1.5,1,7215ee9c7d9dc229d2921a40e899ec5f,1\n",
        FIRST,
    )
    .after(Life::runs_with_one),
];
