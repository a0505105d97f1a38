//! The stage: a hypervisor with a bridge, two VMs behind taps of it, and the router of their network.

use std::fs;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::world::{
    DELEGATED_FIRST, NEIGHBOUR, NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, ROUTER_MAC, STRANGER, VM, VM_LINK_LOCAL,
    VM_MAC,
};

use crate::lab::{self, Namespace, wait_for};
use crate::operator::Operator;

/// The interface of the hypervisor behind which VM 1 lives.
pub const TAP: &str = "vnet11";
const OTHER_TAP: &str = "vnet12";

/// The prefix that the router announces.
pub const PREFIX: &str = "2001:db8:100::/64";

/// The VM's name in the state, its tap, its MAC.
const VMS: [(&str, &str, Mac); 2] = [("i-2-55-VM", TAP, VM_MAC), ("i-2-56-VM", OTHER_TAP, NEIGHBOUR_MAC)];

/// An address of VM 1 inside the prefix that is delegated to it.
pub const DELEGATED: Ipv6Addr = {
    let [a, b, c, d, e, f, g, _] = DELEGATED_FIRST.segments();
    Ipv6Addr::new(a, b, c, d, e, f, g, 1)
};

/// Everybody on the stage.
pub struct Stage {
    /// The host that guards.
    pub hypervisor: Namespace,
    /// The attacker, and once it is honest.
    pub vm1: Namespace,
    /// Its neighbour.
    pub vm2: Namespace,
    /// The network's router.
    pub router: Namespace,
    directory: PathBuf,
    pins: PathBuf,
}

impl Stage {
    /// Everybody is connected; nobody speaks IPv6 yet, and nothing is guarded.
    pub fn set() -> Result<Self> {
        let (directory, pins) = lab::directories()?;
        let [hypervisor, router, vm1, vm2] = ["host", "router", "vm1", "vm2"]
            .map(Namespace::new)
            .into_iter()
            .collect::<Result<Vec<_>>>()?
            .try_into()
            .map_err(|_| anyhow::anyhow!("four namespaces"))?;
        for namespace in [&hypervisor, &vm1, &vm2] {
            namespace.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")?;
        }
        hypervisor.run("ip link add br0 type bridge mcast_snooping 0 ageing_time 0")?;
        hypervisor.run("ip link set br0 up")?;
        for (namespace, port, mac) in
            [(&vm1, TAP, VM_MAC), (&vm2, OTHER_TAP, NEIGHBOUR_MAC), (&router, "uplink", ROUTER_MAC)]
        {
            let there = namespace.name();
            hypervisor.run(&format!("ip link add {port} type veth peer name eth0 address {mac} netns {there}"))?;
            hypervisor.run(&format!("ip link set {port} master br0 up"))?;
            namespace.run("ip link set eth0 up")?;
        }
        router.run("sysctl -qw net.ipv6.conf.all.forwarding=1")?;
        router.run(&format!("ip address add {STRANGER}/128 dev lo nodad"))?;
        router.run(&format!("ip address add {ROUTER}/64 dev eth0 nodad"))?;
        Ok(Self { hypervisor, vm1, vm2, router, directory, pins })
    }

    /// Starts the daemon on the state of the two VMs, and waits until both taps are guarded.
    pub fn guard(&self) -> Result<Operator> {
        let state = self.directory.join("state.d");
        fs::create_dir(&state)?;
        fs::write(state.join("demo.toml"), state_file())?;
        let config = self.directory.join("config.toml");
        let [state, run, pins] =
            [&state, &self.directory.join("run"), &self.pins].map(|path| toml_string(&path.to_string_lossy()));
        fs::write(&config, format!("state_dir = {state}\nrun_dir = {run}\npin_dir = {pins}\n"))?;

        let operator = Operator::new(&self.hypervisor, &config)?;
        let log = self.directory.join("daemon.log");
        let output = fs::File::create(&log)?;
        let mut daemon =
            lab::start(operator.command(&["daemon"]).stdout(output.try_clone()?).stderr(Stdio::from(output)))?;
        let guarded = || {
            if let Some(status) = daemon.try_wait()? {
                anyhow::bail!("the daemon ended, {status}: {}", fs::read_to_string(&log)?.trim());
            }
            Ok((operator.guarded() == VMS.len()).then_some(()))
        };
        wait_for("the daemon to guard both taps", Duration::from_secs(15), guarded)?;
        Ok(operator)
    }

    /// The bridge learns, the router announces its prefix, the VMs boot.
    pub fn boot(&self) -> Result<()> {
        self.hypervisor.run("ip link set br0 type bridge ageing_time 30000")?;
        // Unguarded, the router believed what it was told.
        self.router.run("ip neighbour flush dev eth0")?;
        let config = self.directory.join("radvd.conf");
        fs::write(
            &config,
            format!(
                "interface eth0 {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix {PREFIX} {{}}; }};\n"
            ),
        )?;
        let log = fs::File::create(self.directory.join("radvd.log"))?;
        lab::start(
            self.router
                .command("radvd")
                .arg("--nodaemon")
                .args(["--logmethod", "stderr", "--config"])
                .arg(&config)
                .arg("--pidfile")
                .arg(self.directory.join("radvd.pid"))
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        for vm in [&self.vm1, &self.vm2] {
            vm.run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0")?;
        }
        self.vm1.run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=0")?;
        self.vm1.run(&format!("ip address add {DELEGATED}/128 dev lo"))?;
        self.router.run(&format!("ip route add {DELEGATED_FIRST}/60 via {VM_LINK_LOCAL} dev eth0"))?;
        Ok(())
    }
}

/// Addresses on `eth0` that duplicate address detection is done with.
pub fn addresses(vm: &Namespace) -> Result<Vec<Ipv6Addr>> {
    let text = vm.run("ip -6 -oneline address show dev eth0 -tentative")?;
    let address = |line: &str| line.split_whitespace().nth(3)?.split('/').next()?.parse().ok();
    Ok(text.lines().filter_map(address).collect())
}

fn state_file() -> String {
    let mut text = format!("[network.pod1]\nprefixes = [\"{PREFIX}\"]\nrouters  = [\"{ROUTER_LINK_LOCAL}\"]\n");
    for (vm, interface, mac) in VMS {
        text += &format!(
            "\n[[port]]\nvm        = \"{vm}\"\ninterface = \"{interface}\"\nmac       = \"{mac}\"\nnetwork   = \"pod1\"\n"
        );
        if interface == TAP {
            text += &format!("delegated = [\"{DELEGATED_FIRST}/60\"]\n");
        }
    }
    text
}

/// Text as TOML has it; paths of temporary directories need no more.
fn toml_string(text: &str) -> String {
    format!("'{text}'")
}

/// What SLAAC makes of the VMs, by the stage's own knowledge.
pub const SLAAC: [Ipv6Addr; 2] = [VM, NEIGHBOUR];

/// The MACs it makes them of.
pub const MACS: [Mac; 2] = [VM_MAC, NEIGHBOUR_MAC];

/// Where `ipv6-sg` is: beside this program.
pub fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let program = own.with_file_name("ipv6-sg");
    anyhow::ensure!(program.exists(), "{} is missing; `cargo xtask demo` builds it", program.display());
    Ok(program)
}
