//! The loaded object, its maps, and the ports it guards.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{Map, MapData, MapInfo};
use aya::{Ebpf, EbpfLoader};
use ipv6_sg_common::abi::{Clock, Port, PortFlags, RulesetId, SkbLayout, maps};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use super::attach::Attacher;
use super::error::{caused_by, not_permitted, one_line, pin_not_permitted};
use super::hook::{Attachment, Hook, TcMethod, XdpMode};
use super::inner::InnerMaker;
use super::nested::{KINDS, Kind, Nested};
use super::placement::Placement;
use super::pod::Raw;
use super::ports::{PortEntry, PortMaps};
use super::rule_maps::RuleMaps;
use super::rulesets::{Change, Numbers, Rulesets};
use super::store::MapStore;
use super::{KernelError, OBJECT, Pins, Result, RuleUse, bpffs, clock, program, skb_layout};
use crate::compile::PortRules;

/// What is enforced in this network namespace, open for changes.
pub struct Guard {
    ebpf: Ebpf,
    pins: Pins,
    maps: PortMaps,
    rules: Rulesets<RuleMaps>,
    attacher: Attacher,
    entries: BTreeMap<u32, PortEntry>,
    /// A port has other rules than before since flows were last put to them.
    moved: bool,
}

impl Guard {
    /// Loads the object; adopts the maps and links that are pinned, after looking that they are what they should be.
    /// Nothing that is attached is touched yet.
    ///
    /// # Errors
    /// Everything that keeps the kernel from running the object; what was enforced stays.
    pub fn open(pins: Pins, method: TcMethod) -> Result<Self> {
        // Before 5.11 maps count against this limit. Elsewhere it does not matter whether it can be raised.
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        let layout = Raw(skb_layout::of_running_kernel()?);
        let clock = Raw(clock::of_running_kernel()?);
        bpffs::ensure(pins.root())?;
        let template = aya_obj::Object::parse(OBJECT).map_err(|error| KernelError::Object(Box::new(error.into())))?;
        verify_pinned(&pins, &template)?;
        pins.create()?;
        let mut loader = EbpfLoader::new();
        loader.override_global(SkbLayout::NAME, &layout, true).override_global(Clock::NAME, &clock, true);
        for name in maps::ALL {
            loader.map_pin_path(name, pins.map(name));
        }
        let mut ebpf = loader.load(OBJECT).map_err(|error| {
            if not_permitted(&error) { KernelError::NotPermitted } else { KernelError::Object(Box::new(error)) }
        })?;
        #[cfg(feature = "diagnostics")]
        super::diagnostics::start(&mut ebpf);
        program::load(&mut ebpf)?;
        let mut maps = PortMaps::take(&mut ebpf)?;
        let rules = Rulesets::adopt(RuleMaps::take(&mut ebpf)?)?;
        let entries = maps.read()?;
        maps.sweep(&entries)?;
        let attacher = Attacher::new(pins.clone(), method)?;
        Ok(Self { ebpf, pins, maps, rules, attacher, entries, moved: false })
    }

    /// The ports in the maps, by interface index.
    pub fn entries(&self) -> &BTreeMap<u32, PortEntry> {
        &self.entries
    }

    /// Reads the maps again and believes nothing of what is attached: somebody else may have changed it.
    pub fn look_again(&mut self) -> Result<()> {
        self.attacher.doubt();
        self.entries = self.maps.read()?;
        self.rules.read()
    }

    /// Asks links whether they still run: interfaces have come or gone, and one can come back under its index.
    pub fn doubt_links(&mut self) {
        self.attacher.doubt_links();
    }

    /// Believes nothing of what is attached to this interface: it was seen to be gone.
    pub fn doubt(&mut self, ifindex: u32) {
        self.attacher.doubt_one(ifindex);
    }

    /// Interfaces that something of ours is left on or about: ports in the maps, and pinned links of any version.
    pub fn known(&self) -> BTreeSet<u32> {
        self.entries.keys().copied().chain(self.attacher.interfaces()).collect()
    }

    /// Makes sure that the program of a tc hook runs on an interface whose port is [written](Self::write).
    ///
    /// A new link takes the kernel one RCU grace period, some ten milliseconds, under the lock of all interfaces.
    pub fn attach(&mut self, to: &Attachment, hook: Hook) -> Result<()> {
        self.attacher.attach_tc(&mut self.ebpf, to, hook)
    }

    /// Whether the program of a tc hook is known to run on an interface.
    pub fn is_attached(&self, to: &Attachment, hook: Hook) -> bool {
        self.attacher.is_confirmed(to, hook)
    }

    /// Makes sure that the XDP shield stands as `mode` says. Never needed: tc guards alone.
    pub fn shield(&mut self, to: &Attachment, mode: XdpMode) -> Result<()> {
        self.attacher.attach_xdp(&mut self.ebpf, to, mode)
    }

    /// Ports that are new from now on can have so many flows at once.
    pub fn track(&mut self, flows: u32) {
        self.maps.placement.track(flows);
    }

    /// Makes the kernel hold the rules of these ports, by interface index, and gives them their numbers. Ports whose rules
    /// find no room keep those they have, or let nothing pass; the error says so.
    pub fn load_rules(&mut self, ports: &mut [(u32, &mut PortEntry, Option<&PortRules>)]) -> Result<()> {
        let wanted: BTreeSet<u32> = ports.iter().map(|(ifindex, ..)| *ifindex).collect();
        // Without rules the numbers are none that could go on to apply.
        let now = |entry: &PortEntry| {
            let Port { ingress, egress, flags, .. } = entry.port;
            flags.has(PortFlags::HAS_RULES).then_some(Numbers { ingress, egress })
        };
        let listed = ports
            .iter()
            .map(|(ifindex, _, rules)| Change { now: self.entries.get(ifindex).and_then(now), wanted: *rules });
        // Those that are about to go have their rules until then.
        let others = self.entries.iter().filter(|(ifindex, _)| !wanted.contains(ifindex));
        let others = others.map(|(_, entry)| Change { now: now(entry), wanted: None });
        let changes: Vec<_> = listed.chain(others).collect();
        let (numbers, outcome) = self.rules.follow(&changes);
        for ((_, entry, _), numbers) in ports.iter_mut().zip(numbers) {
            (entry.port.ingress, entry.port.egress) = (numbers.ingress, numbers.egress);
        }
        outcome
    }

    /// How much of the maps of rules is in use: known, not read, so it may be asked at any time. What somebody else changed
    /// counts when it is [looked at](Self::look_again).
    pub fn rule_use(&self) -> RuleUse {
        self.rules.in_use()
    }

    /// Puts every flow to the rules again if they are not what they were, once all ports are [written](Self::write).
    pub fn apply_rules(&mut self) -> Result<()> {
        let used = self.entries.values().flat_map(|entry| [entry.port.ingress, entry.port.egress]).collect();
        self.rules.applied(&used, std::mem::take(&mut self.moved))
    }

    /// Writes what differs from what the maps hold for this interface.
    pub fn write(&mut self, ifindex: u32, entry: &PortEntry) -> Result<()> {
        let before = self.entries.get(&ifindex);
        if before != Some(entry) {
            self.moved |= before.is_some_and(|before| ruled(before) != ruled(entry));
            self.maps.write(ifindex, before, entry)?;
            self.entries.insert(ifindex, entry.clone());
        }
        Ok(())
    }

    /// Does one of the things that take the kernel its time and that nobody waits for: cleans what ports left, keeps
    /// empty memories at hand. `false` when nothing is left to do.
    pub fn tidy(&mut self) -> Result<bool> {
        let Self { maps, rules, .. } = self;
        // Rules first: where there is no room for memories, what was taken back is to end all the same.
        Ok(rules.tidy(|| maps.placement.wait())? || maps.placement.tidy()?)
    }

    /// Takes everything off an interface: programs first, then what they look up. `name` is `None` when the interface is
    /// gone.
    pub fn release(&mut self, ifindex: u32, name: Option<&str>) -> Result<()> {
        self.attacher.detach(ifindex, name)?;
        if let Some(entry) = self.entries.get(&ifindex) {
            self.maps.remove(ifindex, entry)?;
            self.entries.remove(&ifindex);
        }
        Ok(())
    }

    /// Removes what other versions of this program left, once none of their links is in use any more.
    pub fn remove_other_versions(&self) -> Result<()> {
        self.pins.remove_other_versions()
    }

    /// Removes the maps themselves. Only when nothing is guarded any more.
    pub fn remove_pins(self) -> Result<()> {
        self.pins.remove()
    }
}

/// What a port's flows were allowed by.
const fn ruled(entry: &PortEntry) -> (RulesetId, RulesetId, PortFlags) {
    (entry.port.ingress, entry.port.egress, entry.port.flags)
}

impl RuleMaps {
    fn take(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            peers: take(ebpf, maps::PEERS)?,
            services: take(ebpf, maps::SERVICES)?,
            policy: take(ebpf, maps::POLICY)?,
        })
    }
}

impl PortMaps {
    fn take(ebpf: &mut Ebpf) -> Result<Self> {
        let btf = program::info(ebpf, Hook::FromVm)?.btf_id();
        let mut nested = |kind: Kind| Nested::new(kind, taken(ebpf, kind.outer)?, InnerMaker::new(kind.outer, btf)?);
        let [counters, fragments, tracked] = KINDS;
        let kinds = [nested(counters)?, nested(fragments)?, nested(tracked)?];
        let store = MapStore {
            taps: take(ebpf, maps::TAPS)?,
            slots: take(ebpf, maps::PORTS)?,
            budgets: take(ebpf, maps::BUDGETS)?,
            kinds,
        };
        Ok(Self {
            placement: Placement::adopt(store)?,
            sources: take(ebpf, maps::SOURCES)?,
            routers: take(ebpf, maps::ROUTERS)?,
        })
    }
}

fn take<M: TryFrom<Map, Error = aya::maps::MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M> {
    taken(ebpf, name)?.try_into().map_err(KernelError::map("open", name))
}

fn taken(ebpf: &mut Ebpf, name: &'static str) -> Result<Map> {
    ebpf.take_map(name).ok_or_else(|| KernelError::Map {
        action: "open",
        map: name,
        reason: "the object has no such map".to_owned(),
    })
}

/// aya opens a pinned map without comparing it with the object's; a program would then run on a map of other sizes.
fn verify_pinned(pins: &Pins, template: &aya_obj::Object) -> Result<()> {
    for name in maps::ALL {
        let path = pins.map(name);
        let data = match MapData::from_pin(&path) {
            Ok(data) => data,
            Err(error) if caused_by(&error, libc::ENOENT) => continue,
            Err(error) if pin_not_permitted(&error) => return Err(KernelError::NotPermitted),
            Err(error) => return Err(KernelError::map("open", name)(error)),
        };
        let info = data.info().map_err(KernelError::map("open", name))?;
        let Some(wanted) = template.maps.get(name) else { continue };
        let (found, wanted) = (shape_of(&info), shape_wanted(wanted));
        if found != wanted {
            return Err(KernelError::ForeignMap { path, found, wanted, directory: pins.directory() });
        }
    }
    Ok(())
}

fn shape_of(info: &MapInfo) -> String {
    let kind = info.map_type().map_or_else(|error| one_line(&error), |kind| format!("{}", kind as u32));
    shape(&kind, info.key_size(), info.value_size(), info.max_entries(), info.map_flags())
}

fn shape_wanted(map: &aya_obj::Map) -> String {
    shape(&map.map_type().to_string(), map.key_size(), map.value_size(), map.max_entries(), map.map_flags())
}

fn shape(kind: &str, key: u32, value: u32, entries: u32, flags: u32) -> String {
    format!("type {kind}, key {key} bytes, value {value} bytes, {entries} entries, flags {flags:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map beside these would be pinned nowhere, and each start of the daemon would take the programs of the one before for
    /// other ones. Constants are in such a map, which does not count as long as it holds what is this kernel's alone.
    #[test]
    fn every_map_of_the_object_is_pinned() {
        let mut object = aya_obj::Object::parse(OBJECT).expect("the object that was built");
        let constants = object.maps.remove(".rodata").expect("the layout of a packet buffer, the clock");
        let (size, wanted) = (constants.value_size() as usize, size_of::<SkbLayout>() + size_of::<Clock>());
        assert!((wanted..wanted + align_of::<Clock>()).contains(&size), "{size} bytes of constants, not {wanted}");
        let found: BTreeSet<_> = object.maps.keys().map(String::as_str).collect();
        assert_eq!(found, BTreeSet::from(maps::ALL));
    }
}
