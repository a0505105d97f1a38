//! A router of CloudStack's own, on a host where taps are closed until it is said whose they are.

use crate::life::Life;
use crate::row::{Holds, Row};

const CLOSED: &[(&str, Holds)] = &[("vnet1", Holds::Closed), ("vnet2", Holds::Closed)];
const ITS_OWN: &[(&str, Holds)] = &[("vnet1", Holds::Open), ("vnet2", Holds::Closed)];

pub const CALLS: &[Row] = &[
    Row::same("can_bridge_firewall --privnic eth0", "", CLOSED),
    Row::same("get_rule_logs_for_vms", "\n", CLOSED).after(Life::runs_router),
    Row::same("default_network_rules_systemvm --vmname r-4-VM --localbrname cloud0", "", ITS_OWN),
    Row::same("get_rule_logs_for_vms", "\n", ITS_OWN),
    Row::same("cleanup_rules", "", ITS_OWN),
    Row::better(
        "destroy_network_rules_for_vm --vmname r-4-VM --vif vnet1",
        "what has no owner is closed",
        "",
        "",
        CLOSED,
    ),
];
