//! A small hypervisor in network namespaces: the real binary runs there, for the tests, the demo and the benchmark.
//!
//! - [`Netns`]: a network namespace, and things done inside it
//! - [`Process`]: a program that runs beside the test, and what it printed
//! - [`Site`]: one installation's directories, pins, and verbs
//! - [`Hypervisor`]: a namespace with a bridge, the installation, and its daemon
//! - [`Guest`]: a VM behind a port of the bridge, played by a namespace
//! - [`Machine`]: a VM with a kernel of its own, behind a tap; [`Orders`]: what it is told
//! - [`Libvirt`]: what starts machines on most hypervisors
//! - [`System`]: systemd and what is installed beside it, in a hypervisor's place
//! - [`Memory`]: what the kernel remembers of a port, as bpftool shows it
//! - [`Wire`]: frames as they are, sent and seen on an interface
//! - [`packet_socket`], [`bind`]: what a wire is made of, for those in a hurry
//! - [`VnetSocket`]: frames that lie in pages, or are left unfinished
//! - [`tap`]: frames with what a guest leaves to its host to finish
//! - [`transfer`], [`datagrams`]: what guests do all day
//! - [`router`]: what guests find their way by; [`radvd`]: its voice
//! - [`Pod`]: VMs, their router and the world beyond
//! - [`Web`]: a VM in a security group, one in none, and somebody outside
//! - [`CloudAgent`]: how CloudStack's agent calls its script; [`CloudHost`]: VMs that it drives
//! - [`Streams`]: flows that never pause, each frame counted; [`Conversation`]: one of the kernel's own
//! - [`Traffic`]: honest and forged frames that never pause
//! - [`kea`]: databases of Kea's
//! - [`Dice`]: chance that is the same in each run
//!
//! What goes wrong panics. Everything is removed when it is dropped, so also by a test that panics, and by a signal that
//! ends the program; and it is named such that tests run side by side.
//! Nothing sleeps for a time and hopes: [`eventually`] waits for a condition.

mod cloud_host;
mod cloudstack;
mod conversation;
mod dice;
mod frames;
mod guest;
mod hypervisor;
pub mod kea;
mod libvirt;
mod machine;
mod memory;
mod netns;
mod orders;
mod pod;
mod process;
mod radvd;
mod signals;
mod site;
mod socket;
mod streams;
mod system;
mod talk;
pub mod tap;
mod traffic;
mod undo;
mod vnet_socket;
mod web;
mod wire;

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use std::{env, thread};

use ipv6_sg::kernel::TcMethod;

pub use cloud_host::CloudHost;
pub use cloudstack::{CloudAgent, Nic};
pub use conversation::Conversation;
pub use dice::Dice;
pub use frames::no_room;
pub use guest::{Guest, Ip};
pub use hypervisor::Hypervisor;
pub use libvirt::{Domain, Libvirt};
pub use machine::Machine;
pub use memory::{Memory, bytes, hex, key, room};
pub use netns::Netns;
pub use orders::Orders;
pub use pod::{BEYOND, Counts, Keys, Pod};
pub use process::{Outcome, Process, feed, outcome, run};
pub use radvd::{radvd, router};
pub use signals::wait_if_ending;
pub use site::{Site, binary, port, table};
pub use socket::{bind, packet_socket};
pub use streams::{Delivery, Leg, Streams};
pub use system::System;
pub use talk::{datagrams, transfer};
pub use tap::Tap;
pub use traffic::{Report, Traffic, address, forged, honest};
pub use vnet_socket::{LEAST, VnetSocket};
pub use web::Web;
pub use wire::Wire;

/// How long a test waits for what must happen: far longer than it takes, for machines that do other things too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until there is something.
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, condition)
}

/// Looks again and again until there is something, and panics when there is nothing for `patience`.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    look(patience, condition).unwrap_or_else(|| panic!("{what}: not within {patience:?}"))
}

/// Looks again and again until there is something, or has been nothing for `patience`: times [`slowness`].
pub fn look<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let (start, patience) = (Instant::now(), patience.saturating_mul(slowness()));
    loop {
        let found = condition();
        if found.is_some() || start.elapsed() >= patience {
            return found;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// How many times slower than a real one this machine is at most: `IPV6_SG_SLOWNESS`, for emulated ones.
pub fn slowness() -> u32 {
    static SLOWNESS: LazyLock<u32> = LazyLock::new(|| {
        let text = env::var("IPV6_SG_SLOWNESS").unwrap_or_else(|_| "1".to_owned());
        text.parse().unwrap_or_else(|_| panic!("IPV6_SG_SLOWNESS={text} is not a number"))
    });
    *SLOWNESS
}

/// Whether tc programs have links here. Where not, says so in the words that `cargo xtask vm` shows.
pub fn has_links() -> bool {
    let links = TcMethod::of_this_kernel() == TcMethod::Tcx;
    if !links {
        println!("not on this kernel: links of tc programs (TCX), which Linux has from 6.6 on");
    }
    links
}
