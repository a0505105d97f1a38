//! The router's voice.

use std::fs;

use super::{Netns, Process, Site};

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
