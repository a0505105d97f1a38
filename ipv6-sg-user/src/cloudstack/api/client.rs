//! Asking the management server for everything that this host needs, and putting the answers together.
//!
//! The answers are of different moments. Where one names what another lacks, all are asked for again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{self, List};
use super::config::{Config, Limits};
use super::http::Http;
use super::inventory::{Host, Inventory, Network, Vm};
use super::pages::{self, Item};
use super::secret::Keys;
use super::words::{GroupItem, HostItem, NetworkItem, VmItem};
use super::{ApiError, signature};

const CAPABILITIES: List = List { command: "listCapabilities", items: "capability" };
const HOSTS: List = List { command: "listHosts", items: "host" };
pub(super) const VMS: List = List { command: "listVirtualMachines", items: "virtualmachine" };
const GROUPS: List = List { command: "listSecurityGroups", items: "securitygroup" };
const NETWORKS: List = List { command: "listNetworks", items: "network" };

/// All there is, of accounts and of projects.
pub(super) const EVERYBODYS: [(&str, &str); 2] = [("listall", "true"), ("projectid", "-1")];

/// The first release in which the two together mean that; those before list what is the projects' alone.
const SINCE: (u32, u32) = (4, 14);

/// The networks that are asked for one by one at most, because they were on no list.
const SINGLE_NETWORKS: usize = 32;

/// Asks the management server.
#[derive(Debug)]
pub struct Client {
    http: Http,
    api_key_file: PathBuf,
    secret_key_file: PathBuf,
    host: String,
}

/// One round of questions, with the keys that were in their files when it began.
pub(super) struct Round<'a> {
    http: &'a Http,
    keys: Keys,
}

impl Client {
    /// Reads the keys and the certificates, and asks nobody yet.
    ///
    /// # Errors
    /// Something in the settings, or in a file that they name, is wrong.
    pub fn new(config: &Config) -> Result<Self, ApiError> {
        Self::with_limits(config, Limits::default())
    }

    /// The same, with other patience.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_limits(config: &Config, limits: Limits) -> Result<Self, ApiError> {
        let http = Http::new(&config.url, config.ca_file.as_deref(), limits)?;
        Keys::read(&config.api_key_file, &config.secret_key_file)?;
        if http.is_open() {
            tracing::warn!("{} is not https: whoever is in between can change what the rules are", http.url());
        }
        let host = match &config.host {
            Some(host) => host.clone(),
            None => host_name()?,
        };
        let (api_key_file, secret_key_file) = (config.api_key_file.clone(), config.secret_key_file.clone());
        Ok(Self { http, api_key_file, secret_key_file, host })
    }

    /// Everything that this host needs, whole or not at all.
    ///
    /// # Errors
    /// The server cannot be asked, does not answer well, or its answers do not fit together.
    pub fn inventory(&self) -> Result<Inventory, ApiError> {
        let round = self.round()?;
        round.check_release()?;
        let host = round.host(&self.host)?;
        let mut first = true;
        pages::again(VMS.command, self.pause(), || round.look(&host, std::mem::replace(&mut first, false)))
    }
}

impl Client {
    /// A round of questions.
    pub(super) fn round(&self) -> Result<Round<'_>, ApiError> {
        let keys = Keys::read(&self.api_key_file, &self.secret_key_file)?;
        Ok(Round { http: &self.http, keys })
    }

    /// How long to wait before everything is asked for again.
    pub(super) const fn pause(&self) -> Duration {
        self.http.limits().pause
    }
}

impl Round<'_> {
    pub(super) fn check_release(&self) -> Result<(), ApiError> {
        let body = self.ask(CAPABILITIES, &[])?;
        let capability =
            answer::thing(CAPABILITIES, &body).map_err(|problem| self.no_answer(CAPABILITIES, &problem))?;
        let version = capability.get("cloudstackversion").and_then(Value::as_str).unwrap_or_default();
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) < SINCE => Err(ApiError::Release(self.shown(version))),
            // Whoever has a release of his own has a later one.
            _ => Ok(()),
        }
    }

    /// The one host of this name, or of this id.
    fn host(&self, wanted: &str) -> Result<Host, ApiError> {
        let by = if is_id(wanted) { "id" } else { "name" };
        // A name finds others that contain it.
        let found: Vec<HostItem> = self.list(HOSTS, &[(by, wanted), ("type", "Routing"), ("details", "min")])?;
        let (mut found, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|host| host.name == wanted || host.id == wanted);
        match (found.pop(), found.len()) {
            (Some(host), 0) => Ok(Host { id: host.id, name: host.name }),
            (Some(_), more) => Err(ApiError::SeveralHosts { host: wanted.to_owned(), count: more + 1 }),
            (None, _) => {
                let others: Vec<_> = others.iter().map(|host| host.name.as_str()).collect();
                let others = if others.is_empty() { String::new() } else { format!(", but {}", others.join(", ")) };
                Err(ApiError::UnknownHost { host: wanted.to_owned(), others: self.shown(&others) })
            }
        }
    }

    /// Asks for everything once. What a group lists as its VM, and nobody else knows, may be one that has just come or gone: at
    /// the `first` look everything is asked for again then, and later it is noted.
    fn look(&self, host: &Host, first: bool) -> Result<Result<Inventory, String>, ApiError> {
        let groups: Vec<GroupItem> = self.list(GROUPS, &EVERYBODYS)?;
        let of_vms = [EVERYBODYS[0], EVERYBODYS[1], ("details", "nics,secgrp")];
        let mut vms = by_id::<VmItem>(self.list(VMS, &of_vms)?);
        // This host's own once more: they are few, and so on one page, which cannot shift.
        let here = [of_vms.as_slice(), &[("hostid", host.id.as_str())]].concat();
        vms.extend(by_id(self.list(VMS, &here)?));

        let unlisted: BTreeSet<_> = groups.iter().flat_map(|group| &group.virtualmachineids).collect();
        let unlisted: Vec<String> = unlisted.into_iter().filter(|id| !vms.contains_key(*id)).cloned().collect();
        if first && !unlisted.is_empty() {
            return Ok(Err(format!("security groups have {} VMs that are not listed", unlisted.len())));
        }
        let wrong = |problem: String| self.no_answer(VMS, &problem);
        let vms = vms.into_values().map(VmItem::keep_if_it_runs).filter_map(Result::transpose);
        let mut vms: Vec<Vm> = vms.collect::<Result<_, _>>().map_err(wrong)?;
        let is_here = |vm: &Vm| vm.host.as_deref() == Some(&host.id);
        vms.retain(|vm| is_here(vm) || vm.migrating || !vm.groups.is_empty());
        let groups: Vec<_> = by_id(groups).into_values().map(GroupItem::keep).collect();
        let known: HashSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        let lacking = |vm: &Vm| vm.groups.iter().any(|id| !known.contains(id.as_str()));
        if let Some(vm) = vms.iter().find(|vm| is_here(vm) && lacking(vm)) {
            return Ok(Err(format!("{} is in a security group that is not listed", self.shown(&vm.name))));
        }
        let networks = match self.networks(&vms)? {
            Ok(networks) => networks,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(Ok(Inventory { host: host.clone(), vms, groups, networks, unlisted }))
    }

    /// The networks that these VMs are on.
    pub(super) fn networks(&self, vms: &[Vm]) -> Result<Result<Vec<Network>, String>, ApiError> {
        let mut needed: BTreeSet<&str> = vms.iter().flat_map(|vm| &vm.nics).map(|nic| nic.network.as_str()).collect();
        let mut items = by_id::<NetworkItem>(self.list(NETWORKS, &EVERYBODYS)?);
        // Not all releases list networks that several projects share among everybody's.
        items.extend(by_id(self.list(NETWORKS, &EVERYBODYS[..1])?));
        items.retain(|id, _| needed.remove(id.as_str()));
        if needed.len() > SINGLE_NETWORKS {
            return Ok(Err(format!("VMs are on {} networks that are not listed", needed.len())));
        }
        for id in needed {
            items.extend(by_id(self.list(NETWORKS, &[("id", id)])?));
            if !items.contains_key(id) {
                return Ok(Err(format!("a VM is on network {}, which is not listed", self.shown(id))));
            }
        }
        let networks = items.into_values().map(NetworkItem::keep).collect::<Result<_, _>>();
        networks.map(Ok).map_err(|problem| self.no_answer(NETWORKS, &problem))
    }

    pub(super) fn list<T: Item + DeserializeOwned>(
        &self,
        list: List,
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, ApiError> {
        let size = pages::SIZE.to_string();
        pages::all(list.command, self.http.limits().pause, |number| {
            let number = number.to_string();
            let pages = [("page", number.as_str()), ("pagesize", size.as_str())];
            let body = self.ask(list, &[filter, &pages].concat())?;
            answer::page(list, &body).map_err(|problem| self.no_answer(list, &problem))
        })
    }

    /// What is answered when all is well.
    fn ask(&self, list: List, parameters: &[(&str, &str)]) -> Result<Vec<u8>, ApiError> {
        let command = list.command;
        let question = [parameters, &[("command", command)]].concat();
        let answer = self.http.post(command, &signature::body(&question, &self.keys, SystemTime::now()))?;
        let reason = answer::reason(&answer.body).map(|text| self.shown(&text));
        match (answer.status, reason) {
            (200, _) => Ok(answer.body),
            (401, text) => {
                Err(ApiError::Unauthorized { command, text: text.unwrap_or_else(|| "no reason".to_owned()) })
            }
            (status, Some(text)) => Err(ApiError::Refused { command, status, text }),
            (status, None) => Err(ApiError::NotTheApi { command, url: self.http.url().to_owned(), status }),
        }
    }

    pub(super) fn no_answer(&self, list: List, problem: &str) -> ApiError {
        ApiError::Answer { command: list.command, problem: self.shown(problem) }
    }

    /// Somebody else's words for a message: the keys are hidden first, for half a key is one too.
    fn shown(&self, text: &str) -> String {
        answer::excerpt(&self.keys.hide(text))
    }
}

fn by_id<T: Item>(items: Vec<T>) -> BTreeMap<String, T> {
    items.into_iter().map(|item| (item.id().to_owned(), item)).collect()
}

/// Whether this is an id as CloudStack gives them, and not a name.
fn is_id(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn host_name() -> Result<String, ApiError> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").map_err(ApiError::HostName)?;
    Ok(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids() {
        assert!(is_id("1f0c1a7e-3b52-4d7e-9a56-1f0c1a7e3b52"));
        for name in ["kvm1", "kvm1.example", "", "1f0c1a7e-3b52-4d7e-9a56", "1f0c1a7x-3b52-4d7e-9a56-1f0c1a7e3b52"] {
            assert!(!is_id(name), "{name}");
        }
        assert!(!host_name().unwrap().is_empty());
    }
}
