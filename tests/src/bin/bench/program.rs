//! How long a change takes until it holds: for one VM with a hundred rules, and for one member of a large group.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aya::maps::{Array, Map, MapData};
use ipv6_sg::kernel::Pins;
use ipv6_sg_common::abi::maps;
use ipv6_sg_tests::lab::{Hypervisor, Netns, eventually, port};
use ipv6_sg_tests::world::VM_MAC;

use crate::chart::{Bars, Scale};
use crate::enforced::{self, Enforced};
use crate::middle::middle;
use crate::part::{Aim, Part};
use crate::rivals::nft::{self, Tracking};
use crate::rivals::{run, stock};
use crate::sample::{Rule, UDP_PORT, Vm, members, open_to};
use crate::table::Table;

/// How many rules the VM gets, each way.
const RULES: u32 = 100;
/// How many members the group has.
const MEMBERS: u32 = 10_000;
/// How often each quick thing is done.
const ROUNDS: u32 = 21;
/// How often each slow one.
const SLOW: u32 = 3;
/// How many of the script's rules for members are timed, half-way through all of them.
const SAMPLE: usize = 20;
/// How many times faster than the script's rules a VM is to be programmed.
const FASTER: f64 = 100.0;
/// The most that one member may take.
const MEMBER: Duration = Duration::from_millis(1);

/// What is done, by whom, and how long it takes.
struct Line {
    what: &'static str,
    how: &'static str,
    took: Duration,
}

/// Measures.
///
/// # Errors
/// Somebody refuses something.
pub fn measure() -> Result<Part> {
    let vm = ["one VM with 100 rules each way", "one member of 10 000"];
    let (guard, member) = (guard()?, guard_member()?);
    let [rules_from_file, member_from_file] = from_file()?;
    let (tracking, _) = Tracking::of_this_kernel();
    let netns = Netns::new("rivals");
    let [script, restored] = netns.inside(script)?;
    let [script_member, set_member] = netns.inside(script_member)?;
    let [table, element] = netns.inside(|| nftables(tracking))?;
    let line = |what, how, took| Line { what, how, took };
    let lines = [
        line(vm[0], "ipv6-sg, maps", guard),
        line(vm[0], "ipv6-sg, from a state file", rules_from_file),
        line(vm[0], "CloudStack's way", script),
        line(vm[0], "the same, one ip6tables-restore", restored),
        line(vm[0], "nftables, one transaction", table),
        line(vm[1], "ipv6-sg, maps", member.written),
        line(vm[1], "ipv6-sg, compiling alone", member.compiled),
        line(vm[1], "ipv6-sg, from a state file", member_from_file),
        line(vm[1], "CloudStack's way", script_member),
        line(vm[1], "ipset, which CloudStack has not", set_member),
        line(vm[1], "nftables, one element", element),
    ];
    let aims = vec![
        Aim::new(
            format!("a VM is programmed {FASTER} times faster than CloudStack's script does it"),
            script.as_secs_f64() / guard.as_secs_f64() >= FASTER,
        ),
        Aim::new("one member of 10 000 is changed in less than 1 ms".to_owned(), member.written < MEMBER),
    ];
    Ok(part(&lines, guard, member.written, aims))
}

fn part(lines: &[Line], vm: Duration, member: Duration, aims: Vec<Aim>) -> Part {
    let mut table = Table::new(["change", "by", "milliseconds", "× ipv6-sg"]);
    let mut bars = Bars::new("How long a change takes, from 1 µs on", Scale::Logarithmic, [String::new()]);
    let first = lines.first().map_or("", |line| line.what);
    for Line { what, how, took } in lines {
        let base = if *what == first { vm } else { member };
        let milliseconds = format!("{:.3}", took.as_secs_f64() * 1e3);
        let ratio = format!("{:.1}", took.as_secs_f64() / base.as_secs_f64());
        table.row([(*what).to_owned(), (*how).to_owned(), milliseconds.clone(), ratio]);
        bars.group(
            format!("{how}: {}", if *what == first { "VM" } else { "member" }),
            [(took.as_secs_f64(), milliseconds + " ms")],
        );
    }
    let note = format!(
        "Milliseconds. CloudStack's way is its own commands, one process each; what its script does besides is not counted. \
         For a member it writes all {MEMBERS} rules again: {SAMPLE} of them are timed when half are there. \
         From a state file: from the moment it is in place; for 50 ms of it the daemon waits whether more files change."
    );
    Part { name: "program", title: "One change", note, tables: vec![table], aims, bars: Some(bars) }
}

/// A VM that was not there, straight into the maps.
fn guard() -> Result<Duration> {
    let mut enforced = Enforced::open()?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let image = enforced::image(&enforced::read(&Vm::idle(round + 1, RULES).state())?)?;
        // No interface has such an index.
        let ifindex = u32::MAX / 2 + round;
        times.push(enforced.write(ifindex, &image)?);
        enforced.forget(ifindex)?;
    }
    Ok(middle(times))
}

/// What a change of one member takes.
struct Member {
    compiled: Duration,
    written: Duration,
}

/// A port whose group is open to a group of so many members.
fn large(count: u32) -> String {
    port("vnet1", VM_MAC, "security_groups = [\"web\"]") + &open_to(members(count))
}

fn guard_member() -> Result<Member> {
    let mut enforced = Enforced::open()?;
    let (mut compiled, mut written) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        // The first puts them all there; from then on one comes or goes.
        let model = enforced::read(&large(MEMBERS + round % 2))?;
        let began = Instant::now();
        let image = enforced::image(&model)?;
        let took = [began.elapsed(), enforced.write(u32::MAX / 2, &image)?];
        if round > 0 {
            compiled.push(took[0]);
            written.push(took[1]);
        }
    }
    Ok(Member { compiled: middle(compiled), written: middle(written) })
}

/// The same two changes by way of a state file and the daemon: another hundred rules each way, and one member.
fn from_file() -> Result<[Duration; 2]> {
    let hypervisor = Hypervisor::new();
    hypervisor.netns.ip("link add vnet1 type veth peer name far1");
    let rules = |set| {
        let Vm { ingress, egress, .. } = Vm::idle(set + 1, RULES);
        Vm { ingress, egress, ..Vm::measured(0) }.state()
    };
    hypervisor.site.state("10-port.toml", &rules(0));
    let _daemon = hypervisor.daemon();
    let path = Pins::new(&hypervisor.site.pins).map(maps::POLICY);
    let policy: Array<_, u32> = Map::Array(MapData::from_pin(path)?).try_into()?;
    // Once when the change holds, once more for packets that were under way.
    let reach = |generation: u32| {
        eventually("another generation of rules", || {
            policy.get(&0, 0).is_ok_and(|now| now >= generation).then_some(())
        });
    };
    let mut generation = 2;
    let mut change = |text: String| {
        reach(generation);
        hypervisor.site.state("10-port.toml", &text);
        let began = Instant::now();
        reach(generation + 1);
        generation += 2;
        began.elapsed()
    };
    let vm = (1..=ROUNDS).map(|round| change(rules(round))).collect();
    change(large(MEMBERS));
    let member = (1..=ROUNDS).map(|round| change(large(MEMBERS + round % 2))).collect();
    Ok([middle(vm), middle(member)])
}

/// A VM by CloudStack's commands: one process each, and all of ip6tables' at once.
fn script() -> Result<[Duration; 2]> {
    stock::one_by_one("ip6tables", &stock::bridge("uplink"))?;
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..2 * SLOW {
        let commands = stock::vm(&Vm::idle(round + 1, RULES));
        let began = Instant::now();
        stock::one_by_one("ipset", &commands.sets)?;
        if round < SLOW {
            stock::one_by_one("ip6tables", &commands.filters)?;
        } else {
            stock::at_once(&commands.filters)?;
        }
        stock::one_by_one("ebtables", &commands.frames)?;
        times[usize::from(round >= SLOW)].push(began.elapsed());
    }
    Ok(times.map(middle))
}

/// A member by CloudStack's commands, which write all of them; and what it could be, in a set.
fn script_member() -> Result<[Duration; 2]> {
    let half = usize::try_from(MEMBERS)? / 2;
    let mut rules: Vec<_> = members(MEMBERS).map(|member| stock::member("members", member)).collect();
    let rest = rules.split_off(half);
    rules.insert(0, "-N members".to_owned());
    stock::at_once(&rules)?;
    let began = Instant::now();
    let sample = rest.get(..SAMPLE).context("that many")?;
    stock::one_by_one("ip6tables", sample)?;
    let all = began.elapsed() / u32::try_from(SAMPLE)? * MEMBERS;

    let mut lines = vec!["create members hash:net family inet6".to_owned()];
    lines.extend(members(MEMBERS).map(|member| format!("add members {member}")));
    run("ipset", ["restore"], &(lines.join("\n") + "\n"))?;
    let times = members(MEMBERS + ROUNDS).skip(usize::try_from(MEMBERS)? - 1).take(usize::try_from(ROUNDS)?);
    let times = times.map(|member| {
        let began = Instant::now();
        run("ipset", ["add", "-exist", "members", &member.to_string()], "")?;
        Ok(began.elapsed())
    });
    Ok([all, middle(times.collect::<Result<_>>()?)])
}

/// The same two by nftables.
fn nftables(tracking: Tracking) -> Result<[Duration; 2]> {
    let family = tracking.family();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let text = nft::text(tracking, &[Vm::idle(round + 1, RULES)]);
        let began = Instant::now();
        nft::apply(&text)?;
        times.push(began.elapsed());
        nft::apply(&format!("delete table {family} guard\ndelete table bridge macs\n"))?;
    }
    let open = |member: std::net::Ipv6Addr| Rule { protocol: "udp", port: UDP_PORT, peer: member.to_string() };
    let mut vm = Vm::measured(RULES);
    vm.ingress = members(MEMBERS).map(open).collect();
    nft::apply(&nft::text(tracking, &[vm]))?;
    let further = members(MEMBERS + ROUNDS).skip(usize::try_from(MEMBERS)? - 1).take(usize::try_from(ROUNDS)?);
    let element = further.map(|member| {
        let began = Instant::now();
        nft::apply(&nft::member(tracking, 1, member))?;
        Ok(began.elapsed())
    });
    Ok([middle(times), middle(element.collect::<Result<_>>()?)])
}
