//! The longest text of rules that the kernel passes to a program.

use std::io::ErrorKind;
use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{flags::SYN, tcp};
use ipv6_sg_tests::lab::{CloudHost, address, outcome};

/// `MAX_ARG_STRLEN` without the zero at the end.
const LONGEST: usize = 131_071;

/// The addresses of a group's members, each on a network of its own.
fn member(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x500, number, 0x47a, 0x88ff, 0xfe00, number)
}

/// Rules that let so many members in by SSH, and then everybody by HTTPS; what is left of the room is a rule that is cut off.
fn longest() -> (String, u16) {
    let (end, mut text, mut members) = ("NEXT;I:tcp;443;443;0.0.0.0/0,::/0,NEXT;", "I:tcp;22;22;".to_owned(), 0);
    loop {
        let next = format!("{}/128,", member(members));
        if text.len() + next.len() + end.len() > LONGEST {
            break;
        }
        text += &next;
        members += 1;
    }
    text += end;
    let cut = "I:tcp;8443;8443;::/0,".chars().chain("2001:db8::/32,".chars().cycle());
    text.extend(cut.take(LONGEST - text.len()));
    (text, members)
}

#[test]
fn the_longest_text_of_rules() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let (agent, nic, (text, members)) = (host.agent(), host.started(), longest());
    let call = |text: &str| {
        let mut call = agent.command(&nic.ruled(1, ""));
        call.args(["--rules", text]);
        call
    };
    // No longer one could be passed.
    let error = call(&format!("{text},")).spawn().expect_err("a word too long");
    assert_eq!((text.len(), error.kind()), (LONGEST, ErrorKind::ArgumentListTooLong));
    let done = outcome(&mut call(&text));
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(0), "", ""));

    // Each time from another port: what was let in once is a flow that is known.
    let holds = |port| {
        let enforced = &host.hypervisor.json("rules vnet1")[0]["enforced"]["ingress"];
        assert_eq!(enforced["peers"], members + 1);
        assert_eq!([443, 8443, 22].map(|port| host.opens(&host.vm, port)), [true, false, false]);
        let by_ssh = |source| host.judged(&host.vm, Direction::ToVm, source, address(&host.vm), tcp(port, 22, SYN));
        let last = members - 1;
        assert_eq!([0, last / 2, last].map(|number| by_ssh(member(number))), [Reason::Allowed; 3]);
        assert_eq!(by_ssh(member(members)), Reason::IngressDenied);
        assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,1,sig1,1\n");
    };
    holds(4000);
    // And it is kept.
    daemon.assert_never("ERROR");
    drop(daemon);
    let _daemon = host.hypervisor.daemon();
    holds(4001);
}
