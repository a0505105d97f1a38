//! Security groups: VM 1 in `web`, VM 2 in `db`. What their rules let through, what they do not, and a rule that goes
//! while a connection needs it.

use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::{self, Allowed, EgressDenied, Established, IngressDenied};
use ipv6_sg_tests::forged::Forged;
use ipv6_sg_tests::frame::flags::{ACK, SYN};
use ipv6_sg_tests::frame::{Ethernet, Ipv6, Upper, tcp, udp};
use ipv6_sg_tests::lab::{Conversation, Netns, eventually};
use ipv6_sg_tests::world::{NEIGHBOUR, NEIGHBOUR_MAC, ROUTER, STRANGER, VM};

use crate::attack::Attack;
use crate::report::Report;
use crate::stage::{OTHER_TAP, Stage, TAP};

/// Where the database in VM 2 listens.
const DATABASE: u16 = 5432;
/// The rule that lets `web` ask it.
const ASKED: &str = r#"{ protocol = "tcp", ports = "5432", peers = ["group:web"] }"#;
/// A rule that has nothing to do with that.
const OTHER: &str = r#"{ protocol = "tcp", ports = "22", peers = ["2a00:f10:121:b00::/64"] }"#;
/// How long an answer takes at most.
const ANSWER: Duration = Duration::from_secs(5);
/// How many numbers there and back show that a connection works.
const SOME: u64 = 50;
/// How many drops, one after the other, show that it is cut.
const DROPS: u64 = 5;

/// The groups in the words of a state file, with these rules for what comes into `db`.
fn groups(db: &[&str]) -> String {
    let web = r#"{ protocol = "tcp", ports = "80", peers = ["::/0"] }"#;
    let to_db = r#"{ protocol = "tcp", ports = "5432", peers = ["group:db"] }"#;
    let names = r#"{ protocol = "udp", ports = "53", peers = ["2a00:f10:121:b00::/64"] }"#;
    let db = db.join(", ");
    format!(
        "[security_group.web]\ningress = [{web}]\negress = [{to_db}, {names}]\n[security_group.db]\ningress = [{db}]\n"
    )
}

/// Puts the VMs into their groups, and tries everything.
pub fn run(stage: &Stage, report: &mut Report) {
    let denied = denied(stage);
    let without: Vec<_> = denied.iter().map(|(attack, packets)| attack.before(packets)).collect();
    stage.join(&groups(&[ASKED]));
    report.command(&stage.hypervisor, "rules");
    allowed(stage, report);
    let rows = denied.iter().zip(&without);
    let rows: Vec<_> =
        rows.flat_map(|((attack, packets), without)| attack.after(packets, without, &stage.hypervisor)).collect();
    report.denied(&rows);
    revocation(stage, report);
}

/// What rules allow, and what comes back.
fn allowed(stage: &Stage, report: &mut Report) {
    let (vm1, vm2, router) = (&stage.vm1.netns, &stage.vm2.netns, &stage.router.netns);
    let talk = |server, to, client| {
        let talk = Conversation::start(server, to, client);
        talk.flow(SOME);
        format!("{} numbers there and back", talk.stop())
    };
    report.honest("TCP from VM 1 to port 5432 of VM 2, by both groups' names", || {
        one_flow(stage, TAP, || talk(vm2, (NEIGHBOUR, DATABASE), vm1))
    });
    report.honest("TCP from the router to port 80 of VM 1", || one_flow(stage, TAP, || talk(vm1, (VM, 80), router)));
    report.honest("UDP from VM 1 to port 53 beyond the router", || one_flow(stage, TAP, || ask(vm1, router)));
    report.honest("TCP from VM 2, whose group has no egress rule, beyond the router", || {
        one_flow(stage, OTHER_TAP, || talk(router, (STRANGER, 443), vm2))
    });
}

/// A question by UDP, and its answer.
fn ask(client: &Netns, server: &Netns) -> String {
    let socket = |netns: &Netns, address: Ipv6Addr, port: u16| {
        let socket = netns.inside(|| UdpSocket::bind((address, port)).expect("a free port"));
        socket.set_read_timeout(Some(ANSWER)).expect("a socket");
        socket
    };
    let (server, client) = (socket(server, STRANGER, 53), socket(client, VM, 0));
    client.send_to(b"who?", (STRANGER, 53)).expect("sent");
    let (_, from) = server.recv_from(&mut [0; 8]).expect("a question");
    server.send_to(b"me!", from).expect("sent");
    client.recv(&mut [0; 8]).expect("an answer");
    "there and back".to_owned()
}

/// Runs an exchange and says how a tap judged its packets: one opened a flow, the others belonged to it.
fn one_flow(stage: &Stage, tap: &str, exchange: impl FnOnce() -> String) -> Result<String> {
    let counts = || (both_ways(stage, tap, Allowed), both_ways(stage, tap, Established));
    let before = counts();
    let done = exchange();
    let after = counts();
    let (opened, went) = (after.0 - before.0, after.1 - before.1);
    ensure!(opened == 1, "{done}, but {opened} packets were allowed, {went} established");
    Ok(format!("{done}, 1 packet allowed, {went} established"))
}

fn both_ways(stage: &Stage, tap: &str, reason: Reason) -> u64 {
    let counters = stage.hypervisor.counters(tap);
    Direction::ALL.into_iter().map(|direction| counters.direction(direction).of(reason).packets).sum()
}

/// What no rule allows, by who sends it.
fn denied(stage: &Stage) -> [(Attack, Vec<Forged>); 3] {
    let packet = |what, reason, frame: Ethernet| Forged { what, reason, frames: vec![frame.build()] };
    let sent = |what, to, upper: Upper| packet(what, EgressDenied, Ipv6::new(VM, to, upper).ethernet(FromVm));
    let next_door = |what, upper: Upper| {
        packet(what, EgressDenied, Ipv6::new(VM, NEIGHBOUR, upper).ethernet(FromVm).to(NEIGHBOUR_MAC))
    };
    let got = |what, upper: Upper| packet(what, IngressDenied, Ipv6::new(STRANGER, VM, upper).ethernet(ToVm));
    let to_db = Ipv6::new(ROUTER, NEIGHBOUR, tcp(40_000, DATABASE, SYN)).ethernet(ToVm).to(NEIGHBOUR_MAC);
    [
        (
            Attack::new(stage, FromVm),
            vec![
                next_door("VM 1 to VM 2, TCP port 22", tcp(40_000, 22, SYN)),
                sent("VM 1 to the router, TCP port 5432: not in group db", ROUTER, tcp(40_000, DATABASE, SYN)),
                sent("VM 1 answers, and nobody has asked", STRANGER, tcp(22, 40_000, SYN | ACK)),
            ],
        ),
        (
            Attack::new(stage, ToVm),
            vec![
                got("the world to VM 1, TCP port 22", tcp(40_000, 22, SYN)),
                got("the world to VM 1, UDP port 80: open for TCP", udp(40_000, 80, b"eighty")),
                got("the world answers, and VM 1 has not asked", udp(53, 40_001, b"answer")),
            ],
        ),
        (
            Attack::on(OTHER_TAP, ToVm, &stage.router, &[&stage.vm2]),
            vec![packet("the router to VM 2, TCP port 5432: not in group web", IngressDenied, to_db)],
        ),
    ]
}

/// A connection while rules change, its own among them.
fn revocation(stage: &Stage, report: &mut Report) {
    let count = |reason| both_ways(stage, OTHER_TAP, reason);
    let denied = || count(IngressDenied) + count(EgressDenied);
    let mut talk = None;
    report.honest("TCP from VM 1 to VM 2 while group db gets another rule", || {
        let live = talk.insert(Conversation::start(&stage.vm2.netns, (NEIGHBOUR, DATABASE), &stage.vm1.netns));
        live.flow(SOME);
        let before = denied();
        stage.join(&groups(&[OTHER, ASKED]));
        live.flow(SOME);
        let lost = denied() - before;
        ensure!(lost == 0, "{lost} packets dropped");
        Ok("goes on, no packet dropped".to_owned())
    });
    report.honest("… and loses the one that allows it", || {
        let before = denied();
        stage.join(&groups(&[OTHER]));
        eventually("a drop", || (denied() > before).then_some(()));
        // What was on its way before that is counted by now.
        let passed = count(Established);
        let cut = denied();
        let after = eventually("drops", || Some(denied()).filter(|denied| *denied >= cut + DROPS));
        let more = count(Established) - passed;
        ensure!(more == 0, "{more} packets got through after the first that did not");
        Ok(format!("cut at once, {} packets dropped and none let through", after - before))
    });
    report.honest("… and gets it back", || {
        let live = talk.take().context("there is no connection")?;
        stage.join(&groups(&[ASKED]));
        live.flow(SOME);
        Ok(format!("goes on, {} numbers there and back, none missing", live.stop()))
    });
}
