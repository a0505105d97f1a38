//! A thousand calls of CloudStack's agent, while the daemon and the calls themselves are killed at any moment.

use std::thread;
use std::time::Duration;

use ipv6_sg_tests::lab::{CloudHost, Dice, Ip, Nic, Process, Traffic, wait_if_ending};
use nix::sys::signal::Signal;

const CALLS: u32 = 1000;
/// After about so many calls the daemon is killed.
const DAEMON: u64 = 40;
/// And after about so many a call.
const CALL: u64 = 8;

/// What was said last of a VM's rules and heard, and what may have been heard.
#[derive(Clone, Debug)]
struct Said {
    heard: i64,
    perhaps: Vec<i64>,
}

#[test]
fn nothing_that_was_enforced_is_lost_and_nothing_is_opened() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let agent = host.agent();
    let listener = host.hypervisor.guest("up1", "06:00:00:00:09:09".parse().expect("a MAC"), Ip::Silent);
    let nic = host.started();
    let others = [(6, "vnet2", 9), (7, "vnet3", 10)].map(|(number, port, last)| {
        let guest = host.another(port, last);
        let nic = Nic::new(number, &guest);
        agent.run(&nic.vm, number, &[&nic]);
        agent.done(&nic.started());
        (guest, nic)
    });
    let nics = [&nic, &others[0].1, &others[1].1];
    let rules = |sequence: i64| format!("I:tcp;{sequence};{sequence};::/0,NEXT;");
    let mut said: Vec<_> = nics.iter().map(|_| Said { heard: -1, perhaps: Vec::new() }).collect();
    // Everything leaves while its source is the VM's own, whatever is said meanwhile.
    let traffic = Traffic::start(&host.vm, &listener);
    let mut dice = Dice::new(7);
    let (mut killed, mut cut) = (0, 0);
    for number in 1..=CALLS {
        wait_if_ending();
        let which = usize::try_from(dice.roll(3)).expect("small");
        let sequence = i64::from(number);
        let words = match dice.roll(6) {
            0 => nics[which].checked(),
            1 => nics[which].secondary("2001:db8:100::100:1", dice.roll(2) == 0 && which == 0),
            _ => nics[which].ruled(sequence, &rules(sequence)),
        };
        let says_rules = words.starts_with("add_");
        if dice.roll(DAEMON) == 0 {
            // In the middle of the call, or a little after.
            let call = Process::start(agent.command(&words));
            thread::sleep(Duration::from_micros(dice.roll(12_000)));
            daemon.signal(Signal::SIGKILL);
            daemon.wait();
            let mut call = call;
            let done = call.wait().success();
            said[which].note(says_rules, sequence, done);
            daemon = host.hypervisor.daemon();
            killed += 1;
        } else if dice.roll(CALL) == 0 {
            let mut call = Process::start(agent.command(&words));
            thread::sleep(Duration::from_micros(dice.roll(6_000)));
            call.signal(Signal::SIGKILL);
            let done = call.wait().success();
            said[which].note(says_rules, sequence, done);
            cut += 1;
        } else {
            agent.done(&words);
            said[which].note(says_rules, sequence, true);
        }
        if number % 50 == 0 || number == CALLS {
            check(&agent.done("get_rule_logs_for_vms"), &nics, &mut said);
        }
    }
    println!("{CALLS} calls, the daemon killed {killed} times, {cut} calls killed");
    assert!(killed > 10 && cut > 50);
    traffic.flow(50);
    traffic.stop().assert_clean();
    // What is said to be in force is.
    for (nic, said) in nics.iter().zip(&said) {
        let enforced = host.hypervisor.json(&format!("rules {}", nic.interface));
        let ingress = enforced[0]["enforced"]["ingress"].to_string();
        assert!(ingress.contains(&said.heard.to_string()), "{}: {said:?}, {ingress}", nic.vm);
    }
    daemon.assert_never("ERROR");
}

impl Said {
    fn note(&mut self, says_rules: bool, sequence: i64, done: bool) {
        match (says_rules, done) {
            (false, _) => {}
            (true, true) => (self.heard, self.perhaps) = (sequence, Vec::new()),
            (true, false) => self.perhaps.push(sequence),
        }
    }
}

/// What is told to be in force is what was heard last, or what may have been heard since.
#[track_caller]
fn check(logs: &str, nics: &[&Nic], said: &mut [Said]) {
    for (nic, said) in nics.iter().zip(said) {
        let log = logs.trim().split(';').find(|log| log.starts_with(&format!("{},", nic.vm)));
        let log = log.unwrap_or_else(|| panic!("{} is missing in {logs}", nic.vm));
        let sequence: i64 = log.rsplit(',').next().and_then(|text| text.parse().ok()).expect("a number");
        assert!(sequence == said.heard || said.perhaps.contains(&sequence), "{}: {log}, {said:?}", nic.vm);
        (said.heard, said.perhaps) = (sequence, Vec::new());
    }
}
