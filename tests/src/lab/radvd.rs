//! The router's voice.

use std::fs;

use super::{Guest, Hypervisor, Ip, Netns, Process, Site};
use crate::world::{ROUTER, ROUTER_MAC};

/// Announces `2001:db8:100::/64` on a router's `eth0`, every few seconds.
#[track_caller]
pub fn radvd(site: &Site, router: &Netns) -> Process {
    let [config, pid] = ["radvd.conf", "radvd.pid"].map(|name| site.path(name));
    let text = "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix 2001:db8:100::/64 {}; };\n";
    fs::write(&config, text).expect("our own directory");
    let mut command = router.command("radvd");
    command.args(["--nodaemon", "--logmethod", "stderr", "--config"]).arg(config).arg("--pidfile").arg(pid);
    Process::start(command)
}

/// A router behind port `up0` of a hypervisor, at [`ROUTER`]; and its voice.
#[track_caller]
pub fn router(hypervisor: &Hypervisor) -> (Guest, Process) {
    let router = hypervisor.guest("up0", ROUTER_MAC, Ip::Kernel);
    router.netns.sysctl("ipv6/conf/all/forwarding", "1");
    router.netns.ip(&format!("addr add {ROUTER}/64 dev eth0 nodad"));
    let radvd = radvd(&hypervisor.site, &router.netns);
    (router, radvd)
}
