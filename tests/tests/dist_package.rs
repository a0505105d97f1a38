//! The Debian package from installation to purge, under a systemd of its own, with the example state that it brings.

use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, System, Traffic, eventually};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM, VM_MAC};

/// Of the VMs that the example state knows.
const PORTS: [&str; 2] = ["vnet11", "vnet12"];

const INSTALL: &str = "dpkg --force-unsafe-io --install /mnt/older.deb";
const UPGRADE: &str = "dpkg --force-unsafe-io --install /mnt/newer.deb";
const STATE: &str = "cp /usr/share/doc/ipv6-sg/examples/state.toml /etc/ipv6-sg/state.d/";

/// A host that is running, and the two VMs that the example state knows.
struct Host {
    system: System,
    vm: Guest,
    neighbour: Guest,
    hypervisor: Hypervisor,
}

impl Host {
    /// `before` is done before it starts.
    #[track_caller]
    fn new(before: &str) -> Self {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vnet11", VM_MAC, Ip::Silent);
        let neighbour = hypervisor.guest("vnet12", NEIGHBOUR_MAC, Ip::Silent);
        let system = System::boot(&hypervisor, before);
        Self { system, vm, neighbour, hypervisor }
    }

    /// One on which the package was installed, and which guards both VMs.
    #[track_caller]
    fn guarding() -> Self {
        let host = Self::new("true");
        host.system.run(INSTALL);
        host.system.run(STATE);
        host.wait_guarded();
        host
    }

    #[track_caller]
    fn wait_guarded(&self) {
        for port in PORTS {
            self.hypervisor.wait_guarded(port);
        }
    }

    fn programs(&self) -> [usize; 2] {
        PORTS.map(|port| self.hypervisor.programs(port))
    }

    fn traffic(&self) -> Traffic {
        Traffic::start(&self.vm, &self.neighbour)
    }

    /// All that is pinned, as the host sees it.
    #[track_caller]
    fn pins(&self) -> String {
        self.system.run("find /sys/fs/bpf -path '*ipv6-sg*' | sort")
    }

    /// A property of the service.
    #[track_caller]
    fn service(&self, property: &str) -> String {
        self.system.run(&format!("systemctl show --value --property {property} ipv6-sg")).trim().to_owned()
    }

    #[track_caller]
    fn wait_active(&self) {
        eventually("an active service", || (self.service("ActiveState") == "active").then_some(()));
    }
}

#[test]
fn an_installation_guards_and_an_upgrade_opens_nothing() {
    let host = Host::new("true");
    host.system.run(INSTALL);
    let ready = ["ActiveState", "SubState", "UnitFileState"].map(|property| host.service(property));
    assert_eq!(ready, ["active", "running", "enabled"]);
    assert_eq!(host.programs(), [0, 0], "nothing is guarded before there is state");
    host.system.run(STATE);
    host.wait_guarded();
    // What the daemon pins in its own view of the files is the host's: two links a port, each a moment after it guards.
    let pins = eventually("pins", || Some(host.pins()).filter(|pins| pins.matches("/links/").count() == 4));

    let traffic = host.traffic();
    traffic.flow(500);
    let before = host.service("MainPID");
    host.system.run(UPGRADE);
    assert_ne!(host.service("MainPID"), before, "the old daemon still runs");
    assert_eq!(host.system.run("dpkg-query --show --showformat '${Version}' ipv6-sg"), "0.2");
    traffic.flow(500);
    host.system.run("systemctl restart ipv6-sg");
    traffic.flow(500);
    host.system.run("systemctl reload ipv6-sg");
    host.system.run("systemctl stop ipv6-sg");
    traffic.flow(500);
    host.system.run("systemctl start ipv6-sg");
    host.system.run("systemctl kill --signal KILL ipv6-sg");
    traffic.flow(500);
    eventually("a daemon in the killed one's place", || (host.service("NRestarts") == "1").then_some(()));
    host.wait_active();
    traffic.flow(500);
    traffic.stop().assert_clean();
    assert_eq!(host.pins(), pins);
}

/// What the agent says is done and kept under the unit's bounds, and libvirt's files are read there.
#[test]
fn cloudstacks_agent_calls_the_installed_program() {
    let host = Host::new("true");
    host.system.run(INSTALL);
    host.system.run("mkdir -p /etc/cloudstack/agent /run/libvirt/qemu");
    host.system.run("ln -s /usr/sbin/ipv6-sg /etc/cloudstack/agent/security_group.py");
    let mac = host.vm.mac;
    host.system.run(&format!(
        "echo \"<domstatus><domain id='7'><name>i-2-5-VM</name><devices><interface><mac address='{mac}'/>\
         <target dev='vnet11'/></interface></devices></domain></domstatus>\" > /run/libvirt/qemu/i-2-5-VM.xml"
    ));
    let call = |words: &str| host.system.run(&format!("/etc/cloudstack/agent/security_group.py {words}"));
    let nic = format!(
        "--vmname i-2-5-VM --vmid 5 --vmip 10.1.1.5 --vmip6 {VM} --vmmac {mac} --vif vnet11 --brname br0 --nicsecips '0;'"
    );
    assert_eq!(call(&format!("default_network_rules {nic} --isFirstNic")), "");
    assert_eq!(call(&format!("add_network_rules {nic} --sig abc --seq 3 --rules 'I:tcp;22;22;::/0,NEXT;'")), "");
    assert_eq!(host.programs(), [2, 0]);
    let in_force = "i-2-5-VM,5,10.1.1.5,7,abc,3\n";
    assert_eq!(call("get_rule_logs_for_vms"), in_force);
    host.system.run("systemctl restart ipv6-sg");
    host.wait_active();
    assert_eq!((call("get_rule_logs_for_vms").as_str(), host.programs()), (in_force, [2, 0]));
    let hook = "/usr/sbin/ipv6-sg libvirt-hook i-2-5-VM start begin - < /run/libvirt/qemu/i-2-5-VM.xml";
    assert_eq!(host.system.run(hook), "");
}

#[test]
fn settings_that_are_wrong_fail_the_service_and_change_nothing() {
    let host = Host::guarding();
    let traffic = host.traffic();
    traffic.flow(200);
    host.system.run("cp /etc/ipv6-sg/config.toml /root/; echo 'xpd = \"off\"' >> /etc/ipv6-sg/config.toml");
    // A reload keeps what it has.
    host.system.run("systemctl reload ipv6-sg");
    assert_eq!(host.service("ActiveState"), "active");
    let failed = host.system.try_run("systemctl restart ipv6-sg");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    traffic.flow(200);
    let run = host.service("InvocationID");
    let said = format!("journalctl --output cat _SYSTEMD_INVOCATION_ID={run}");
    let said = eventually("what it said", || Some(host.system.run(&said)).filter(|said| !said.is_empty()));
    let [line] = said.lines().collect::<Vec<_>>()[..] else { panic!("not one line: {said}") };
    assert!(line.starts_with("error: /etc/ipv6-sg/config.toml:") && line.contains("unknown field `xpd`"), "{line}");

    // Nor does a removal leave the host open that does not know where the pins are.
    let removal = host.system.try_run("dpkg --remove ipv6-sg");
    assert!(removal.code == Some(1) && removal.err.contains("error: /etc/ipv6-sg/config.toml:"), "{removal:?}");
    traffic.flow(200);

    // It needs nobody to be started again.
    host.system.run("cp /root/config.toml /etc/ipv6-sg/");
    host.wait_active();
    traffic.flow(200);
    traffic.stop().assert_clean();
}

#[test]
fn removal_and_purge_leave_nothing() {
    let host = Host::guarding();
    let traffic = host.traffic();
    traffic.flow(200);
    traffic.stop().assert_clean();
    host.system.run("dpkg --remove ipv6-sg");
    assert_eq!(host.programs(), [0, 0]);
    assert_eq!(host.pins(), "");
    assert_eq!(host.system.run("find /run -xdev -name '*ipv6-sg*'"), "");
    let traffic = host.traffic();
    traffic.flow(200);
    assert!(traffic.stop().leaked > 0, "something still guards");
    // What the operator wrote stays until it is purged.
    assert_eq!(
        host.system.run("find /etc/ipv6-sg -type f | sort"),
        "/etc/ipv6-sg/config.toml\n/etc/ipv6-sg/state.d/state.toml\n"
    );

    // Installed again it guards again, by what is there.
    host.system.run(UPGRADE);
    host.wait_guarded();
    host.system.run("dpkg --purge ipv6-sg");
    assert_eq!(host.programs(), [0, 0]);
    assert_eq!(host.pins(), "");
    let places = "/etc /run /usr/lib /usr/sbin /usr/share /var";
    assert_eq!(host.system.run(&format!("find {places} -xdev -name '*ipv6-sg*'")), "");
}

/// What comes before a VM, whoever starts it: here libvirtd's place is taken by a script that looks.
#[test]
fn taps_are_in_quarantine_before_libvirtd_starts() {
    let look = "[Service]\\nType=oneshot\\nExecStart=sh -c 'ipv6-sg status --json > /root/seen'\\n[Install]\\nWantedBy=multi-user.target\\n";
    let before = format!(
        "{INSTALL}
         echo 'quarantine = [\"vnet*\"]' > /etc/ipv6-sg/config.toml
         printf \"{look}\" > /etc/systemd/system/libvirtd.service
         systemctl enable libvirtd"
    );
    let host = Host::new(&before);
    let seen =
        eventually("libvirtd", || Some(host.system.try_run("cat /root/seen")).filter(|seen| seen.code == Some(0)));
    let seen: serde_json::Value = serde_json::from_str(&seen.out).expect("JSON");
    assert_eq!(seen["daemon"]["quarantined"], serde_json::json!(PORTS), "{seen}");
    // That was no luck, and holds of whatever else starts VMs.
    let before = host.service("Before");
    for unit in ["libvirtd", "virtqemud", "libvirt-guests", "cloudstack-agent"] {
        assert!(before.split(' ').any(|name| name == format!("{unit}.service")), "not before {unit}: {before}");
    }
    // Its state arrives, and the VM speaks.
    host.system.run(STATE);
    let traffic = host.traffic();
    traffic.flow(200);
    assert_eq!(traffic.stop().leaked, 0);
}

/// What systemd itself has to say about the unit.
#[test]
fn the_unit_is_sound() {
    let host = Host::new(INSTALL);
    assert_eq!(host.system.run("systemd-analyze verify ipv6-sg.service 2>&1"), "");
    host.system.run("systemd-analyze security --offline=true --threshold=35 --no-pager ipv6-sg.service");
}
