//! What CloudStack's agent has said, taken in call by call and kept as soon as it is known.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::SystemTime;

use ipv6_sg_common::mac::Mac;

use crate::cloudstack::Taps;
use crate::cloudstack::agent::record::KnownNic;
use crate::cloudstack::agent::store::{SetAside, StoreError};
use crate::cloudstack::agent::{
    self, Change, Command, Nic, Registry, RuleLog, RuleLogs, Store, Unknown, UsageError, Vm,
};
use crate::cloudstack::libvirt::{self, LibvirtError};
use crate::state::Settings;

/// What the VMs of users are called.
const USERS: &str = "i-";

/// What libvirt's number is said to be where it is not known.
const NO_DOMAIN: &str = "-1";

/// The agent's side of the desired state.
#[derive(Debug)]
pub struct Agent {
    registry: Registry,
    store: Store,
    libvirt_dir: PathBuf,
    /// VMs of which something else is kept than is known, and why.
    unsaved: BTreeMap<String, String>,
    /// The taps of system VMs, which nobody guards.
    system_taps: BTreeSet<String>,
    /// Why these are not known, where they are not.
    unknown_systems: Option<String>,
    /// VMs whose records were no records: what was said of them is to be said again.
    lost: BTreeSet<String>,
}

/// Why a call changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It says nothing that can be understood.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// It is about something that is not known.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// What runs here is not known.
    #[error(transparent)]
    Libvirt(#[from] LibvirtError),
}

/// A NIC that a call is about, and where it has to be guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The VM.
    pub vm: String,
    /// The NIC.
    pub mac: Mac,
    /// Its tap, which may not be here.
    pub interface: Option<String>,
}

impl Agent {
    /// What was kept, and what was found beside it and is no record of a VM.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(settings: &Settings) -> Result<(Self, Vec<SetAside>), StoreError> {
        let store = Store::open(&settings.data_dir)?;
        let (registry, aside) = store.load()?;
        let libvirt_dir = settings.cloudstack.libvirt_dir.clone();
        let lost = aside.iter().map(|aside| aside.vm().to_owned()).collect();
        let (unsaved, system_taps, unknown_systems) = (BTreeMap::new(), BTreeSet::new(), None);
        Ok((Self { registry, store, libvirt_dir, unsaved, system_taps, unknown_systems, lost }, aside))
    }

    /// What is known.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether something was said that is lost, and has not been said again.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Waits no longer for what was lost to be said again.
    pub fn forget_lost(&mut self) {
        self.lost.clear();
    }

    /// Why the taps of system VMs are not known, where they are not.
    pub fn unknown_systems(&self) -> Option<&str> {
        self.unknown_systems.as_deref()
    }

    /// The interfaces that are system VMs'.
    pub const fn system_taps(&self) -> &BTreeSet<String> {
        &self.system_taps
    }

    /// Takes in a call; returns what became different, which can be [undone](Self::undo) until it is [kept](Self::keep).
    ///
    /// # Errors
    /// Nothing has changed, for this reason.
    pub fn take(&mut self, command: &Command, taps: &Taps, now: SystemTime) -> Result<Change, Refusal> {
        if let Command::CleanupRules = command {
            let running = libvirt::domains(&self.libvirt_dir)?;
            let here = self.here(taps);
            let is_here = |vm: &Vm, nic: &KnownNic| here.contains(&(vm.name.clone(), nic.mac));
            self.lost.retain(|name| running.contains_key(name));
            return Ok(self
                .registry
                .keep(|vm, nic| running.contains_key(&vm.name) || nic.is_some_and(|nic| is_here(vm, nic))));
        }
        Ok(self.registry.apply(command, now)?)
    }

    /// A NIC whose call cannot be done is guarded all the same, with its MAC alone, unless it is already.
    pub fn refuse(&mut self, nic: &Nic) {
        let change = self.registry.refuse(nic);
        self.keep(&change);
    }

    /// Has it be as it was before.
    pub fn undo(&mut self, change: Change) {
        self.unsaved.extend(change.vms().map(|name| (name.to_owned(), String::new())));
        self.registry.undo(change);
    }

    /// Keeps what became different, and what could not be kept so far. What still is not [holds](Self::unkept) until the daemon
    /// ends; what was kept of it before still is.
    pub fn keep(&mut self, change: &Change) {
        for name in change.vms() {
            self.unsaved.insert(name.to_owned(), String::new());
        }
        self.lost.retain(|name| !self.registry.vms().contains_key(name));
        let (store, vms) = (&self.store, self.registry.vms());
        self.unsaved.retain(|name, reason| match store.save(name, vms.get(name)) {
            Ok(()) => false,
            Err(error) => {
                *reason = error.to_string();
                true
            }
        });
    }

    /// Why what is known of a VM will not outlive the daemon, if it will not.
    pub fn unkept(&self, vm: &str) -> Option<&str> {
        self.unsaved.get(vm).map(String::as_str)
    }

    /// Looks at what is here now: forgets NICs that have left, and finds the taps of system VMs.
    pub fn look(&mut self, taps: &Taps) -> Change {
        let here = self.here(taps);
        let change = self.registry.forget(|vm, nic| here.contains(&(vm.to_owned(), nic.mac)));
        self.system_taps.retain(|tap| taps.has(tap));
        self.unknown_systems = None;
        let systems: Vec<_> = self.registry.vms().values().filter(|vm| vm.system).collect();
        if systems.is_empty() {
            self.system_taps.clear();
            return change;
        }
        match libvirt::domains(&self.libvirt_dir) {
            Ok(running) => {
                let of_systems = systems.iter().filter_map(|vm| running.get(&vm.name)).flat_map(|domain| &domain.taps);
                // Another's tap may have the name by now.
                let theirs = of_systems.filter(|(tap, mac)| taps.made_for(*mac).contains(tap));
                self.system_taps = theirs.map(|(tap, _)| tap.clone()).collect();
            }
            Err(error) => self.unknown_systems = Some(error.to_string()),
        }
        change
    }

    /// The NICs that have to be guarded for a call to be done.
    pub fn places(&self, command: &Command, taps: &Taps) -> Vec<Place> {
        let (vm, mac) = match command {
            Command::DefaultNetworkRules { nic, .. } | Command::AddNetworkRules { nic, .. } => (&nic.vm, nic.mac),
            Command::SecondaryAddresses { vm, mac, .. } | Command::VerifyNetworkRules { vm, mac } => (vm, *mac),
            Command::DestroyVm { .. }
            | Command::DestroyNic { .. }
            | Command::SystemVm { .. }
            | Command::CanBridgeFirewall
            | Command::GetRuleLogs
            | Command::CleanupRules => return Vec::new(),
        };
        let all = agent::places(&self.registry, taps).into_iter();
        let its = all.filter(|(of, nic, _)| of.name == *vm && nic.mac == mac);
        its.map(|(_, _, interface)| Place { vm: vm.clone(), mac, interface: interface.map(str::to_owned) }).collect()
    }

    /// The NICs whose taps are here, by VM and MAC.
    fn here(&self, taps: &Taps) -> HashSet<(String, Mac)> {
        let places = agent::places(&self.registry, taps).into_iter();
        let here = places.filter(|(_, _, interface)| interface.is_some_and(|interface| taps.has(interface)));
        here.map(|(vm, nic, _)| (vm.name.clone(), nic.mac)).collect()
    }

    /// Which rules are in force, by VM that runs: none for one of which nothing was heard, for it ran before anybody listened.
    /// Where libvirt cannot be asked, a VM whose tap is here runs.
    pub fn rule_logs(&self, taps: &Taps) -> RuleLogs {
        let running = libvirt::domains(&self.libvirt_dir).ok();
        let domain = |vm: &Vm| running.as_ref().and_then(|running| running.get(&vm.name));
        let here: HashSet<_> = self.here(taps).into_iter().map(|(vm, _)| vm).collect();
        let runs = |vm: &&Vm| domain(vm).is_some() || here.contains(&vm.name);
        let users = self.registry.vms().values().filter(|vm| !vm.system && vm.name.starts_with(USERS));
        let known = users.filter(runs).map(|vm| rule_log(vm, domain(vm).and_then(|domain| domain.id.as_deref())));
        let others = running.iter().flat_map(BTreeMap::keys).chain(&self.lost);
        let others = others.filter(|name| !self.registry.vms().contains_key(*name));
        known.chain(others.filter_map(|name| unheard_log(name))).collect()
    }
}

/// What is in force for a VM of whom nothing is known but its name, which has the management server's number in it.
fn unheard_log(name: &str) -> Option<RuleLog> {
    let id = name.strip_prefix(USERS)?.split('-').nth(1)?;
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| RuleLog::initial(name.to_owned(), id.to_owned(), String::new(), NO_DOMAIN.to_owned()))
}

/// What is in force for a VM: of several NICs' rules the oldest.
fn rule_log(vm: &Vm, domain: Option<&str>) -> RuleLog {
    let nics = vm.nics.values();
    let ip = nics.clone().find_map(|nic| nic.ipv4).map(|ip| ip.to_string());
    let ip = ip.or_else(|| nics.clone().find_map(|nic| nic.ipv6).map(|ip| ip.to_string())).unwrap_or_default();
    let initial = RuleLog::initial(vm.name.clone(), vm.id.clone(), ip, domain.unwrap_or(NO_DOMAIN).to_owned());
    match nics.filter_map(|nic| nic.version.as_ref()).min_by_key(|version| version.sequence) {
        Some(version) => RuleLog { signature: version.signature.clone(), sequence: version.sequence, ..initial },
        None => initial,
    }
}
