//! The kernel program itself: its verdict, its counters, its events. Every [`Object`] has maps of its own.
//!
//! Either run by `BPF_PROG_TEST_RUN`, as if the frame had come over the loopback interface, so that is where the port is
//! put; or attached to an interface that frames really cross.

mod expect;
mod rules;
mod run;

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, ArrayOfMaps, HashMap, Map, MapData, PerCpuArray, PerCpuValues, RingBuf};
use aya::programs::{Program, SchedClassifier, TcAttachType, Xdp, XdpMode, tc};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader, Pod, VerifierLogLevel};
use ipv6_sg::kernel::{InnerMaker, OBJECT, clock, skb_layout};
use ipv6_sg_common::abi::{
    Clock, Counters, DropEvent, EventBudget, FirstFragment, Flow, FlowKey, FragmentKey, Port, RouterKey, SkbLayout,
    SourceKey, maps, programs,
};

use crate::lab::Netns;
use crate::world::Setup;
pub use expect::{counted, difference};
use rules::Rules;
pub use run::{TooShort, runnable, shielded};

/// The loopback interface, in every network namespace.
pub const LOOPBACK: u32 = 1;

/// A type of the map ABI, as aya wants to see it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Raw<T>(T);

// SAFETY: `repr(transparent)`, and `bytemuck::Pod` is a superset of what aya asks.
unsafe impl<T: bytemuck::Pod> Pod for Raw<T> {}

/// Where the port's memory is. Not 0, which an index that is never set would be.
const MEMORY: u32 = 3;

/// The data of a key in the source map: what follows the prefix length in [`SourceKey`].
type SourceData = [u8; 20];
type Fragments = HashMap<MapData, Raw<FragmentKey>, Raw<FirstFragment>>;
type Flows = HashMap<MapData, Raw<FlowKey>, Raw<Flow>>;

/// The object, loaded, with one port.
pub struct Object {
    ifindex: u32,
    ebpf: Ebpf,
    /// The slot that the interface points to.
    slot: u32,
    fragments: Fragments,
    flows: Flows,
    counters: PerCpuArray<MapData, Raw<Counters>>,
    events: RingBuf<MapData>,
    sources: Vec<Key<SourceData>>,
    routers: Vec<RouterKey>,
    rules: Rules,
}

impl Object {
    /// Loads the object and gives it this port, for test runs.
    pub fn load(setup: &Setup) -> Self {
        Self::of(LOOPBACK, setup)
    }

    /// Loads the object, gives it this port, and attaches the tc programs to the interface.
    pub fn attached(netns: &Netns, interface: &str, setup: &Setup) -> Self {
        let ifindex = netns.ifindex(interface).expect("the interface is there");
        let mut object = Self::of(ifindex, setup);
        netns.inside(|| {
            for (name, way) in [(programs::FROM_VM, TcAttachType::Ingress), (programs::TO_VM, TcAttachType::Egress)] {
                // Only kernels without TCX want the qdisc; where it is there already, that is as well.
                let _ = tc::qdisc_add_clsact(interface);
                let program: &mut SchedClassifier = object.ebpf.program_mut(name).expect(name).try_into().expect(name);
                program.attach(interface, way).unwrap_or_else(|error| panic!("{name} does not attach: {error}"));
            }
        });
        object
    }

    /// Attaches the shield too, in generic mode, which every interface has.
    pub fn shield(&mut self, netns: &Netns, interface: &str) {
        netns.inside(|| {
            let shield: &mut Xdp =
                self.ebpf.program_mut(programs::SHIELD).expect(programs::SHIELD).try_into().expect(programs::SHIELD);
            shield.attach(interface, XdpMode::Skb).expect("the shield attaches");
        });
    }

    /// The object with its maps, and programs that are still to be loaded; what the verifier will say of them.
    pub fn unloaded(words: VerifierLogLevel) -> Ebpf {
        let layout = Raw(skb_layout().expect("the kernel has type information"));
        let clock = Raw(long_running(clock().expect("the kernel has a tick")));
        let mut loader = EbpfLoader::new();
        loader.verifier_log_level(words);
        loader.override_global(SkbLayout::NAME, &layout, true).override_global(Clock::NAME, &clock, true);
        loader.load(OBJECT).expect("the object is sound")
    }

    fn of(ifindex: u32, setup: &Setup) -> Self {
        let mut ebpf = Self::unloaded(VerifierLogLevel::default());
        for name in [programs::FROM_VM, programs::TO_VM] {
            let program: &mut SchedClassifier = ebpf.program_mut(name).expect(name).try_into().expect(name);
            program.load().unwrap_or_else(|error| panic!("{name} does not load: {error}"));
        }
        let shield: &mut Xdp =
            ebpf.program_mut(programs::SHIELD).expect(programs::SHIELD).try_into().expect(programs::SHIELD);
        shield.load().expect("the shield loads");

        let btf = ebpf.program(programs::FROM_VM).expect("loaded above").info().expect("the kernel knows it").btf_id();
        let fragments = inner(&mut ebpf, maps::FRAGMENTS, btf);
        let flows = inner(&mut ebpf, maps::FLOWS, btf);
        let counters = inner(&mut ebpf, maps::COUNTERS, btf);
        let events = ebpf.take_map(maps::EVENTS).expect(maps::EVENTS).try_into().expect(maps::EVENTS);
        let mut object = Self {
            ifindex,
            ebpf,
            slot: 2 * MEMORY,
            fragments: Map::LruHashMap(fragments).try_into().expect("of the ABI's types"),
            flows: Map::LruHashMap(flows).try_into().expect("of the ABI's types"),
            counters: Map::PerCpuArray(counters).try_into().expect("of the ABI's types"),
            events,
            sources: Vec::new(),
            routers: Vec::new(),
            rules: Rules::default(),
        };
        object.set(setup);
        object
    }

    /// Replaces the port; nothing is counted or remembered of the one before.
    pub fn set(&mut self, setup: &Setup) {
        self.change(setup);
        self.reset();
    }

    /// Changes the port; everything that was counted and remembered stays.
    pub fn change(&mut self, setup: &Setup) {
        let mut sources: LpmTrie<_, SourceData, u32> =
            self.ebpf.map_mut(maps::SOURCES).expect(maps::SOURCES).try_into().expect(maps::SOURCES);
        for key in self.sources.drain(..) {
            sources.remove(&key).expect("it was inserted");
        }
        for (address, length) in &setup.sources {
            let key = SourceKey::prefix(self.ifindex, *address, *length);
            let mut data = SourceData::default();
            data.copy_from_slice(&bytemuck::bytes_of(&key)[4..]);
            let key = Key::new(key.prefix_length, data);
            sources.insert(&key, 1, 0).expect("room for a source");
            self.sources.push(key);
        }
        let mut routers: HashMap<_, Raw<RouterKey>, u32> =
            self.ebpf.map_mut(maps::ROUTERS).expect(maps::ROUTERS).try_into().expect(maps::ROUTERS);
        for key in self.routers.drain(..) {
            routers.remove(&Raw(key)).expect("it was inserted");
        }
        for address in &setup.routers {
            let key = RouterKey::new(self.ifindex, *address);
            routers.insert(Raw(key), 1, 0).expect("room for a router");
            self.routers.push(key);
        }
        let port = self.rules.set(&mut self.ebpf, setup.port, setup.rules.as_ref());
        // Into the slot beside the one that is pointed to: frames may be on their way.
        self.slot ^= 1;
        let mut ports: Array<_, Raw<Port>> =
            self.ebpf.map_mut(maps::PORTS).expect(maps::PORTS).try_into().expect(maps::PORTS);
        ports.set(self.slot, Raw(port.placed(self.ifindex, MEMORY)), 0).expect("a slot");
        let mut taps: HashMap<_, u32, u32> =
            self.ebpf.map_mut(maps::TAPS).expect(maps::TAPS).try_into().expect(maps::TAPS);
        taps.insert(self.ifindex, self.slot, 0).expect("room for a tap");
    }

    /// Forgets counts, events and first fragments.
    pub fn reset(&mut self) {
        self.forget_counts();
        let keys: Vec<_> = self.fragments.keys().map(|key| key.expect("a key")).collect();
        for key in keys {
            self.fragments.remove(&key).expect("nobody else removes it");
        }
        let keys: Vec<_> = self.flows.keys().map(|key| key.expect("a key")).collect();
        for key in keys {
            self.flows.remove(&key).expect("nobody else removes it");
        }
    }

    /// The flows that the port remembers.
    pub fn flows(&self) -> Vec<(FlowKey, Flow)> {
        self.flows.iter().map(|flow| flow.expect("a flow")).map(|(Raw(key), Raw(flow))| (key, flow)).collect()
    }

    /// The generation of the rules.
    pub const fn generation(&self) -> u32 {
        self.rules.generation()
    }

    /// Lets everything that is remembered have been seen this much earlier than it was.
    pub fn age(&mut self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("centuries at most");
        for (key, flow) in self.flows() {
            let seen_ns = flow.seen_ns.checked_sub(by).expect("the kernel has run for months");
            self.flows.insert(Raw(key), Raw(Flow { seen_ns, ..flow }), 0).expect("it is there");
        }
        let fragments: Vec<_> = self.fragments.iter().map(|first| first.expect("a first fragment")).collect();
        for (key, Raw(first)) in fragments {
            let seen_ns = first.seen_ns.checked_sub(by).expect("the kernel has run for months");
            self.fragments.insert(key, Raw(FirstFragment { seen_ns, ..first }), 0).expect("it is there");
        }
    }

    /// Forgets counts and events; the budget of events is full again.
    pub fn forget_counts(&mut self) {
        let cpus = nr_cpus().expect("the kernel says how many CPUs there are");
        let zero = PerCpuValues::try_from(vec![Raw(Counters::default()); cpus]).expect("one for each CPU");
        self.counters.set(0, zero, 0).expect("the one element");
        let mut budgets: Array<_, Raw<EventBudget>> =
            self.ebpf.map_mut(maps::BUDGETS).expect(maps::BUDGETS).try_into().expect(maps::BUDGETS);
        budgets.set(MEMORY, Raw(EventBudget::default()), 0).expect("the port's element");
        while self.events.next().is_some() {}
    }

    /// What was counted since [`Self::reset`], of all CPUs.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for cpu in self.counters.get(&0, 0).expect("counters of the port").iter() {
            sum.add(&cpu.0);
        }
        sum
    }

    /// The next drop event.
    pub fn event(&mut self) -> Option<DropEvent> {
        self.events.next().map(|record| *bytemuck::from_bytes(&record))
    }

    /// A program of [`programs`] itself, for those who run it in a way of their own.
    pub fn program(&self, name: &str) -> BorrowedFd<'_> {
        let program = self.ebpf.program(name).unwrap_or_else(|| panic!("no program {name}"));
        match program {
            Program::SchedClassifier(tc) => tc.fd().expect("loaded").as_fd(),
            Program::Xdp(xdp) => xdp.fd().expect("loaded").as_fd(),
            _ => panic!("{name} is neither tc nor XDP"),
        }
    }
}

/// The clock of a kernel that started 90 days earlier: a flow cannot have been seen before the clock began.
const fn long_running(Clock { tick_ns, first_tick }: Clock) -> Clock {
    const EARLIER_NS: u64 = 90 * 24 * 3600 * 1_000_000_000;
    Clock { tick_ns, first_tick: first_tick.wrapping_sub(EARLIER_NS / tick_ns) }
}

/// Puts an inner map at [`MEMORY`] of a map of maps.
fn inner(ebpf: &mut Ebpf, outer: &'static str, btf: Option<u32>) -> MapData {
    let inner = InnerMaker::new(outer, btf).and_then(|maker| maker.make("test")).expect("an inner map");
    let mut outer: ArrayOfMaps<_> = ebpf.map_mut(outer).expect(outer).try_into().expect(outer);
    outer.set(MEMORY, &inner, 0).expect("an inner map that the outer one accepts");
    inner
}
