//! What the agent has said of the VMs of this host, all calls together. Pure: who keeps it, and who looks at the host, is
//! elsewhere.
//!
//! Calls may come twice, late and out of order, so each says how things are rather than what to change: the last one holds,
//! and of rules the one with the higher number.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ipv6_sg_common::mac::Mac;

use super::Rules;
use super::command::{Command, Nic, Secondary};
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
                    if known.interface.is_empty() || known.leaving || !check {
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
                },
            )),
            Command::DestroyVm { vm } => Ok(self.change_one(vm, |vm| {
                vm.system = false;
                vm.nics.values_mut().for_each(|nic| nic.leaving = true);
            })),
            Command::DestroyNic { vm, mac } => Ok(self.change_one(vm, |vm| {
                if let Some(nic) = vm.nics.get_mut(mac) {
                    nic.leaving = true;
                }
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
        self.change_all(|vm| {
            let gone: Vec<_> = vm.nics.values().filter(|nic| !is_there(vm, Some(nic))).map(|nic| nic.mac).collect();
            vm.nics.values_mut().filter(|nic| gone.contains(&nic.mac)).for_each(|nic| nic.leaving = true);
            vm.system = vm.system && is_there(vm, None);
        })
    }

    /// Forgets the NICs that leave and whose tap `is_there` does not know any more.
    pub fn forget(&mut self, is_there: impl Fn(&KnownNic) -> bool) -> Change {
        self.change_all(|vm| vm.nics.retain(|_, nic| !nic.leaving || is_there(nic)))
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

    /// The NIC, which is there now. Who had its MAC before was not taken leave of, and is gone. Whose its interface is only the
    /// host can tell: a late call names one that is another VM's by now.
    fn claim(&mut self, nic: &Nic) -> &mut KnownNic {
        for vm in self.vms.values_mut().filter(|vm| vm.name != nic.vm) {
            vm.nics.remove(&nic.mac);
        }
        let vm = self.vms.entry(nic.vm.clone()).or_insert_with(|| Vm::new(&nic.vm, &nic.id));
        if vm.id != nic.id || vm.system {
            // Another VM of the same name: what was said of the first is not about it.
            *vm = Vm::new(&nic.vm, &nic.id);
        }
        vm.nics.entry(nic.mac).or_insert_with(|| KnownNic::new(nic.mac))
    }

    fn secondary(&mut self, vm: &str, mac: Mac, addresses: &[Secondary], add: bool) -> Result<Change, Unknown> {
        if addresses.is_empty() {
            return Ok(Change::default());
        }
        let known = self.vms.get(vm).ok_or_else(|| Unknown::Vm(vm.to_owned()))?;
        if !known.nics.contains_key(&mac) {
            return Err(Unknown::Nic { vm: vm.to_owned(), mac });
        }
        Ok(self.change_one(vm, |vm| {
            let Some(nic) = vm.nics.get_mut(&mac) else { return };
            for address in addresses {
                match add {
                    true => nic.secondary.insert(*address),
                    false => nic.secondary.remove(address),
                };
            }
        }))
    }

    /// Does something to a VM, if it is known.
    fn change_one(&mut self, name: &str, act: impl FnOnce(&mut Vm)) -> Change {
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

    /// Does something to each VM.
    fn change_all(&mut self, mut act: impl FnMut(&mut Vm)) -> Change {
        let mut before = BTreeMap::new();
        self.vms.retain(|name, vm| {
            let was = vm.clone();
            act(vm);
            if *vm != was {
                before.insert(name.clone(), Some(was));
            }
            !vm.is_empty()
        });
        Change { before }
    }

    /// Does something to the VM of this name, and to no others but those that `concerned` knows.
    fn change(&mut self, concerned: impl Fn(&Vm) -> bool, name: &str, act: impl FnOnce(&mut Self)) -> Change {
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
        let age = now.duration_since(self.at).unwrap_or_default();
        sequence < self.sequence && age < LATE
    }
}

impl KnownNic {
    fn addresses(&mut self, nic: &Nic) {
        (self.ipv4, self.ipv6) = (nic.ipv4, nic.ipv6);
        self.secondary = nic.secondary.iter().copied().collect();
    }

    fn arrive(&mut self, nic: &Nic) {
        self.leaving = false;
        self.interface.clone_from(&nic.interface);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cloudstack::agent::Rules;

    const MAC: &str = "06:7a:88:00:00:8b";

    fn nic(vm: &str, mac: &str, interface: &str) -> Nic {
        Nic {
            vm: vm.to_owned(),
            id: vm.split('-').nth(2).unwrap().to_owned(),
            mac: mac.parse().unwrap(),
            interface: interface.to_owned(),
            ipv4: None,
            ipv6: Some("2001:db8:1::1".parse().unwrap()),
            secondary: Vec::new(),
        }
    }

    fn rules(text: &str) -> Rules {
        Rules::parse(text).unwrap()
    }

    fn add(nic: Nic, sequence: i64, text: &str) -> Command {
        Command::AddNetworkRules { nic, signature: format!("sig{sequence}"), sequence, rules: rules(text) }
    }

    struct Host {
        registry: Registry,
        now: SystemTime,
    }

    impl Host {
        fn new() -> Self {
            Self { registry: Registry::default(), now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) }
        }

        /// Returns how many VMs changed.
        fn hears(&mut self, command: &Command) -> usize {
            let before = self.registry.clone();
            let change = self.registry.apply(command, self.now).unwrap();
            // Whatever it was, it can be undone.
            let (after, mut undone) = (self.registry.clone(), self.registry.clone());
            undone.undo(change.clone());
            assert_eq!(undone, before);
            assert_eq!(change.is_empty(), before == after);
            change.vms().count()
        }

        fn nic(&self, vm: &str, mac: &str) -> &KnownNic {
            &self.registry.vms()[vm].nics[&mac.parse::<Mac>().unwrap()]
        }

        fn sequence(&self) -> Option<i64> {
            self.sequence_of("i-2-5-VM", MAC)
        }

        fn sequence_of(&self, vm: &str, mac: &str) -> Option<i64> {
            self.nic(vm, mac).version.as_ref().map(|version| version.sequence)
        }
    }

    const SSH: &str = "I:tcp;22;22;::/0,NEXT;";
    const WEB: &str = "I:tcp;80;80;::/0,NEXT;";

    #[test]
    fn a_vm_lives_and_dies() {
        let mut host = Host::new();
        let vm = nic("i-2-5-VM", MAC, "vnet1");
        let start = Command::DefaultNetworkRules { nic: vm.clone(), check: false };
        assert_eq!(host.hears(&start), 1);
        assert_eq!(host.hears(&start), 0);
        assert_eq!(host.sequence(), None);
        assert_eq!(host.hears(&add(vm.clone(), 1, SSH)), 1);
        assert_eq!(host.hears(&Command::DefaultNetworkRules { nic: vm.clone(), check: true }), 0);
        assert_eq!(host.sequence(), Some(1));
        // The VM is shut down yet, and still guarded.
        let gone = Command::DestroyVm { vm: "i-2-5-VM".to_owned() };
        assert_eq!((host.hears(&gone), host.hears(&gone)), (1, 0));
        assert!(host.nic("i-2-5-VM", MAC).leaving);
        assert!(host.registry.forget(|_| true).is_empty());
        assert_eq!(host.registry.forget(|_| false).vms().count(), 1);
        assert_eq!(host.registry, Registry::default());
        assert_eq!(host.hears(&gone), 0);
    }

    #[test]
    fn calls_out_of_order() {
        let mut host = Host::new();
        let vm = nic("i-2-5-VM", MAC, "vnet1");
        host.hears(&add(vm.clone(), 7, WEB));
        host.now += Duration::from_secs(60);
        assert_eq!(host.hears(&add(vm.clone(), 6, SSH)), 0);
        assert_eq!(host.nic("i-2-5-VM", MAC).version.as_ref().unwrap().rules, rules(WEB));
        // A late start is no new one.
        assert_eq!(host.hears(&Command::DefaultNetworkRules { nic: vm.clone(), check: false }), 0);
        // The same number again, with other rules: the last one holds.
        assert_eq!(host.hears(&add(vm.clone(), 7, SSH)), 1);
        assert_eq!(host.hears(&add(vm.clone(), 8, WEB)), 1);
        host.now += Duration::from_secs(60);
        assert_eq!(host.hears(&add(vm.clone(), 8, WEB)), 0);
        // A management server that counts anew.
        host.now += LATE;
        assert_eq!((host.hears(&add(vm, 2, SSH)), host.sequence()), (1, Some(2)));
    }

    #[test]
    fn a_vm_with_two_nics() {
        let mut host = Host::new();
        let second = "06:7a:88:00:00:8c";
        host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 3, SSH));
        host.hears(&add(nic("i-2-5-VM", second, "vnet2"), 2, WEB));
        assert_eq!(host.nic("i-2-5-VM", second).version.as_ref().unwrap().rules, rules(WEB));
        assert_eq!(host.sequence(), Some(3));
        host.hears(&Command::DestroyNic { vm: "i-2-5-VM".to_owned(), mac: second.parse().unwrap() });
        assert_eq!(host.registry.forget(|_| false).vms().count(), 1);
        assert_eq!(host.registry.vms()["i-2-5-VM"].nics.len(), 1);
    }

    #[test]
    fn secondary_addresses() {
        let mut host = Host::new();
        let mut vm = nic("i-2-5-VM", MAC, "vnet1");
        let [one, two] = ["2001:db8:1::100", "2001:db8:1::101"].map(|text| Secondary::Address(text.parse().unwrap()));
        vm.secondary = vec![one];
        host.hears(&Command::DefaultNetworkRules { nic: vm.clone(), check: false });
        let change = |addresses: &[Secondary], add| Command::SecondaryAddresses {
            vm: "i-2-5-VM".to_owned(),
            mac: MAC.parse().unwrap(),
            addresses: addresses.to_vec(),
            add,
        };
        assert_eq!((host.hears(&change(&[two], true)), host.hears(&change(&[two], true))), (1, 0));
        // To look is not to disturb.
        assert_eq!(host.hears(&Command::DefaultNetworkRules { nic: vm.clone(), check: true }), 0);
        assert_eq!(host.hears(&change(&[one], false)), 1);
        assert_eq!(host.nic("i-2-5-VM", MAC).secondary, BTreeSet::from([two]));
        let unknown = Command::SecondaryAddresses {
            vm: "i-2-6-VM".to_owned(),
            mac: MAC.parse().unwrap(),
            addresses: vec![one],
            add: true,
        };
        assert_eq!(host.registry.apply(&unknown, host.now), Err(Unknown::Vm("i-2-6-VM".to_owned())));
    }

    /// A MAC that was somebody else's. A tap's name that is, is nothing that a call could know.
    #[test]
    fn who_was_not_taken_leave_of() {
        let mut host = Host::new();
        let other = "06:7a:88:00:00:8c";
        host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 3, SSH));
        assert_eq!(host.hears(&add(nic("i-2-6-VM", other, "vnet1"), 1, WEB)), 1);
        assert_eq!(host.registry.vms().keys().collect::<Vec<_>>(), ["i-2-5-VM", "i-2-6-VM"]);
        host.hears(&Command::DestroyVm { vm: "i-2-5-VM".to_owned() });
        assert_eq!(host.registry.forget(|_| false).vms().count(), 1);
        assert_eq!(host.hears(&add(nic("i-2-7-VM", other, "vnet7"), 1, WEB)), 2);
        assert_eq!(host.registry.vms().keys().collect::<Vec<_>>(), ["i-2-7-VM"]);
        // It runs no longer.
        assert_eq!(host.registry.keep(|vm, _| vm.name == "i-2-8-VM").vms().count(), 1);
        assert!(host.nic("i-2-7-VM", other).leaving);
        // It is there all the same, as a look at it tells.
        host.hears(&Command::DefaultNetworkRules { nic: nic("i-2-7-VM", other, "vnet7"), check: true });
        assert_eq!((host.nic("i-2-7-VM", other).leaving, host.sequence_of("i-2-7-VM", other)), (false, Some(1)));
        // It was taken leave of, and starts again: the rules of its life before are not those of this one.
        host.hears(&Command::DestroyVm { vm: "i-2-7-VM".to_owned() });
        host.hears(&Command::DefaultNetworkRules { nic: nic("i-2-7-VM", other, "vnet9"), check: false });
        let nic = host.nic("i-2-7-VM", other);
        assert_eq!((nic.leaving, nic.interface.as_str(), nic.version.is_some()), (false, "vnet9", false));
    }

    #[test]
    fn system_vms() {
        let mut host = Host::new();
        let there = Command::SystemVm { vm: "r-4-VM".to_owned() };
        assert_eq!((host.hears(&there), host.hears(&there)), (1, 0));
        assert!(host.registry.vms()["r-4-VM"].system);
        assert!(host.registry.forget(|_| false).is_empty());
        assert!(host.registry.keep(|_, _| true).is_empty());
        assert_eq!(host.registry.keep(|_, _| false).vms().count(), 1);
        assert_eq!(host.registry, Registry::default());
        host.hears(&there);
        assert_eq!(host.hears(&Command::DestroyVm { vm: "r-4-VM".to_owned() }), 1);
        assert_eq!(host.registry, Registry::default());
    }
}
