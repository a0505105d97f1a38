//! Calls that cannot be done: most of them the stock script exits from as if it had. What is in force stays.

use crate::row::{Holds, Ours, Row};

const DEFAULT: &[(&str, Holds)] = &[("vnet1", Holds::into(&[]))];
const SSH: &[(&str, Holds)] = &[("vnet1", Holds::into(&[22])), ("vnet2", Holds::Open)];

const fn refused(argv: &'static str, because: &'static str, stock: (i32, &'static str), line: &'static str) -> Row {
    Row { before: |_| {}, argv, stock, ours: Ours::Better { exits: (1, line), because }, then: SSH }
}

const NOT_DONE: &str = "it is not done, and tried again";

pub const CALLS: &[Row] = &[
    Row::same(
        "default_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; --isFirstNic",
        "",
        DEFAULT,
    )
    .after(|life| life.runs(1)),
    Row::same(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 7215ee9c7d9dc229d2921a40e899ec5f --seq 1 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;22;22;0.0.0.0/0,::/0,NEXT;",
        "",
        SSH,
    ),
    refused(
        "add_network_rules --vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 2001:db8:100:0:47a:88ff:fe00:8b \
         --sig 202cb962ac59075b964b07152d234b70 --seq 2 --vmmac 06:7a:88:00:00:8b --vif vnet1 --brname br0 --nicsecips 0; \
         --rules I:tcp;80;80;::/0,NEXT;I:tcp;http;80;::/0,NEXT;",
        "half of the rules are nobody's policy",
        (0, ""),
        "error: --rules, rule 2 (\"I:tcp;http;80;::/0,\"): \"http\" to \"80\" are no ports: write numbers from 0 to 65535, the \
         lower one first\n",
    ),
    refused(
        "default_network_rules --vmname i-2-6-VM --vmid 6 --vmip 10.1.1.6 --vmip6 2001:db8:100:0:400:ff:fe00:10a \
         --vmmac 06:00:00:00:01:0a --vif vnet9 --brname br0 --nicsecips 0; --isFirstNic",
        NOT_DONE,
        (0, ""),
        "error: VM i-2-6-VM, 06:00:00:00:01:0a: vnet9 is not on this host; it is guarded when it comes\n",
    ),
    refused(
        "network_rules_vmSecondaryIp --vmname i-2-9-VM --vmmac 06:00:00:00:01:09 --nicsecips 2001:db8:100::100 --action=-A",
        NOT_DONE,
        (0, ""),
        "error: VM \"i-2-9-VM\" is not known here: no network rules were asked for it\n",
    ),
    refused(
        "verify_network_rules --vmname i-2-9-VM --vmip 10.1.1.9 --vmmac 06:00:00:00:01:09 --nicsecips 0;",
        "it says what is wrong",
        (1, "Cannot find bridge\n"),
        "error: VM \"i-2-9-VM\" is not known here: no network rules were asked for it\n",
    ),
    refused(
        "allow_everything --vmname i-2-5-VM",
        "it says what is wrong",
        (1, ""),
        "error: \"allow_everything\" is no subcommand of the agent's\n",
    ),
];
