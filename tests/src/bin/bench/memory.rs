//! Bytes of the kernel's memory: what is there before the first VM, what a VM adds, and what peers and services add.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::{Context as _, Result};
use aya::maps::{ArrayOfMaps, Map, MapData};
use ipv6_sg_common::abi::{FLOWS_PER_PORT, FRAGMENTS_PER_PORT, MAX_PORTS, maps};
use ipv6_sg_tests::lab::port;
use ipv6_sg_tests::world::VM_MAC;

use crate::enforced::{self, Enforced};
use crate::part::Part;
use crate::sample::{both_ways, group, members, open_to};
use crate::table::Table;

/// So many, so that the rest of the machine hides little.
const PEERS: u32 = 200_000;
const RULES: u32 = 20_000;
const ADDRESSES: u32 = 20_000;
const VMS: u32 = 100;
/// No interface has an index like this, or one that comes after it.
const IFINDEX: u32 = u32::MAX / 2;

/// Measures.
///
/// # Errors
/// The kernel does not tell.
pub fn measure() -> Result<Part> {
    let mut table = Table::new(["what", "bytes by memlock", "bytes of MemAvailable"]);
    let mut row = |what: &str, said: u64, seen: Option<i64>| {
        table.row([what.to_owned(), said.to_string(), seen.map_or_else(|| "-".to_owned(), |seen| shown(said, seen))]);
    };
    let before = available()?;
    let mut enforced = Enforced::open()?;
    let fixed = maps::ALL.iter().map(|name| memlock(&pinned(&enforced, name)?)).sum::<Result<u64>>()?;
    row("a host, before the first VM", fixed, Some(before - available()?));

    // Some memories are at hand before the first VM; every VM that takes one has another made.
    let before = available()?;
    let image = enforced::image(&enforced::read(&port("vnet1", VM_MAC, ""))?)?;
    for number in 0..VMS {
        enforced.write(IFINDEX + number, &image)?;
    }
    let seen = (before - available()?) / i64::from(VMS);
    let mut sum = 0;
    for (outer, what) in [
        (maps::FLOWS, format!("of it {FLOWS_PER_PORT} flows")),
        (maps::FRAGMENTS, format!("of it {FRAGMENTS_PER_PORT} first fragments")),
        (maps::COUNTERS, "of it counters, of all processors".to_owned()),
    ] {
        let memories: ArrayOfMaps<_, MapData> = Map::ArrayOfMaps(pinned(&enforced, outer)?).try_into()?;
        let one = (0..MAX_PORTS).find_map(|index| memories.get(&index, 0).ok()).context("a VM has memory")?;
        sum += memlock(&one)?;
        row(&what, memlock(&one)?, None);
    }
    row("a VM", sum, Some(seen));
    drop(enforced);

    let web = "security_groups = [\"web\"]";
    let [ingress, egress] = both_ways(0, RULES);
    let addresses: Vec<_> = members(ADDRESSES).map(|address| format!("\"{address}\"")).collect();
    let addresses = format!("addresses = [{}]", addresses.join(", "));
    for (what, map, count, text) in [
        ("a peer", maps::PEERS, PEERS, port("vnet1", VM_MAC, web) + &open_to(members(PEERS))),
        ("a service", maps::SERVICES, RULES, port("vnet1", VM_MAC, web) + &group("web", &ingress, &egress)),
        ("an extra address or a prefix", maps::SOURCES, ADDRESSES, port("vnet1", VM_MAC, &addresses)),
    ] {
        let image = enforced::image(&enforced::read(&text)?)?;
        let mut enforced = Enforced::open()?;
        let (empty, before) = (memlock(&pinned(&enforced, map)?)?, available()?);
        enforced.write(IFINDEX, &image)?;
        let seen = (before - available()?) / i64::from(count);
        let said = (memlock(&pinned(&enforced, map)?)? - empty) / u64::from(count);
        row(what, said, (map == maps::PEERS).then_some(seen));
    }
    let note = "What the kernel says of its maps, and how much less memory was available afterwards; the second has in it \
                what other programs took and gave back meanwhile, beside which it can be too small to see, and inner nodes \
                of the tries, which the first does not count. Equal rulesets are there once, whatever the number of VMs that \
                have them."
        .to_owned();
    Ok(Part { name: "memory", title: "Memory", note, tables: vec![table], aims: Vec::new(), bars: None })
}

/// What was seen to be taken, which is what the kernel says at least: where it is less, it is the rest of the machine that
/// was seen.
fn shown(said: u64, seen: i64) -> String {
    match u64::try_from(seen) {
        Ok(seen) if seen >= said => seen.to_string(),
        _ => "too small to see".to_owned(),
    }
}

fn pinned(enforced: &Enforced, name: &str) -> Result<MapData> {
    Ok(MapData::from_pin(enforced.pins().map(name))?)
}

/// What the kernel says that a map takes.
fn memlock(map: &MapData) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    number(&path, "memlock:").and_then(|bytes| Ok(u64::try_from(bytes)?))
}

/// How much memory programs could still have.
fn available() -> Result<i64> {
    Ok(number("/proc/meminfo", "MemAvailable:")? * 1024)
}

fn number(path: &str, key: &str) -> Result<i64> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key} in {path}"))?;
    let digits = value.trim().trim_end_matches(" kB");
    digits.parse().with_context(|| format!("{path} has no number behind {key} {value}"))
}
