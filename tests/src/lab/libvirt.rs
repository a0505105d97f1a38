//! libvirt, as it starts the VMs of most hypervisors: its daemon and a domain, on a hypervisor of the lab.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv6_sg_common::mac::Mac;

use super::machine::image;
use super::{Hypervisor, Orders, Process, binary, eventually, outcome, run};

/// What libvirtd finds where the system's directories are, seen by nobody else: it writes there, wants a user that only its
/// larger package makes, and looks for interfaces in /sys.
const PRIVATE: &str = r#"
set -eu
for directory in /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p "$directory"
    mount -t tmpfs tmpfs "$directory"
done
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount -t sysfs sysfs /sys
exec libvirtd --config "$1/libvirtd.conf" --pid-file "$1/libvirtd.pid"
"#;

/// For machines that are no servers with systemd, cgroups and AppArmor.
const QEMU_CONF: &str = r#"
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
"#;

/// A running libvirtd. Its domains are destroyed when it is dropped.
pub struct Libvirt {
    _daemon: Process,
    directory: PathBuf,
    domains: Vec<String>,
}

/// A domain that runs.
pub struct Domain {
    /// Its tap, named by libvirt.
    pub tap: String,
    /// What its guest is told.
    pub orders: Orders,
}

impl Libvirt {
    /// Starts it on the hypervisor, with our hook, which has these settings.
    #[track_caller]
    pub fn hooked(hypervisor: &Hypervisor) -> Self {
        let hooks = hypervisor.site.path("libvirt/etc/hooks/qemu.d");
        fs::create_dir_all(&hooks).expect("our own directory");
        let (program, config) = (binary(), hypervisor.site.config());
        let script =
            format!("#!/bin/sh\nexec {} --config {} libvirt-hook \"$@\"\n", program.display(), config.display());
        let hook = hooks.join("ipv6-sg");
        fs::write(&hook, script).expect("our own directory");
        fs::set_permissions(hook, Permissions::from_mode(0o755)).expect("our own file");
        Self::start(hypervisor)
    }

    /// Starts it on the hypervisor.
    #[track_caller]
    pub fn start(hypervisor: &Hypervisor) -> Self {
        let directory = hypervisor.site.path("libvirt");
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).expect("our own directory");
        fs::create_dir_all(directory.join("etc")).expect("our own directory");
        let system = |name: &str| fs::read_to_string(Path::new("/etc").join(name)).expect("a system's file");
        write("passwd", &format!("{}libvirt-qemu:x:64055:64055::/:/bin/false\n", system("passwd")));
        write("group", &format!("{}libvirt-qemu:x:64055:\nkvm:x:64056:\n", system("group")));
        write("etc/qemu.conf", QEMU_CONF);
        write("libvirtd.conf", &format!("unix_sock_dir = \"{}\"\nauth_unix_rw = \"none\"\n", directory.display()));
        let mut command = hypervisor.netns.command("unshare");
        command.args(["--mount", "sh", "-c", PRIVATE, "sh"]).arg(&directory);
        let libvirt = Self { _daemon: Process::start(command), directory, domains: Vec::new() };
        eventually("libvirtd", || {
            let daemon = &libvirt._daemon;
            assert!(daemon.ended().is_none(), "libvirtd ended: {:#?}", daemon.lines());
            (outcome(&mut libvirt.virsh(&["list"])).code == Some(0)).then_some(())
        });
        libvirt
    }

    fn virsh(&self, words: &[&str]) -> Command {
        let mut command = Command::new("virsh");
        command.arg("--connect");
        command.arg(format!("qemu+unix:///system?socket={}", self.directory.join("libvirt-sock").display()));
        command.args(words);
        command
    }

    /// Starts a domain with one interface on the bridge `br0`, as CloudStack's agent describes it, and waits until its guest
    /// takes orders.
    #[track_caller]
    pub fn domain(&mut self, name: &str, mac: Mac) -> Domain {
        run(&mut self.create(name, mac));
        self.running(name)
    }

    /// What starts such a domain, ready to run.
    pub fn create(&self, name: &str, mac: Mac) -> Command {
        let image = image();
        let (image, serial) = (image.display(), self.serial(name));
        let line = serial.display();
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
             <os><type arch='x86_64' machine='pc'>hvm</type><kernel>{image}/kernel</kernel>
             <initrd>{image}/initramfs</initrd><cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
             <features><acpi/></features>
             <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
             <serial type='null'><target port='0'/></serial>
             <serial type='unix'><source mode='bind' path='{line}'/><target port='1'/></serial>
             <interface type='bridge'><source bridge='br0'/><mac address='{mac}'/><model type='virtio'/></interface>
             </devices></domain>"
        );
        let path = self.directory.join(format!("{name}.xml"));
        fs::write(&path, xml).expect("our own directory");
        let mut create = self.virsh(&["create"]);
        create.arg(&path);
        create
    }

    /// A domain that was [created](Self::create), when its guest takes orders.
    #[track_caller]
    pub fn running(&mut self, name: &str) -> Domain {
        self.domains.push(name.to_owned());
        let interfaces = run(&mut self.virsh(&["domiflist", name]));
        let tap = interfaces.split_whitespace().find(|word| word.starts_with("vnet"));
        let tap = tap.unwrap_or_else(|| panic!("no tap: {interfaces}")).to_owned();
        let mut orders = Orders::connect(&self.serial(name), || {});
        orders.wait_ready();
        Domain { tap, orders }
    }

    fn serial(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.serial"))
    }

    /// Ends a domain.
    #[track_caller]
    pub fn destroy(&mut self, name: &str) {
        run(&mut self.virsh(&["destroy", name]));
        self.domains.retain(|domain| domain != name);
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        for domain in &self.domains {
            // Its qemu is no child of ours, and would outlive the test.
            let _ = self.virsh(&["destroy", domain]).output();
        }
    }
}
