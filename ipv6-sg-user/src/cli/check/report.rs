//! What each port would get, for people and for programs.

use std::io::{self, Write};

use ipv6_sg_common::abi::PortFlags;
use serde::Serialize;

use crate::cli::access_row::AccessRow;
use crate::cli::output::{self, texts};
use crate::cli::rule_rows::{RuleRow, Side};
use crate::compile::{Image, PortImage, source_text};
use crate::state::{Echo, Model, Network, Port, SecurityGroup};

/// The state, as it is enforced.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    ports: Vec<PortRow>,
    networks: Vec<NetworkRow>,
    security_groups: Vec<GroupRow>,
}

#[derive(Debug, Serialize)]
struct PortRow {
    interface: String,
    vm: String,
    mac: String,
    network: String,
    source_set: Vec<String>,
    /// Empty when any router is believed.
    routers: Vec<String>,
    echo: &'static str,
    /// Absent when the port is guarded against spoofing only.
    security_groups: Option<Vec<String>>,
    /// What these let in; absent when no rules apply.
    ingress: Option<AccessRow>,
    /// What these let out; likewise.
    egress: Option<AccessRow>,
}

#[derive(Debug, Serialize)]
struct NetworkRow {
    name: String,
    prefixes: Vec<String>,
    routers: Vec<String>,
}

#[derive(Debug, Serialize)]
struct GroupRow {
    name: String,
    ingress: Vec<RuleRow>,
    egress: Vec<RuleRow>,
    members: Vec<String>,
}

impl Report {
    pub(super) fn new(model: &Model, image: &Image) -> Self {
        let ports =
            model.ports().values().filter_map(|port| Some(PortRow::new(port, image.ports.get(&port.interface)?)));
        Self {
            ports: ports.collect(),
            networks: model.networks().values().map(NetworkRow::new).collect(),
            security_groups: model.groups().values().map(GroupRow::new).collect(),
        }
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for port in &self.ports {
            writeln!(out, "{}: VM {}, MAC {}, network {}", port.interface, port.vm, port.mac, port.network)?;
            let groups = port.security_groups.as_ref();
            let mut rows = vec![
                ("source set", lines(&port.source_set, "")),
                ("routers", lines(&port.routers, "any")),
                ("echo", port.echo.to_owned()),
                ("groups", groups.map_or("guarded against spoofing only".to_owned(), |groups| lines(groups, "none"))),
            ];
            for (side, access) in [(Side::Ingress, &port.ingress), (Side::Egress, &port.egress)] {
                rows.extend(access.as_ref().map(|access| (side.name(), access.text())));
            }
            block(out, rows)?;
        }
        for group in &self.security_groups {
            writeln!(out, "security group {}", group.name)?;
            let rules = |rules: &[RuleRow], none: &str| {
                let texts: Vec<_> = rules.iter().map(|rule| rule.text().to_owned()).collect();
                lines(&texts, none)
            };
            block(
                out,
                [
                    ("ingress", rules(&group.ingress, "nothing")),
                    ("egress", rules(&group.egress, "everything")),
                    ("members", lines(&[&["its ports".to_owned()], group.members.as_slice()].concat(), "")),
                ],
            )?;
        }
        let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
        writeln!(
            out,
            "sound: {}, {}, {}",
            count(self.networks.len(), "network"),
            count(self.ports.len(), "port"),
            count(self.security_groups.len(), "security group")
        )
    }
}

fn block<'a>(out: &mut dyn Write, rows: impl IntoIterator<Item = (&'a str, String)>) -> io::Result<()> {
    output::table(out, None, rows.into_iter().map(|(key, value)| [format!("  {key}"), value]))
}

fn lines(texts: &[String], none: &str) -> String {
    if texts.is_empty() { none.to_owned() } else { texts.join("\n") }
}

impl PortRow {
    fn new(port: &Port, image: &PortImage) -> Self {
        let echo = if image.port.flags.has(PortFlags::ECHO_RULES) { Echo::Rules } else { Echo::Always };
        Self {
            interface: port.interface.clone(),
            vm: port.vm.clone(),
            mac: port.mac.to_string(),
            network: port.network.clone(),
            source_set: image.source_set().into_iter().map(source_text).collect(),
            routers: texts(&image.routers),
            echo: echo.name(),
            security_groups: port.security_groups.clone(),
            ingress: image.rules.as_ref().map(|rules| AccessRow::new(&rules.ingress)),
            egress: image.rules.as_ref().map(|rules| AccessRow::new(&rules.egress)),
        }
    }
}

impl NetworkRow {
    fn new(network: &Network) -> Self {
        Self { name: network.name.clone(), prefixes: texts(&network.prefixes), routers: texts(&network.routers) }
    }
}

impl GroupRow {
    fn new(group: &SecurityGroup) -> Self {
        Self {
            name: group.name.clone(),
            ingress: group.ingress.iter().map(|rule| RuleRow::new(rule, Side::Ingress)).collect(),
            egress: group.egress.iter().map(|rule| RuleRow::new(rule, Side::Egress)).collect(),
            members: texts(&group.members),
        }
    }
}
