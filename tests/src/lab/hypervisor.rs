//! A hypervisor: a namespace with a bridge, on which every VM has a port.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use ipv6_sg::kernel::{Hook, Inspect, TcMethod};
use ipv6_sg_common::abi::{ABI_VERSION, Counters};
use ipv6_sg_common::mac::Mac;
use serde_json::Value;

use super::{Guest, Ip, Machine, Netns, Process, Site, Tap, eventually, outcome};

/// A hypervisor and the installation on it.
pub struct Hypervisor {
    /// What is installed.
    pub site: Site,
    /// Its namespace.
    pub netns: Netns,
}

impl Default for Hypervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Hypervisor {
    /// A hypervisor with an empty bridge, `br0`.
    pub fn new() -> Self {
        let netns = Netns::new("hv");
        // A bridge for VMs has no addresses of its own, and what it sent would blur what tests count.
        netns.sysctl("ipv6/conf/default/disable_ipv6", "1");
        // Where the host has br_netfilter, iptables would drop what is malformed: here only the guard may.
        for family in ["ip", "ip6", "arp"] {
            let key = format!("bridge/bridge-nf-call-{family}tables");
            if std::path::Path::new("/proc/sys/net").join(&key).exists() {
                netns.sysctl(&key, "0");
            }
        }
        netns.ip("link add br0 type bridge mcast_snooping 0\nlink set br0 up");
        Self { site: Site::new(), netns }
    }

    /// A guest on the bridge.
    pub fn guest(&self, port: &str, mac: Mac, ip: Ip) -> Guest {
        let guest = Guest::new(port, mac, ip);
        self.plug(&guest);
        guest
    }

    /// Makes a guest's interface, and its port on the bridge.
    pub fn plug(&self, guest: &Guest) {
        let (port, inside, mac) = (&guest.port, guest.netns.name(), guest.mac);
        self.netns.ip(&format!(
            "link add {port} type veth peer name eth0 address {mac} netns {inside}\n\
             link set {port} master br0 up"
        ));
        guest.netns.ip("link set eth0 up");
        self.wait_forwarding(port);
    }

    /// Makes a tap on the bridge: see [`Tap::open`].
    pub fn tap(&self, port: &str, header: libc::c_int, offloads: libc::c_uint) -> Tap {
        let tap = Tap::open(&self.netns, port, header, offloads);
        self.netns.ip(&format!("link set {port} master br0 up"));
        self.wait_forwarding(port);
        tap
    }

    /// Switches a machine on whose tap is on the bridge, and waits until it takes orders.
    #[track_caller]
    pub fn machine(&self, port: &str, mac: Mac) -> Machine {
        let socket = self.site.path(&format!("{port}.serial"));
        let mut machine = Machine::start(&self.netns, port, mac, &socket);
        eventually("the machine's tap", || self.netns.ifindex(port));
        self.netns.ip(&format!("link set {port} master br0 up"));
        machine.orders.wait_ready();
        machine
    }

    /// Makes another hypervisor's bridge and this one's one link, as switches between them do.
    pub fn uplink(&self, other: &Self) {
        self.netns.ip(&format!(
            "link add up1 type veth peer name up1 netns {}\nlink set up1 master br0 up",
            other.netns.name()
        ));
        other.netns.ip("link set up1 master br0 up");
        self.wait_forwarding("up1");
        other.wait_forwarding("up1");
    }

    /// Moves a guest to another hypervisor: it keeps its interface, whose port is there from now on.
    pub fn migrate(&self, guest: &Guest, other: &Self) {
        let port = &guest.port;
        self.netns.ip(&format!("link set {port} netns {}", other.netns.name()));
        other.netns.ip(&format!("link set {port} master br0 up"));
        other.wait_forwarding(port);
    }

    /// Frames are lost until the bridge has seen a carrier.
    fn wait_forwarding(&self, port: &str) {
        eventually("a port that forwards", || {
            self.netns.run(&format!("ip -d link show {port}")).contains("state forwarding").then_some(())
        });
    }

    /// Starts the daemon and waits until it says that it is ready.
    #[track_caller]
    pub fn daemon(&self) -> Process {
        self.site.daemon(&self.netns)
    }

    /// Runs a verb that must succeed, and returns what it prints.
    #[track_caller]
    pub fn ask(&self, words: &str) -> String {
        self.site.ask(&self.netns, words)
    }

    /// Runs a verb that prints JSON.
    #[track_caller]
    pub fn json(&self, words: &str) -> serde_json::Value {
        self.site.json(&self.netns, words)
    }

    /// Starts `monitor` and waits until it shows what is dropped from now on.
    #[track_caller]
    pub fn monitor(&self, words: &str) -> Process {
        let monitor = Process::start(self.site.verb(&self.netns, &format!("monitor {words}")));
        // It takes its lock when it has looked at the clock. Trying that lock could be what keeps it from it.
        eventually("a monitor", || {
            let inode = fs::metadata(self.site.path("run/monitor.lock")).ok()?.ino();
            let locks = fs::read_to_string("/proc/locks").expect("the kernel tells its locks");
            locks.lines().any(|line| line.contains(" FLOCK ") && line.contains(&format!(":{inode} "))).then_some(())
        });
        monitor
    }

    /// A port's counters; zero when it has none.
    #[track_caller]
    pub fn counters(&self, port: &str) -> Counters {
        self.site.counters(self.netns.ifindex(port).expect("an interface"))
    }

    /// How many of the two programs run on an interface.
    pub fn programs(&self, port: &str) -> usize {
        match TcMethod::of_this_kernel() {
            TcMethod::Tcx => self.netns.inside(|| Inspect::attached(port)).map_or(0, |hooks| hooks.len()),
            TcMethod::Clsact => self.filters(port).len(),
        }
    }

    /// The programs that filters run on a port, by id; none where there is no such port.
    pub fn filters(&self, port: &str) -> Vec<u64> {
        let side = |side| {
            let mut tc = self.netns.command("tc");
            let shown = outcome(tc.args(["-j", "filter", "show", "dev", port, side]));
            let filters: Value = serde_json::from_str(&shown.out).unwrap_or_default();
            let ids = filters.as_array().into_iter().flatten().map(|filter| filter.pointer("/options/prog/id"));
            ids.filter_map(|id| id?.as_u64()).collect::<Vec<_>>()
        };
        ["ingress", "egress"].map(side).concat()
    }

    /// Waits until both programs run on an interface.
    #[track_caller]
    pub fn wait_guarded(&self, port: &str) {
        eventually("a guarded interface", || (self.programs(port) == Hook::TC.len()).then_some(()));
    }

    /// Waits until none of the programs runs on an interface.
    #[track_caller]
    pub fn wait_released(&self, port: &str) {
        eventually("a released interface", || (self.programs(port) == 0).then_some(()));
    }

    /// Which kernel object each link of a port is, and which program it runs: for both hooks. Filters are no objects.
    #[track_caller]
    pub fn links(&self, port: &str) -> Vec<(u64, u64)> {
        match TcMethod::of_this_kernel() {
            TcMethod::Tcx => Hook::TC.iter().map(|hook| self.link(ABI_VERSION, port, hook.name())).collect(),
            TcMethod::Clsact => self.filters(port).into_iter().map(|program| (0, program)).collect(),
        }
    }

    /// Panics unless a daemon that was started after [`Self::links`] has left everything as it was. Filters it replaces.
    #[track_caller]
    pub fn assert_adopted(&self, port: &str, links: &[(u64, u64)]) {
        match TcMethod::of_this_kernel() {
            TcMethod::Tcx => assert_eq!(self.links(port), links),
            TcMethod::Clsact => assert_eq!(self.filters(port).len(), links.len()),
        }
    }

    /// Which kernel object a link is that this version of the program pinned, and which program it runs.
    #[track_caller]
    pub fn link(&self, abi: u32, port: &str, hook: &str) -> (u64, u64) {
        let ifindex = self.netns.ifindex(port).expect("an interface");
        let path = self.site.pins.join(format!("v{abi}/links/{ifindex}-{hook}"));
        let text = super::run(Command::new("bpftool").args(["-j", "link", "show", "pinned"]).arg(path));
        let link: Value = serde_json::from_str(&text).expect("bpftool prints JSON");
        let number = |key| link.get(key).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {key}: {text}"));
        (number("id"), number("prog_id"))
    }

    /// A state file with a port for each guest.
    pub fn ports(&self, guests: &[&Guest]) {
        let text: String = guests.iter().map(|guest| super::port(&guest.port, guest.mac, "")).collect();
        self.site.state("10-ports.toml", &text);
    }

    /// A port's MAC and so on in words of a state file, into a file of its own.
    pub fn port(&self, interface: &str, mac: Mac, more: &str) {
        self.site.state(&format!("20-{interface}.toml"), &super::port(interface, mac, more));
    }

    /// A state file with these security groups.
    pub fn groups(&self, groups: &str) {
        self.site.state("10-groups.toml", groups);
    }
}
