//! What the kernel remembers of a port, as bpftool shows it: by way of the pins, as any other program would look.

use std::collections::BTreeSet;
use std::process::Command;

use ipv6_sg::kernel::kept_aside;
use ipv6_sg_common::abi::{ABI_VERSION, maps};
use serde_json::{Value, json};

use super::{Hypervisor, run};

/// One of a port's memories.
#[derive(Debug, PartialEq, Eq)]
pub struct Memory {
    /// How many entries the kernel has room for: what is kept aside among them.
    pub room: u64,
    /// How many bytes the kernel says it takes.
    pub bytes: u64,
    /// The keys of what is in it.
    pub keys: BTreeSet<Vec<u8>>,
}

impl Memory {
    /// How many keys there can be.
    pub fn most(&self) -> usize {
        usize::try_from(self.room).expect("a count")
    }
}

impl Hypervisor {
    /// What bpftool does with a pinned map.
    #[track_caller]
    pub fn bpftool(&self, what: &str, map: &str, more: &str) -> Value {
        let path = self.site.pins.join(format!("v{ABI_VERSION}/maps/{map}"));
        let mut bpftool = Command::new("bpftool");
        answer(bpftool.args(["-j", "map", what, "pinned"]).arg(path).args(more.split_whitespace()))
    }

    /// Where the memories of a port are: by its slot, for a dump of all slots takes its time.
    #[track_caller]
    pub fn place(&self, port: &str) -> u64 {
        let ifindex = self.netns.ifindex(port).expect("an interface");
        let tap = self.bpftool("lookup", maps::TAPS, &key(ifindex));
        let slot = number(&tap["value"]);
        let found = self.bpftool("lookup", maps::PORTS, &key(slot));
        let port = &found["formatted"]["value"];
        assert_eq!(port["ifindex"], json!(ifindex), "{port}");
        port["memory"].as_u64().expect("a number")
    }

    /// What a map of memories has for a port.
    #[track_caller]
    pub fn memory(&self, outer: &str, port: &str) -> Memory {
        let place = u32::try_from(self.place(port)).expect("small");
        let inner = number(&self.bpftool("lookup", outer, &key(place))["value"]).to_string();
        let shown = |what| answer(Command::new("bpftool").args(["-j", "map", what, "id", &inner]));
        let [room, bytes] = ["max_entries", "bytes_memlock"].map(|key| shown("show")[key].as_u64().expect("a number"));
        let dump = shown("dump");
        let keys = dump.as_array().expect("a list").iter().map(|entry| self::bytes(&entry["key"])).collect();
        Memory { room, bytes, keys }
    }
}

#[track_caller]
fn answer(bpftool: &mut Command) -> Value {
    serde_json::from_str(&run(bpftool)).unwrap_or(Value::Null)
}

/// How much room the kernel is to have where so many entries are to be remembered.
pub fn room(entries: u32) -> u64 {
    u64::from(entries) + u64::from(kept_aside().expect("the kernel says how many CPUs there can be"))
}

/// A key as bpftool wants it.
pub fn key(number: u32) -> String {
    hex("key", &number.to_ne_bytes())
}

/// Bytes as bpftool wants them: of a `key` or a `value`.
pub fn hex(what: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(what.to_owned(), |text, octet| format!("{text} {octet}"))
}

/// Bytes as bpftool shows them.
pub fn bytes(shown: &Value) -> Vec<u8> {
    let octet = |octet: &Value| {
        let text = octet.as_str().and_then(|text| text.strip_prefix("0x"));
        u8::from_str_radix(text.unwrap_or_else(|| panic!("no byte: {octet}")), 16).expect("two digits")
    };
    shown.as_array().unwrap_or_else(|| panic!("no bytes: {shown}")).iter().map(octet).collect()
}

fn number(shown: &Value) -> u32 {
    u32::from_ne_bytes(bytes(shown).try_into().expect("four bytes"))
}
