//! A host on which a VM lives, and what happens there between the calls.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, udp};
use ipv6_sg_tests::lab::{CloudHost, Guest, Nic, address, eventually, outcome};
use ipv6_sg_tests::world::{STRANGER, VM_PRIVACY};

use crate::row::{Holds, Ours, Row};

/// The ports that are tried.
pub const PORTS: [u16; 3] = [22, 80, 443];
/// An address that a VM is given, and loses again.
pub const FURTHER: &str = "2001:db8:100::100";

/// The host, and the guests behind `vnet1`, which is CloudHost's, and `vnet2`.
pub struct Life {
    pub host: CloudHost,
    second: Guest,
}

impl Life {
    /// With these settings; the daemon does not run yet.
    pub fn new(settings: &str) -> Self {
        let host = CloudHost::new(settings);
        let second = host.another("vnet2", 9);
        Self { host, second }
    }

    /// Makes the calls one after the other.
    pub fn live(&self, calls: &[Row]) {
        for Row { before, argv, stock, ours, then } in calls {
            before(self);
            let mut command = self.host.agent().command("");
            let done = outcome(command.args(argv.split(' ')));
            let (code, text) = match ours {
                Ours::Same => stock,
                Ours::Better { exits, because } => {
                    println!("{argv}: {because}");
                    exits
                }
            };
            // The agent reads standard error as what is printed, too.
            assert_eq!((done.code, done.out + &done.err), (Some(*code), (*text).to_owned()), "{argv}");
            then.iter().for_each(|(tap, holds)| self.assert_holds(tap, holds, argv));
        }
    }

    #[track_caller]
    fn assert_holds(&self, tap: &str, holds: &Holds, argv: &str) {
        let (host, guest) = (&self.host, self.guest(tap));
        match holds {
            Holds::Open => {
                host.hypervisor.wait_released(tap);
                let forged = Ipv6::new(VM_PRIVACY, STRANGER, udp(4000, 4000, b"any")).ethernet(Direction::FromVm);
                let (forged, into) = (forged.from(guest.mac).to(host.outside.mac).build(), host.outside.wire());
                guest.wire().send(&forged);
                into.until("what nobody filters", |seen| seen == forged.bytes);
            }
            Holds::Closed => {
                host.hypervisor.wait_guarded(tap);
                assert_eq!(host.sends_from(guest, address(guest)), Reason::Quarantined, "{argv}");
            }
            Holds::Guarded { open, own, further } => {
                assert_eq!(host.hypervisor.programs(tap), 2, "{argv}");
                let port = &host.hypervisor.json(&format!("ports {tap}"))[0];
                assert_eq!((&port["vm"], &port["mac"]), (&"i-2-5-VM".into(), &guest.mac.to_string().into()), "{argv}");
                let further = (FURTHER.parse().expect("an address"), *further);
                for (source, reason) in [(address(guest), *own), further, (VM_PRIVACY, Reason::SourcePrivacy)] {
                    assert_eq!(host.sends_from(guest, source), reason, "{argv}: {source}");
                }
                let opens: Vec<_> = PORTS.into_iter().filter(|port| host.opens(guest, *port)).collect();
                assert_eq!(opens, *open, "{argv}");
            }
            Holds::Gone => {
                let (index, ports) = (host.hypervisor.netns.ifindex(tap), host.hypervisor.json("ports"));
                let mac = guest.mac.to_string();
                let is_known = ports.as_array().expect("a list").iter().any(|port| port["mac"] == mac.as_str());
                assert_eq!((index, is_known), (None, false), "{argv}");
            }
        }
    }

    fn guest(&self, tap: &str) -> &Guest {
        if tap == self.second.port { &self.second } else { &self.host.vm }
    }

    /// From now on libvirt runs the VM under this number.
    pub fn runs(&self, id: u32) {
        let nic = self.host.nic();
        self.host.agent().run(&nic.vm, id, &[&nic]);
    }

    /// It has a second NIC from now on.
    pub fn runs_with_two(&self) {
        let (nic, second) = (self.host.nic(), Nic::new(5, &self.second));
        if self.host.hypervisor.netns.ifindex(&second.interface).is_none() {
            self.plug(&self.second);
        }
        self.host.agent().run(&nic.vm, 1, &[&nic, &second]);
    }

    /// And from now on only the first.
    pub fn runs_with_one(&self) {
        self.host.hypervisor.netns.ip("link del vnet2");
        self.runs(1);
        self.wait_for_record(|record| !record.is_some_and(|record| record.contains(&self.second.mac.to_string())));
    }

    /// From now on libvirt runs a router behind `vnet1`.
    pub fn runs_router(&self) {
        let router = Nic { vm: "r-4-VM".to_owned(), ..self.host.nic() };
        self.host.agent().run(&router.vm, 1, &[&router]);
    }

    /// The VM is started anew, with a tap that has the name of the one before.
    pub fn reboots(&self, id: u32) {
        self.host.hypervisor.netns.ip("link del vnet1");
        self.plug(&self.host.vm);
        self.runs(id);
    }

    /// The VM ends, and its tap goes.
    pub fn ends(&self) {
        self.host.hypervisor.netns.ip("link del vnet1");
        self.host.agent().end("i-2-5-VM");
        self.wait_for_record(|record| record.is_none());
    }

    fn plug(&self, guest: &Guest) {
        self.host.hypervisor.plug(guest);
        self.host.hypervisor.set_tap_mac(guest);
    }

    fn wait_for_record(&self, is: impl Fn(Option<String>) -> bool) {
        let path = self.host.hypervisor.site.path("data/cloudstack/i-2-5-VM.json");
        eventually("another record of the VM", || is(std::fs::read_to_string(&path).ok()).then_some(()));
    }
}
