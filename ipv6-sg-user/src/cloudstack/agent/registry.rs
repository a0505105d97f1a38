//! What the agent has said of the VMs of this host, all calls together. Pure: who keeps it, and who looks at the host, is
//! elsewhere.
//!
//! Calls may come twice, late and out of order, so each says how things are rather than what to change: the last one holds,
//! and of rules the one with the higher number.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ipv6_sg_common::mac::Mac;

use super::Rules;
use super::command::{Command, Nic};
use super::record::{KnownNic, Version, Vm};

/// How long a call may be under way: the agent gives up its script then. A lower number that comes later is no late call but a
/// management server that counts anew.
const LATE: Duration = Duration::from_secs(1800);

/// The VMs, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    vms: BTreeMap<String, Vm>,
}

/// Why a call cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Nobody said that there is such a VM.
    #[error("VM {0:?} is not known here: no network rules were asked for it")]
    Vm(String),
    /// Nobody said that it has such a NIC.
    #[error("VM {vm:?} has no NIC {mac} that is known here")]
    Nic {
        /// The VM.
        vm: String,
        /// The NIC.
        mac: Mac,
    },
}

/// What became different: the VMs as they were before, `None` for those that were not known. It can be [undone](Registry::undo).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Change {
    before: BTreeMap<String, Option<Vm>>,
}

impl Change {
    /// The names of the VMs of which something else is known now.
    pub fn vms(&self) -> impl Iterator<Item = &str> {
        self.before.keys().map(String::as_str)
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }
}

impl Registry {
    /// These VMs.
    pub fn new(vms: impl IntoIterator<Item = Vm>) -> Self {
        Self { vms: vms.into_iter().map(|vm| (vm.name.clone(), vm)).collect() }
    }

    /// The VMs, by name.
    pub const fn vms(&self) -> &BTreeMap<String, Vm> {
        &self.vms
    }

    /// Takes in a call; returns what became different.
    ///
    /// # Errors
    /// It is about something that is not known; nothing has changed.
    pub fn apply(&mut self, command: &Command, now: SystemTime) -> Result<Change, Unknown> {
        match command {
            Command::DefaultNetworkRules { nic, check } => Ok(self.change(
                |vm| vm.nics.contains_key(&nic.mac),
                &nic.vm,
                |registry| {
                    let known = registry.claim(nic);
                    // A VM that was taken leave of and is there again begins a new life, with no rules yet.
                    if known.leaving && !check {
                        known.version = None;
                    }
                    if known.interface.is_empty() || known.leaving || known.refused || !check {
                        known.addresses(nic);
                    }
                    known.arrive(nic);
                },
            )),
            Command::AddNetworkRules { nic, signature, sequence, rules } => Ok(self.change(
                |vm| vm.nics.contains_key(&nic.mac),
                &nic.vm,
                |registry| {
                    let known = registry.claim(nic);
                    if !known.version.as_ref().is_some_and(|version| version.is_newer(*sequence, now)) {
                        known.addresses(nic);
                        let new = (signature.as_str(), *sequence, rules);
                        if !known.version.as_ref().is_some_and(|version| version.is(new)) {
                            let (signature, rules) = (signature.clone(), rules.clone());
                            known.version = Some(Version { signature, sequence: *sequence, at: now, rules });
                        }
                    }
                    known.arrive(nic);
                    registry.outdate(nic, *sequence, now);
                },
            )),
            Command::DestroyVm { vm } => Ok(self.change_one(vm, |vm| {
                vm.system = false;
                vm.nics.values_mut().for_each(|nic| nic.leaving = true);
            })),
            Command::DestroyNic { vm, mac } => Ok(self.change_one(vm, |vm| {
                vm.unplug(*mac);
            })),
            Command::SecondaryAddresses { vm, mac, addresses, add } => self.secondary(vm, *mac, addresses, *add),
            Command::VerifyNetworkRules { vm, mac } => {
                let known = self.vms.get(vm).ok_or_else(|| Unknown::Vm(vm.clone()))?;
                match known.nics.contains_key(mac) {
                    true => Ok(Change::default()),
                    false => Err(Unknown::Nic { vm: vm.clone(), mac: *mac }),
                }
            }
            Command::SystemVm { vm } => Ok(self.change(
                |_| false,
                vm,
                |registry| {
                    registry.vms.entry(vm.clone()).or_insert_with(|| Vm::new(vm, "")).system = true;
                },
            )),
            Command::CanBridgeFirewall | Command::GetRuleLogs | Command::CleanupRules => Ok(Change::default()),
        }
    }

    /// Has everything leave that `is_there` does not know: NICs, and system VMs.
    pub fn keep(&mut self, is_there: impl Fn(&Vm, Option<&KnownNic>) -> bool) -> Change {
        let mut change = Change::default();
        self.vms.retain(|name, vm| {
            let was = vm.clone();
            let gone: Vec<_> = vm.nics.values().filter(|nic| !is_there(vm, Some(nic))).map(|nic| nic.mac).collect();
            vm.nics.values_mut().filter(|nic| gone.contains(&nic.mac)).for_each(|nic| nic.leaving = true);
            vm.system = vm.system && is_there(vm, None);
            if *vm != was {
                change.before.insert(name.clone(), Some(was));
            }
            !vm.is_empty()
        });
        change
    }

    /// Forgets the NICs that leave and whose tap `is_there` does not know any more.
    pub fn forget(&mut self, is_there: impl Fn(&str, &KnownNic) -> bool) -> Change {
        let has_left = |vm: &Vm, nic: &KnownNic| nic.leaving && !is_there(&vm.name, nic);
        let mut change = Change::default();
        // Most have not, and this is asked at every occasion.
        self.vms.retain(|name, vm| {
            let left: Vec<_> = vm.nics.values().filter(|nic| has_left(vm, nic)).map(|nic| nic.mac).collect();
            if left.is_empty() {
                return true;
            }
            change.before.insert(name.clone(), Some(vm.clone()));
            vm.nics.retain(|mac, _| !left.contains(mac));
            !vm.is_empty()
        });
        change
    }

    /// Has it be as it was before a change, of which nothing else was changed since.
    pub fn undo(&mut self, change: Change) {
        for (name, before) in change.before {
            match before {
                Some(vm) => self.vms.insert(name, vm),
                None => self.vms.remove(&name),
            };
        }
    }

    /// The NIC, which is there now. Who had its MAC and its interface before has that interface no more; its MAC alone may be
    /// another's too, on another network. Whose an interface is only the host can tell: a late call names one that is another
    /// VM's by now.
    fn claim(&mut self, nic: &Nic) -> &mut KnownNic {
        let others = self.vms.values_mut().filter(|vm| vm.name != nic.vm);
        let same = others.filter_map(|vm| vm.nics.get_mut(&nic.mac)).filter(|known| known.interface == nic.interface);
        same.for_each(|known| known.interface.clear());
        self.vm(nic).nics.entry(nic.mac).or_insert_with(|| KnownNic::new(nic.mac))
    }

    /// The VM of a NIC, which runs.
    pub(super) fn vm(&mut self, nic: &Nic) -> &mut Vm {
        let vm = self.vms.entry(nic.vm.clone()).or_insert_with(|| Vm::new(&nic.vm, &nic.id));
        if vm.id != nic.id || vm.system {
            // Another VM of the same name: what was said of the first is not about it.
            *vm = Vm::new(&nic.vm, &nic.id);
        }
        vm
    }

    /// Has the rules of a VM's other NICs be those of this one, where they are older and were not said again for so long that
    /// nobody will: the management server names one NIC of a VM, and may have come to name another one.
    fn outdate(&mut self, nic: &Nic, sequence: i64, now: SystemTime) {
        let others = self.vms.get_mut(&nic.vm).into_iter().flat_map(|vm| vm.nics.values_mut());
        for other in others.filter(|other| other.mac != nic.mac) {
            let is_old = |version: &Version| version.sequence < sequence && version.age(now) >= LATE;
            other.version.take_if(|version| is_old(version));
        }
    }

    /// Does something to a VM, if it is known.
    pub(super) fn change_one(&mut self, name: &str, act: impl FnOnce(&mut Vm)) -> Change {
        self.change(
            |_| false,
            name,
            |registry| {
                if let Some(vm) = registry.vms.get_mut(name) {
                    act(vm);
                }
            },
        )
    }

    /// Does something to the VM of this name, and to no others but those that `concerned` knows.
    pub(super) fn change(
        &mut self,
        concerned: impl Fn(&Vm) -> bool,
        name: &str,
        act: impl FnOnce(&mut Self),
    ) -> Change {
        let concerned = self.vms.values().filter(|vm| vm.name != name && concerned(vm));
        let mut before: BTreeMap<_, _> = concerned.map(|vm| (vm.name.clone(), Some(vm.clone()))).collect();
        before.insert(name.to_owned(), self.vms.get(name).cloned());
        act(self);
        for name in before.keys() {
            if self.vms.get(name).is_some_and(Vm::is_empty) {
                self.vms.remove(name);
            }
        }
        before.retain(|name, was| self.vms.get(name) != was.as_ref());
        Change { before }
    }
}

impl Vm {
    /// A NIC leaves. The rules that were said of it alone are the others' too, and stay.
    fn unplug(&mut self, mac: Mac) {
        let version = self.nics.get(&mac).and_then(|nic| nic.version.clone());
        let is_last = self.nics.values().all(|nic| nic.mac == mac || nic.version.is_none());
        for nic in self.nics.values_mut() {
            if nic.mac == mac {
                nic.leaving = true;
            } else if is_last {
                nic.version.clone_from(&version);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.nics.is_empty() && !self.system
    }
}

impl Version {
    /// Whether these are the same rules, said again.
    fn is(&self, (signature, sequence, rules): (&str, i64, &Rules)) -> bool {
        self.signature == signature && self.sequence == sequence && self.rules == *rules
    }

    /// Whether rules of this number are older than these, and were overtaken on their way.
    fn is_newer(&self, sequence: i64, now: SystemTime) -> bool {
        sequence < self.sequence && self.age(now) < LATE
    }

    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.at).unwrap_or_default()
    }
}

impl KnownNic {
    fn addresses(&mut self, nic: &Nic) {
        (self.ipv4, self.ipv6) = (nic.ipv4, nic.ipv6);
        self.secondary = nic.secondary.iter().copied().collect();
    }

    fn arrive(&mut self, nic: &Nic) {
        (self.leaving, self.refused) = (false, false);
        self.interface.clone_from(&nic.interface);
    }
}

#[cfg(test)]
mod tests;
