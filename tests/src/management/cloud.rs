//! What the management server knows, in CloudStack's own words, and how it lists it.

use std::net::Ipv6Addr;

use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;
use serde_json::{Map, Value, json};

use super::Asked;

/// The id of host `kvm1`.
pub const HERE: &str = "0a000000-0000-4000-8000-000000000001";

/// The most that is listed on one page.
const LARGEST_PAGE: usize = 500;

/// A cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The release.
    pub version: String,
    /// The hosts.
    pub hosts: Vec<Value>,
    /// The VMs.
    pub vms: Vec<Value>,
    /// The security groups, without their VMs.
    pub groups: Vec<Value>,
    /// The networks.
    pub networks: Vec<Value>,
}

/// The id of a thing with this number.
pub fn id(kind: &str, number: u32) -> String {
    let kind = kind.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

impl Default for Cloud {
    /// Host `kvm1`, a network with security groups, one without, and no VM.
    fn default() -> Self {
        let host = |id: &str, name: &str| json!({ "id": id, "name": name, "state": "Up", "type": "Routing" });
        let network = |number, services: Value| {
            json!({
                "id": id("network", number), "name": format!("pod{number}"), "type": "Shared", "ip6gateway": "fe80::1",
                "ip6cidr": format!("2001:db8:{number}::/64"), "service": services,
            })
        };
        Self {
            version: "4.20.1.0".to_owned(),
            hosts: vec![host(HERE, "kvm1"), host(&id("host", 2), "kvm2"), host(&id("host", 10), "kvm10")],
            vms: Vec::new(),
            groups: Vec::new(),
            networks: vec![
                network(1, json!([{ "name": "Dhcp" }, { "name": "SecurityGroup", "capability": [] }])),
                network(2, json!([{ "name": "Dhcp" }])),
            ],
        }
    }
}

impl Cloud {
    /// Its MAC.
    pub fn mac(number: u32) -> Mac {
        let [_, b, c, d] = number.to_be_bytes();
        Mac { octets: [0x06, 0x7a, 0x88, b, c, d] }
    }

    /// The address of a VM with this number on network 1.
    pub fn address(number: u32) -> Ipv6Addr {
        eui64::slaac(Address::from_ip(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0)), Self::mac(number)).to_ip()
    }

    /// Adds a running VM on network 1; `groups` are the numbers of its groups.
    pub fn vm(&mut self, number: u32, host: &str, groups: &[u32]) -> &mut Value {
        let groups: Vec<_> = groups.iter().map(|group| json!({ "id": id("group", *group), "name": "…" })).collect();
        self.vms.push(json!({
            "id": id("vm", number), "name": format!("vm {number}"), "instancename": format!("i-2-{number}-VM"),
            "state": "Running", "hostid": host, "account": "admin", "securitygroup": groups,
            "nic": [{
                "id": id("nic", number), "networkid": id("network", 1), "macaddress": Self::mac(number).to_string(),
                "ipaddress": "192.0.2.5", "ip6address": Self::address(number), "ip6cidr": "2001:db8:1::/64",
                "ip6gateway": "fe80::1", "isdefault": true,
            }],
        }));
        self.vms.last_mut().expect("it was just added")
    }

    /// Adds a security group of account `admin`.
    pub fn group(&mut self, number: u32, name: &str, ingress: Value, egress: Value) {
        self.groups.push(json!({
            "id": id("group", number), "name": name, "account": "admin", "domainid": id("domain", 1), "domain": "ROOT",
            "ingressrule": ingress, "egressrule": egress, "tags": [],
        }));
    }

    /// The status and the answer to a question that is signed well.
    pub(super) fn answer(&self, asked: &Asked) -> (u16, Value) {
        let with_vms: Vec<_>;
        let (items, key) = match asked.command() {
            "listCapabilities" => {
                let capability = json!({ "securitygroupsenabled": true, "cloudstackversion": self.version });
                return (200, json!({ "listcapabilitiesresponse": { "capability": capability } }));
            }
            "listHosts" => (&self.hosts, "host"),
            "listVirtualMachines" => (&self.vms, "virtualmachine"),
            "listSecurityGroups" => {
                with_vms = self.groups.iter().map(|group| self.with_vms(group)).collect();
                (&with_vms, "securitygroup")
            }
            "listNetworks" => (&self.networks, "network"),
            command => return refused(asked, 432, &format!("The given command {command} does not exist")),
        };
        let items: Vec<_> = items.iter().filter(|item| is_asked_for(asked, item)).collect();
        let number = |name| asked.get(name).and_then(|text| text.parse::<usize>().ok());
        let page: Vec<_> = match (number("page"), number("pagesize")) {
            (None, None) => items.iter().copied().take(LARGEST_PAGE).collect(),
            (Some(page @ 1..), Some(size @ 1..=LARGEST_PAGE)) => {
                items.iter().copied().skip((page - 1) * size).take(size).collect()
            }
            _ => return refused(asked, 431, "page and pagesize go together, and a page has 500 items at most"),
        };
        let mut response = Map::new();
        if !items.is_empty() {
            response.insert("count".to_owned(), items.len().into());
        }
        if !page.is_empty() {
            response.insert(key.to_owned(), page.into_iter().cloned().collect());
        }
        (200, json!({ asked.response(): response }))
    }

    fn with_vms(&self, group: &Value) -> Value {
        let has =
            |vm: &&Value| vm["securitygroup"].as_array().is_some_and(|of| of.iter().any(|g| g["id"] == group["id"]));
        let ids: Vec<_> = self.vms.iter().filter(has).map(|vm| vm["id"].clone()).collect();
        let mut group = group.clone();
        group["virtualmachinecount"] = ids.len().into();
        group["virtualmachineids"] = ids.into();
        group
    }
}

/// Whether an item is listed to a root admin who asks so.
fn is_asked_for(asked: &Asked, item: &Value) -> bool {
    let is = |name: &str, key: &str| asked.get(name).is_none_or(|wanted| item[key] == wanted);
    let contains = asked.get("name").is_none_or(|part| item["name"].as_str().is_some_and(|name| name.contains(part)));
    let everybodys = asked.get("listall") == Some("true");
    let projects = asked.get("projectid") == Some("-1");
    let visible = match (item.get("account").is_some() || item.get("projectid").is_some(), item.get("projectid")) {
        (false, _) => true,
        (true, Some(_)) => projects,
        (true, None) => everybodys,
    };
    visible && contains && is("hostid", "hostid") && is("id", "id")
}

fn refused(asked: &Asked, status: u16, text: &str) -> (u16, Value) {
    (status, json!({ asked.response(): { "uuidList": [], "errorcode": status, "errortext": text } }))
}
