//! CloudStack's agent on a hypervisor: how it calls its script, and what libvirt says meanwhile of the VMs that run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use ipv6_sg_common::mac::Mac;

use super::{Guest, Hypervisor, Ip, Outcome, address, binary, outcome};

/// The agent.
#[derive(Clone, Copy)]
pub struct CloudAgent<'a> {
    hypervisor: &'a Hypervisor,
}

/// A NIC of a VM, as the agent describes it.
#[derive(Clone, Debug)]
pub struct Nic {
    /// The VM's name.
    pub vm: String,
    /// The NIC's.
    pub mac: Mac,
    /// What the agent says is its tap.
    pub interface: String,
    /// `--vmip6` and what else is said of it.
    pub flags: String,
}

impl Nic {
    /// The only NIC of `i-2-NUMBER-VM`, with its address by SLAAC in the lab's /64, and no others.
    pub fn new(number: u32, guest: &Guest) -> Self {
        Self {
            vm: format!("i-2-{number}-VM"),
            mac: guest.mac,
            interface: guest.port.clone(),
            flags: format!("--vmip 10.1.1.{number} --vmip6 {} --nicsecips 0;", address(guest)),
        }
    }

    /// With these further addresses.
    #[must_use]
    pub fn with_secondary(&self, secondary: &str) -> Self {
        Self { flags: self.flags.replace("--nicsecips 0;", &format!("--nicsecips {secondary}")), ..self.clone() }
    }

    fn number(&self) -> &str {
        self.vm.split('-').nth(2).expect("a name as CloudStack makes them")
    }

    fn words(&self) -> String {
        let Self { vm, mac, interface, flags } = self;
        format!("--vmname {vm} --vmid {} --vmmac {mac} --vif {interface} --brname br0 {flags}", self.number())
    }

    /// What is said when its VM has started.
    pub fn started(&self) -> String {
        format!("default_network_rules {} --isFirstNic", self.words())
    }

    /// What is said when it is looked after.
    pub fn checked(&self) -> String {
        format!("{} --check", self.started())
    }

    /// What is said of its rules.
    pub fn ruled(&self, sequence: i64, rules: &str) -> String {
        let rules = if rules.is_empty() { String::new() } else { format!(" --rules {rules}") };
        format!("add_network_rules {} --sig sig{sequence} --seq {sequence}{rules}", self.words())
    }

    /// What is said before its VM stops.
    pub fn stopped(&self) -> String {
        format!("destroy_network_rules_for_vm --vmname {} --vif {}", self.vm, self.interface)
    }

    /// What is said when it is taken from its VM.
    pub fn unplugged(&self) -> String {
        format!("destroy_network_rules_for_vm {}", self.words())
    }

    /// What is said when it gets a further address, or loses it.
    pub fn secondary(&self, address: &str, add: bool) -> String {
        let action = if add { "-A" } else { "-D" };
        format!(
            "network_rules_vmSecondaryIp --vmname {} --vmmac {} --nicsecips {address} --action={action}",
            self.vm, self.mac
        )
    }
}

impl Hypervisor {
    /// Has CloudStack's agent call the program as its script; `more` settings, those of `[cloudstack]` last.
    pub fn cloudstack(&self, more: &str) -> CloudAgent<'_> {
        let (tables, keys) = (if more.contains("[cloudstack]") { "" } else { "[cloudstack]" }, more);
        fs::create_dir_all(self.site.path("libvirt")).expect("our own directory");
        self.site.settings(&format!("{keys}\n{tables}\nlibvirt_dir = {:?}", self.site.path("libvirt")));
        let link = self.site.path("security_group.py");
        if !link.exists() {
            symlink(binary(), link).expect("our own directory");
        }
        self.agent()
    }

    /// The agent that was [installed](Self::cloudstack).
    pub const fn agent(&self) -> CloudAgent<'_> {
        CloudAgent { hypervisor: self }
    }

    /// A guest whose port has the MAC that libvirt gives a tap.
    pub fn tapped(&self, port: &str, mac: Mac, ip: Ip) -> Guest {
        let guest = self.guest(port, mac, ip);
        self.set_tap_mac(&guest);
        guest
    }

    /// Gives a guest's port the MAC that libvirt gives a tap.
    pub fn set_tap_mac(&self, guest: &Guest) {
        let [_, rest @ ..] = guest.mac.octets;
        let [a, b, c, d, e] = rest;
        let tap = Mac { octets: [0xfe, a, b, c, d, e] };
        self.netns.ip(&format!("link set {} address {tap}", guest.port));
    }
}

impl CloudAgent<'_> {
    /// A call, ready to run.
    pub fn command(&self, words: &str) -> Command {
        let mut command = self.hypervisor.netns.command(self.script());
        command.args(words.split(' ').filter(|word| !word.is_empty()));
        command.env("IPV6_SG_CONFIG", self.hypervisor.site.config());
        command
    }

    /// A call, whatever comes of it.
    #[track_caller]
    pub fn call(&self, words: &str) -> Outcome {
        outcome(&mut self.command(words))
    }

    /// A call that must be done, and what it prints.
    #[track_caller]
    pub fn done(&self, words: &str) -> String {
        let outcome = self.call(words);
        assert_eq!((outcome.code, outcome.err.as_str()), (Some(0), ""), "{words}: {outcome:?}");
        outcome.out
    }

    /// A call that must be refused with one line, and that line.
    #[track_caller]
    pub fn refused(&self, words: &str) -> String {
        let outcome = self.call(words);
        assert_eq!((outcome.code, outcome.out.as_str()), (Some(1), ""), "{words}: {outcome:?}");
        assert!(outcome.err.starts_with("error: ") && outcome.err.lines().count() == 1, "{words}: {outcome:?}");
        outcome.err.trim_start_matches("error: ").trim_end().to_owned()
    }

    /// From now on libvirt runs a VM with these NICs.
    pub fn run(&self, vm: &str, id: u32, nics: &[&Nic]) {
        let interface = |nic: &&Nic| {
            format!(
                "<interface type='bridge'><mac address='{}'/><source bridge='br0'/><target dev='{}'/></interface>",
                nic.mac, nic.interface
            )
        };
        let interfaces: String = nics.iter().map(interface).collect();
        let text = format!(
            "<domstatus state='running' reason='booted' pid='1'><domain type='kvm' id='{id}'><name>{vm}</name>\
             <devices>{interfaces}</devices></domain></domstatus>"
        );
        let path = self.description(vm);
        fs::write(path.with_extension("new"), text).expect("our own directory");
        fs::rename(path.with_extension("new"), path).expect("our own directory");
    }

    /// From now on libvirt runs this VM no more.
    pub fn end(&self, vm: &str) {
        fs::remove_file(self.description(vm)).expect("a VM that ran");
    }

    fn description(&self, vm: &str) -> PathBuf {
        self.hypervisor.site.path("libvirt").join(format!("{vm}.xml"))
    }

    fn script(&self) -> PathBuf {
        self.hypervisor.site.path("security_group.py")
    }
}
