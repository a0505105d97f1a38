use std::collections::BTreeSet;

use super::*;
use crate::cloudstack::agent::Rules;
use crate::cloudstack::agent::command::Secondary;

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
    assert!(host.registry.forget(|_, _| true).is_empty());
    assert_eq!(host.registry.forget(|_, _| false).vms().count(), 1);
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
    assert_eq!(host.registry.forget(|_, _| false).vms().count(), 1);
    assert_eq!(host.registry.vms()["i-2-5-VM"].nics.len(), 1);
}

/// The management server names one NIC of a VM, and its security groups are the VM's.
#[test]
fn rules_of_a_nic_that_is_never_named() {
    let mut host = Host::new();
    let (second, egress) = ("06:7a:88:00:00:8c", "E:tcp;25;25;2001:db8::/32,NEXT;");
    let start = |mac, tap| Command::DefaultNetworkRules { nic: nic("i-2-5-VM", mac, tap), check: false };
    host.hears(&start(MAC, "vnet1"));
    host.hears(&start(second, "vnet2"));
    let of = |host: &Host, mac| {
        let vm = &host.registry.vms()["i-2-5-VM"];
        vm.version_of(host.nic("i-2-5-VM", mac)).map(|version| version.sequence)
    };
    assert_eq!(of(&host, second), None);
    host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 3, egress));
    assert_eq!((of(&host, second), host.sequence_of("i-2-5-VM", second)), (Some(3), None));
    // The one that is named is unplugged.
    host.hears(&Command::DestroyNic { vm: "i-2-5-VM".to_owned(), mac: MAC.parse().unwrap() });
    assert_eq!((of(&host, MAC), of(&host, second)), (Some(3), Some(3)));
    assert_eq!(host.registry.forget(|_, _| false).vms().count(), 1);
    assert_eq!(of(&host, second), Some(3));
    // It is plugged again, and another one is named from now on.
    host.hears(&start(MAC, "vnet1"));
    assert_eq!(of(&host, MAC), Some(3));
    host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 4, SSH));
    host.now += LATE;
    host.hears(&add(nic("i-2-5-VM", MAC, "vnet1"), 5, WEB));
    assert_eq!((of(&host, MAC), of(&host, second)), (Some(5), Some(5)));
    // A new life has no rules yet.
    host.hears(&Command::DestroyVm { vm: "i-2-5-VM".to_owned() });
    assert_eq!((of(&host, MAC), of(&host, second)), (Some(5), Some(5)));
    host.hears(&start(second, "vnet2"));
    assert_eq!(of(&host, second), None);
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

/// The default NIC is named for all of them.
#[test]
fn a_secondary_address_of_another_nic() {
    let mut host = Host::new();
    let second = "06:7a:88:00:00:8c";
    let other = Nic { ipv6: Some("2001:db8:2::1".parse().unwrap()), ..nic("i-2-5-VM", second, "vnet2") };
    for nic in [nic("i-2-5-VM", MAC, "vnet1"), other] {
        host.hears(&Command::DefaultNetworkRules { nic, check: false });
    }
    let mut has = |words: &str, add| {
        let vm = "i-2-5-VM".to_owned();
        let secondary = match words.parse() {
            Ok(address) => Secondary::Address(address),
            Err(_) => Secondary::Delegated(words.parse().unwrap()),
        };
        let addresses = vec![secondary];
        host.hears(&Command::SecondaryAddresses { vm, mac: MAC.parse().unwrap(), addresses, add });
        [MAC, second].map(|mac| host.nic("i-2-5-VM", mac).secondary.contains(&secondary))
    };
    assert_eq!(has("2001:db8:1::100", true), [true, false]);
    assert_eq!(has("2001:db8:2::100", true), [false, true]);
    assert_eq!(has("2001:db8:3::100", true), [true, false]);
    assert_eq!(has("2001:db8:2::/60", true), [true, false]);
    for address in ["2001:db8:1::100", "2001:db8:2::100", "2001:db8:3::100"] {
        assert_eq!(has(address, false), [false, false]);
    }
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
    assert_eq!(host.registry.forget(|_, _| false).vms().count(), 1);
    // On another network somebody may have the same MAC. Under the same tap there is one.
    assert_eq!(host.hears(&add(nic("i-2-7-VM", other, "vnet7"), 1, WEB)), 1);
    assert_eq!(host.nic("i-2-6-VM", other).interface, "vnet1");
    assert_eq!(host.hears(&add(nic("i-2-7-VM", other, "vnet1"), 1, WEB)), 2);
    assert_eq!((host.nic("i-2-6-VM", other).interface.as_str(), host.registry.vms().len()), ("", 2));
    host.hears(&Command::DestroyVm { vm: "i-2-6-VM".to_owned() });
    assert_eq!(host.registry.forget(|_, _| false).vms().count(), 1);
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
    assert!(host.registry.forget(|_, _| false).is_empty());
    assert!(host.registry.keep(|_, _| true).is_empty());
    assert_eq!(host.registry.keep(|_, _| false).vms().count(), 1);
    assert_eq!(host.registry, Registry::default());
    host.hears(&there);
    assert_eq!(host.hears(&Command::DestroyVm { vm: "r-4-VM".to_owned() }), 1);
    assert_eq!(host.registry, Registry::default());
}

/// What cannot be done of a call is its addresses; what is known already stays.
#[test]
fn a_nic_whose_call_is_refused() {
    let mut host = Host::new();
    let vm = nic("i-2-5-VM", MAC, "vnet1");
    assert_eq!(host.registry.refuse(&vm).vms().count(), 1);
    let bare = host.nic("i-2-5-VM", MAC).clone();
    assert_eq!((bare.interface.as_str(), bare.ipv6, bare.refused), ("vnet1", None, true));
    assert!(host.registry.refuse(&vm).is_empty());
    // Whatever can be done next gives it the rest.
    for check in [true, false] {
        let mut host = Host { registry: host.registry.clone(), now: host.now };
        assert_eq!(host.hears(&Command::DefaultNetworkRules { nic: vm.clone(), check }), 1);
        assert_eq!((host.nic("i-2-5-VM", MAC).ipv6, host.nic("i-2-5-VM", MAC).refused), (vm.ipv6, false));
        assert!(host.registry.refuse(&nic("i-2-5-VM", MAC, "vnet2")).is_empty());
        // Unless it was taken leave of: this is another life, in which nothing was said that can be.
        host.hears(&Command::DestroyVm { vm: "i-2-5-VM".to_owned() });
        assert_eq!(host.registry.refuse(&nic("i-2-5-VM", MAC, "vnet2")).vms().count(), 1);
        assert_eq!(host.nic("i-2-5-VM", MAC), &KnownNic { interface: "vnet2".to_owned(), ..bare.clone() });
    }
}
