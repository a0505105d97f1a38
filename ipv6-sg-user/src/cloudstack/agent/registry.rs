//! What the agent has said of the VMs of this host, all calls together. Pure: who keeps it, and who looks at the host, is
//! elsewhere.
//!
//! Calls may come twice, late and out of order, so each says how things are rather than what to change: the last one holds,
//! and of rules the one with the higher number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use ipv6_sg_common::mac::Mac;

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

impl Registry {
    /// These VMs.
    pub fn new(vms: impl IntoIterator<Item = Vm>) -> Self {
        Self { vms: vms.into_iter().map(|vm| (vm.name.clone(), vm)).collect() }
    }

    /// The VMs, by name.
    pub const fn vms(&self) -> &BTreeMap<String, Vm> {
        &self.vms
    }

    /// Takes in a call; returns the names of the VMs about which something else is known now.
    ///
    /// # Errors
    /// It is about something that is not known; nothing has changed.
    pub fn apply(&mut self, command: &Command, now: SystemTime) -> Result<BTreeSet<String>, Unknown> {
        let before = self.clone();
        match command {
            Command::DefaultNetworkRules { nic, check } => {
                let known = self.claim(nic);
                if known.interface.is_empty() || !check {
                    known.addresses(nic);
                }
                known.interface.clone_from(&nic.interface);
            }
            Command::AddNetworkRules { nic, signature, sequence, rules } => {
                let known = self.claim(nic);
                if !known.version.as_ref().is_some_and(|version| version.is_newer(*sequence, now)) {
                    known.addresses(nic);
                    known.interface.clone_from(&nic.interface);
                    let (signature, sequence) = (signature.clone(), *sequence);
                    known.version = Some(Version { signature, sequence, at: now, rules: rules.clone() });
                }
            }
            Command::DestroyVm { vm } => {
                if let Some(vm) = self.vms.get_mut(vm) {
                    vm.nics.values_mut().for_each(|nic| nic.leaving = true);
                }
            }
            Command::DestroyNic { vm, mac } => {
                if let Some(nic) = self.vms.get_mut(vm).and_then(|vm| vm.nics.get_mut(mac)) {
                    nic.leaving = true;
                }
            }
            Command::SecondaryAddresses { vm, mac, addresses, add } => self.secondary(vm, *mac, addresses, *add)?,
            Command::VerifyNetworkRules { vm, mac } => drop(self.nic(vm, *mac)?),
            Command::CanBridgeFirewall | Command::SystemVm | Command::GetRuleLogs | Command::CleanupRules => {}
        }
        Ok(self.differences(&before))
    }

    /// Has every VM leave that is not among `running`; returns the names of those.
    pub fn keep(&mut self, running: &BTreeSet<String>) -> BTreeSet<String> {
        let before = self.clone();
        for vm in self.vms.values_mut().filter(|vm| !running.contains(&vm.name)) {
            vm.nics.values_mut().for_each(|nic| nic.leaving = true);
        }
        self.differences(&before)
    }

    /// Forgets the NICs that leave and whose interface `is_there` does not know any more; returns the names of their VMs.
    pub fn forget(&mut self, is_there: impl Fn(&KnownNic) -> bool) -> BTreeSet<String> {
        let before = self.clone();
        for vm in self.vms.values_mut() {
            vm.nics.retain(|_, nic| !nic.leaving || is_there(nic));
        }
        self.vms.retain(|_, vm| !vm.nics.is_empty());
        self.differences(&before)
    }

    /// The NIC, which is there now. Who had its MAC or its interface before was not taken leave of, and is gone.
    fn claim(&mut self, nic: &Nic) -> &mut KnownNic {
        let is_this = |vm: &str, mac: Mac| vm == nic.vm && mac == nic.mac;
        for vm in self.vms.values_mut() {
            let name = vm.name.clone();
            vm.nics.retain(|mac, known| is_this(&name, *mac) || (*mac != nic.mac && known.interface != nic.interface));
        }
        self.vms.retain(|name, vm| *name == nic.vm || !vm.nics.is_empty());
        let vm = self.vms.entry(nic.vm.clone()).or_insert_with(|| Vm::new(&nic.vm, &nic.id));
        if vm.id != nic.id {
            // Another VM of the same name: what was said of the first is not about it.
            *vm = Vm::new(&nic.vm, &nic.id);
        }
        let known = vm.nics.entry(nic.mac).or_insert_with(|| KnownNic::new(nic.mac));
        known.leaving = false;
        known
    }

    fn nic(&mut self, vm: &str, mac: Mac) -> Result<&mut KnownNic, Unknown> {
        let known = self.vms.get_mut(vm).ok_or_else(|| Unknown::Vm(vm.to_owned()))?;
        known.nics.get_mut(&mac).ok_or_else(|| Unknown::Nic { vm: vm.to_owned(), mac })
    }

    fn secondary(&mut self, vm: &str, mac: Mac, addresses: &[Secondary], add: bool) -> Result<(), Unknown> {
        if addresses.is_empty() {
            return Ok(());
        }
        let nic = self.nic(vm, mac)?;
        for address in addresses {
            if add {
                nic.secondary.insert(*address)
            } else {
                nic.secondary.remove(address)
            };
        }
        Ok(())
    }

    fn differences(&self, before: &Self) -> BTreeSet<String> {
        let names = self.vms.keys().chain(before.vms.keys());
        names.filter(|name| self.vms.get(*name) != before.vms.get(*name)).cloned().collect()
    }
}

impl Version {
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
}

#[cfg(test)]
mod tests {
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
            self.registry.apply(command, self.now).unwrap().len()
        }

        fn nic(&self, vm: &str, mac: &str) -> &KnownNic {
            &self.registry.vms()[vm].nics[&mac.parse::<Mac>().unwrap()]
        }

        fn sequence(&self) -> Option<i64> {
            self.nic("i-2-5-VM", MAC).version.as_ref().map(|version| version.sequence)
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
        assert_eq!(host.registry.forget(|_| false).len(), 1);
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
        assert_eq!(host.registry.forget(|_| false).len(), 1);
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

    /// A tap's name, or a MAC, that was somebody else's.
    #[test]
    fn who_was_not_taken_leave_of() {
        let mut host = Host::new();
        let other = "06:7a:88:00:00:8c";
        host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 3, SSH));
        assert_eq!(host.hears(&add(nic("i-2-6-VM", other, "vnet1"), 1, WEB)), 2);
        assert_eq!(host.registry.vms().keys().collect::<Vec<_>>(), ["i-2-6-VM"]);
        assert_eq!(host.hears(&add(nic("i-2-7-VM", other, "vnet7"), 1, WEB)), 2);
        assert_eq!(host.registry.vms().keys().collect::<Vec<_>>(), ["i-2-7-VM"]);
        // It runs no longer.
        assert_eq!(host.registry.keep(&BTreeSet::from(["i-2-8-VM".to_owned()])).len(), 1);
        assert!(host.nic("i-2-7-VM", other).leaving);
        // It was only restarted, under another tap.
        host.hears(&Command::DefaultNetworkRules { nic: nic("i-2-7-VM", other, "vnet9"), check: false });
        let nic = host.nic("i-2-7-VM", other);
        assert_eq!((nic.leaving, nic.interface.as_str(), nic.version.is_some()), (false, "vnet9", true));
    }
}
