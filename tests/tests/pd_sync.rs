//! `ipv6-sg pd sync`: CloudStack's VMs have prefixes, those that were expunged lose them, and nothing is taken on a doubt.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};
use ipv6_sg_tests::management::{Cloud, Fault, HERE, Management};
use serde_json::{Value, json};

/// A cloud, and the desk that follows it.
struct Followed {
    management: Management,
    desk: Desk,
    _keys: tempfile::TempDir,
}

impl Followed {
    fn new(hosts: &Hosts, pool: &str) -> Self {
        let mut cloud = Cloud::default();
        cloud.vm(1, HERE, &[]);
        cloud.vm(2, HERE, &[])["state"] = json!("Stopped");
        // On a network whose VMs are not guarded, never there, and gone.
        cloud.vm(3, HERE, &[])["nic"][0]["networkid"] = cloud.networks[1]["id"].clone();
        cloud.vm(4, HERE, &[])["state"] = json!("Error");
        cloud.vm(5, HERE, &[])["state"] = json!("Destroyed");
        let management = Management::start(cloud);
        let keys = tempfile::tempdir().expect("a place");
        let config = management.config(keys.path());
        let database = hosts.settings();
        let file = database.password_file.map(|path| format!("password_file = {path:?}\n")).unwrap_or_default();
        let desk = Desk::with(
            hosts,
            &format!(
                "[pd]\n{pool}\ndatabase = {:?}\n{file}[source.cloudstack]\nurl = {:?}\napi_key_file = {:?}\n\
                 secret_key_file = {:?}\nhost = \"kvm1\"\n",
                database.url, config.url, config.api_key_file, config.secret_key_file
            ),
        );
        desk.done(&["init"]);
        Self { management, desk, _keys: keys }
    }

    /// The steps, each as `action vm`.
    #[track_caller]
    fn steps(&self, words: &[&str]) -> Vec<String> {
        let rows = self.desk.json(&[&["sync"], words].concat());
        let word = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
        let rows = rows.as_array().expect("a list");
        rows.iter().map(|row| format!("{} {}", word(row, "action"), word(row, "vm"))).collect()
    }

    /// Who has a prefix.
    #[track_caller]
    fn holders(&self) -> Vec<String> {
        let rows = self.desk.json(&["list"]);
        let mut holders: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["vm"].to_string()).collect();
        holders.sort();
        holders
    }
}

const NOTHING: [&str; 0] = [];

fn vms_come_and_go(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let followed = Followed::new(&hosts, POOL);
    let desk = &followed.desk;
    desk.done(&["allocate", "--vm", "by-hand", "--mac", "06:00:00:00:00:77"]);
    let both = ["allocate i-2-1-VM", "allocate i-2-2-VM"];
    // A plan changes nothing.
    assert_eq!(followed.steps(&["--dry-run"]), both);
    assert_eq!(followed.holders(), ["\"by-hand\""]);
    assert_eq!(followed.steps(&[]), both);
    let all = ["\"by-hand\"", "\"i-2-1-VM\"", "\"i-2-2-VM\""];
    assert_eq!(followed.holders(), all);
    assert_eq!(followed.steps(&[]), NOTHING);
    assert_eq!(desk.done(&["sync"]), "nothing to do\n");
    assert_eq!(followed.steps(&["--count", "2"]), both);
    assert_eq!(followed.holders().len(), 5);

    // One is destroyed, and then expunged.
    followed.management.change(|cloud| cloud.vms[1]["state"] = json!("Destroyed"));
    assert_eq!(followed.steps(&["--grace", "0s"]), NOTHING);
    let second = followed.management.change(|cloud| cloud.vms.remove(1));
    assert_eq!(followed.steps(&["--dry-run"]), ["miss i-2-2-VM"]);
    assert_eq!(followed.steps(&[]), ["miss i-2-2-VM"]);
    assert_eq!(followed.steps(&[]), ["wait i-2-2-VM"]);
    assert!(desk.done(&["sync"]).lines().any(|line| line.starts_with("wait ") && line.ends_with(" left")));
    // It was no more than a moment in which the server did not list it.
    followed.management.change(|cloud| cloud.vms.push(second.clone()));
    assert_eq!(followed.steps(&[]), ["find i-2-2-VM"]);
    assert_eq!(followed.steps(&[]), ["allocate i-2-2-VM"; 0]);
    followed.management.change(|cloud| drop(cloud.vms.pop()));
    assert_eq!(followed.steps(&["--grace", "0s"]), ["release i-2-2-VM"]);
    assert_eq!(followed.holders(), ["\"by-hand\"", "\"i-2-1-VM\"", "\"i-2-1-VM\""]);
    assert_eq!(desk.done(&["check"]), "sound\n");

    // Another cloud, and another zone, on the same pool: not theirs to take.
    let none = ["--cloud", "another", "--zone", "nowhere", "--grace", "0s"];
    let error = desk.done(&[&["sync"], &none[..]].concat());
    assert_eq!(error, "nothing to do\n");
    let row =
        |row: &Value| (row["action"].clone(), row["why"].as_str().unwrap_or_default().contains("of cloud localhost:"));
    let outcome = desk.run(&["sync", "--cloud", "another", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!((outcome.code, rows.iter().map(row).collect::<Vec<_>>()), (Some(1), vec![(json!("leave"), true)]));
    // More than is likely are gone at once.
    let gone = ["sync", "--grace", "0s", "--at-most", "0"];
    let vm = followed.management.change(|cloud| cloud.vms[0]["instancename"].take());
    followed.management.change(|cloud| cloud.vms[0]["instancename"] = json!("i-2-8-VM"));
    let error = desk.refused(&gone);
    assert!(error.starts_with("1 of 1 VMs would lose their prefixes at once: nothing is changed; "), "{error}");
    followed.management.change(|cloud| cloud.vms[0]["instancename"] = vm);

    // A MAC that another VM has by now.
    followed.management.change(|cloud| cloud.vms[0]["instancename"] = json!("i-2-9-VM"));
    assert_eq!(followed.steps(&[]), ["release i-2-1-VM", "allocate i-2-9-VM"]);
    assert_eq!(followed.holders(), ["\"by-hand\"", "\"i-2-9-VM\""]);
}

#[test]
fn vms_come_and_go_on_postgresql() {
    vms_come_and_go(Kind::Postgres);
}

#[test]
fn vms_come_and_go_on_mariadb() {
    vms_come_and_go(Kind::Mysql);
}

/// An error is no cloud without VMs, and neither is an empty list.
#[test]
fn nothing_is_taken_on_a_doubt() {
    let server = Server::start(Kind::Postgres);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    // Room for two, and there are three.
    let followed = Followed::new(&hosts, "pool = \"2001:db8:f000::/59\"\n");
    followed.steps(&[]);
    let now = ["sync", "--grace", "0s"];
    followed.management.fail("listVirtualMachines", Fault::Says(503, "<html>".to_owned()));
    let error = followed.desk.refused(&now);
    assert!(error.starts_with("source.cloudstack: nothing is changed: listVirtualMachines: "), "{error}");
    followed.management.mend();
    let vms = followed.management.change(|cloud| std::mem::take(&mut cloud.vms));
    assert_eq!(followed.desk.refused(&now), "CloudStack lists no VM at all: nothing is taken from anybody");
    assert_eq!(followed.holders(), ["\"i-2-1-VM\"", "\"i-2-2-VM\""]);
    followed.management.change(|cloud| {
        cloud.vms = vms;
        cloud.vm(6, HERE, &[]);
    });
    // What can be done is done; what cannot be is told.
    let outcome = followed.desk.run(&["sync"]);
    let wanted = format!("error: i-2-6-VM, {}: pool 2001:db8:f000::/59 has no /60 left", Cloud::mac(6));
    assert!(outcome.code == Some(1) && outcome.err.starts_with(&wanted), "{outcome:?}");
    assert!(outcome.out.lines().any(|line| line.starts_with("fail ")), "{outcome:?}");
}
