//! The configuration that `ipv6-sg pd init` prints is one that Kea takes, and the one that it checks.

use std::fs;
use std::process::Command;

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};
use ipv6_sg_tests::lab::outcome;

#[test]
fn kea_takes_what_is_printed() {
    // No table is looked at.
    let server = Server::start(Kind::Postgres);
    let hosts = Hosts::empty(&server, "kea");
    for url in ["postgresql://kea@/kea?host=/run/postgresql", "mysql://kea@db.example/kea"] {
        let desk = Desk::with(&hosts, &format!("[pd]\n{POOL}subnet_id = 5\ndatabase = {url:?}\n"));
        let all = Release::ALL
            .into_iter()
            .flat_map(|release| ["remote-id", "client-link-addr"].map(|relay| (release, relay)));
        for (release, relay) in all {
            let place =
                ["--subnet", "2001:db8::/32", "--listen", "lo/::1", "--relay", relay, "--kea", release.number()];
            let text = desk.done(&[&["init", "--kea-config"][..], &place].concat());
            let path = server.path("kea.json");
            fs::write(&path, &text).expect("our own directory");
            let folder = server.path("");
            let taken = outcome(release.server(&folder, Command::new).arg("-t").arg(&path));
            assert_eq!(taken.code, Some(0), "{taken:?}\n{text}");
            let file = path.to_str().expect("text");
            assert_eq!(desk.done(&["init", "--check-kea", file, "--relay", relay]), "sound\n");
            fs::write(&path, text.replace("\"hold-reclaimed-time\": 0", "\"hold-reclaimed-time\": 60")).expect("ours");
            let checked = desk.run(&["init", "--check-kea", file, "--relay", relay]);
            assert_eq!((checked.code, checked.err), (Some(1), format!("error: {file}: 1 problem\n")));
            assert!(checked.out.contains("expired-leases-processing.hold-reclaimed-time  write 0"), "{}", checked.out);
        }
    }
    let desk = Desk::new(&hosts, POOL);
    let error = desk.refused(&["init", "--check-kea", "/nowhere"]);
    assert_eq!(error, "cannot read /nowhere: No such file or directory (os error 2)");
    for listen in ["eth0", "eth0/192.0.2.1", "e th0/::1", "/::1"] {
        let error = desk.refused(&["init", "--kea-config", "--subnet", "2001:db8::/32", "--listen", listen]);
        assert!(error.starts_with(&format!("listen {listen:?}: ")), "{error}");
    }
    // Usage.
    for words in [
        &["init", "--kea-config"][..],
        &["init", "--kea", "3"],
        &["init", "--print", "--kea-config"],
        &["init", "--print", "--json"],
        &["release"],
    ] {
        assert_eq!(desk.run(words).code, Some(2), "{words:?}");
    }
}
