//! The VM's port as an operator writes it, read and compiled as the daemon does it.

use std::path::Path;

use ipv6_sg::compile::{PortImage, compile};
use ipv6_sg::state::{Model, Settings, file};

use crate::world::{Setup, VM_MAC};

/// The interface that the VM's port has in the text.
const INTERFACE: &str = "tap";

/// The VM's port on a network with one /64: `port` are further keys of it, `rest` what else the state has.
///
/// # Panics
/// The state is none.
#[track_caller]
pub fn setup(name: &'static str, port: &str, rest: &str) -> Setup {
    let text = format!(
        "network.net.prefixes = [\"2001:db8:100::/64\"]\n\
         [[port]]\nvm = \"vm\"\ninterface = \"{INTERFACE}\"\nmac = \"{VM_MAC}\"\nnetwork = \"net\"\n{port}\n{rest}"
    );
    let read = file::parse(Path::new(name), &text).and_then(|declarations| Model::assemble([declarations]));
    let model = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut image = compile(&model, &Settings::default()).expect("a small state");
    let PortImage { port, sources, routers, rules, .. } = image.ports.remove(INTERFACE).expect("written above");
    Setup { name, port, sources: sources.into_iter().collect(), routers: routers.into_iter().collect(), rules }
}
