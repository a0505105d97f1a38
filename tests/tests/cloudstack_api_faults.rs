//! A management server that fails, and lists that change while they are read: an error, or the whole truth, never a part.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ipv6_sg::cloudstack::api::{ApiError, Client, Config, Inventory, Limits};
use ipv6_sg_tests::management::{Cloud, Fault, HERE, IMPATIENT, Management, id};
use serde_json::json;

const COMMANDS: [&str; 5] =
    ["listCapabilities", "listHosts", "listVirtualMachines", "listSecurityGroups", "listNetworks"];

fn ask(config: &Config) -> Result<Inventory, ApiError> {
    Client::with_limits(config, IMPATIENT)?.inventory()
}

#[track_caller]
fn message(config: &Config) -> String {
    ask(config).map(|inventory| format!("{inventory:?}")).expect_err("no answer").to_string()
}

/// `vms` VMs on another host, in group 1.
fn start(vms: u32) -> (Management, tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = Cloud::default();
    cloud.group(1, "web", json!([]), json!([]));
    for number in 1..=vms {
        cloud.vm(number, &id("host", 2), &[1]);
    }
    let management = Management::start(cloud);
    let config = management.config(directory.path());
    (management, directory, config)
}

#[test]
fn whatever_fails_the_answer_is_none() {
    let (management, _directory, config) = start(1);
    let words = |status: u16| {
        let text = format!(r#"{{"errorresponse":{{"uuidList":[],"errorcode":{status},"errortext":"Out of luck"}}}}"#);
        Fault::Says(status, text)
    };
    let says = |text: &str| Fault::Says(200, text.to_owned());
    for command in COMMANDS {
        for (fault, part) in [
            (words(530), "CloudStack answers 530: Out of luck"),
            (words(401), "CloudStack refuses the keys (401: Out of luck); check both key files"),
            (Fault::Says(500, "<html>".to_owned()), " answers 500 and is not CloudStack's API; check url"),
            (Fault::Says(404, String::new()), " answers 404 and is not CloudStack's API; check url"),
            (Fault::Redirect, " answers 302 and is not CloudStack's API; check url"),
            (says("<html>"), "not an answer of CloudStack's: expected value at line 1 column 1"),
            (says(""), "not an answer of CloudStack's: EOF while parsing"),
            (says("{}"), "response is missing"),
            (says(r#"{"loginresponse":{}}"#), "response is missing"),
            (words(200), "response is missing"),
            (Fault::Cut, "no answer from http://localhost:"),
            (Fault::Endless, "the answer has more than 1048576 bytes and is not read"),
        ] {
            management.fail(command, fault.clone());
            let message = message(&config);
            assert!(message.starts_with(&format!("{command}: ")) && message.contains(part), "{fault:?}: {message}");
        }
    }
    management.mend();
    assert_eq!(ask(&config).expect("an answer").vms.len(), 1);
}

#[test]
fn who_is_slow_is_not_waited_for() {
    let (management, _directory, config) = start(1);
    management.fail("listVirtualMachines", Fault::Slow);
    let limits = Limits { answer: Duration::from_millis(300), ..IMPATIENT };
    let begun = Instant::now();
    let error = Client::with_limits(&config, limits).expect("sound settings").inventory().expect_err("no answer");
    assert!(error.to_string().starts_with("listVirtualMachines: no answer from http://localhost:"), "{error}");
    assert!(begun.elapsed() >= limits.answer, "{error}");
}

#[test]
fn nobody_is_there() {
    let (_management, _directory, config) = start(0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/client/api");
    let message = message(&Config { url: url.clone(), ..config });
    assert!(message.starts_with(&format!("listCapabilities: no answer from {url}: ")), "{message}");
}

#[test]
fn keys_that_are_wrong() {
    let (management, directory, config) = start(1);
    let words = "unable to verify user credentials and/or request signature";
    for key in ["secret.key", "api.key"] {
        let path = directory.path().join(key);
        let right = fs::read(&path).expect("our own");
        fs::write(&path, "another-key").expect("our own");
        let message = message(&config);
        assert!(
            message.starts_with(&format!("listCapabilities: CloudStack refuses the keys (401: {words})")),
            "{message}"
        );
        fs::write(&path, right).expect("our own");
    }
    assert_eq!(management.asked().len(), 2);
    // A key that others may read is not used at all, be it from the start or from later on.
    let client = Client::with_limits(&config, IMPATIENT).expect("sound settings");
    let readable = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own");
    readable(&config.secret_key_file, 0o644);
    for error in [client.inventory().expect_err("a secret no more"), ask(&config).expect_err("a secret no more")] {
        assert!(error.to_string().contains("others may read or write it (mode 0644); chmod 600 it"), "{error}");
    }
    assert_eq!(management.asked().len(), 0);
    readable(&config.secret_key_file, 0o600);
    assert!(client.inventory().is_ok());
}

#[test]
fn answers_that_say_less_than_they_count() {
    let (management, _directory, config) = start(1);
    let nothing = r#"{"listvirtualmachinesresponse":{"count":7}}"#;
    management.fail("listVirtualMachines", Fault::Says(200, nothing.to_owned()));
    let end = "3 times in a row; nothing is changed";
    assert_eq!(message(&config), format!("listVirtualMachines: 7 items were counted and 0 listed, {end}"));
    // No host is no empty list of VMs.
    management.fail("listHosts", Fault::Says(200, r#"{"listhostsresponse":{}}"#.to_owned()));
    assert!(message(&config).starts_with("CloudStack has no host \"kvm1\""));
}

#[test]
fn who_may_not_see_everything_sees_nothing() {
    let (management, _directory, config) = start(1);
    management.change(|cloud| cloud.vms[0]["instancename"] = json!(null));
    let message_of = message(&config);
    assert!(message_of.ends_with("no instancename; the user must be a root admin"), "{message_of}");
    management.change(|cloud| cloud.version = "4.13.1.0".to_owned());
    let wanted = "CloudStack 4.13.1.0 cannot list the VMs of projects and accounts together; releases from 4.14 on can";
    assert_eq!(message(&config), wanted);
}

#[test]
fn what_others_name_and_nobody_lists() {
    let (management, _directory, config) = start(1);
    // A VM here in a group that is not listed: its rules would be lost.
    management.change(|cloud| {
        cloud.vm(2, HERE, &[9]);
    });
    let end = "3 times in a row; nothing is changed";
    let wanted = format!("listVirtualMachines: i-2-2-VM is in a security group that is not listed, {end}");
    assert_eq!(message(&config), wanted);
    management.change(|cloud| {
        cloud.vms.pop();
        cloud.networks.clear();
    });
    let message = message(&config);
    let network = id("network", 1);
    assert_eq!(message, format!("listVirtualMachines: a VM is on network {network}, which is not listed, {end}"));
}

/// The ids of VMs, as the server knows them at the end.
fn names(inventory: &Inventory) -> BTreeSet<String> {
    inventory.vms.iter().map(|vm| vm.name.clone()).collect()
}

#[test]
fn a_list_that_shrinks_between_its_pages_is_read_again() {
    let (management, _directory, config) = start(1100);
    let mut done = false;
    management.after_each(move |asked, cloud| {
        if !done && asked.command() == "listVirtualMachines" && asked.get("page") == Some("1") {
            done = true;
            cloud.vms.remove(0);
        }
    });
    let found = names(&ask(&config).expect("an answer"));
    assert_eq!(found, (2..=1100).map(|number| format!("i-2-{number}-VM")).collect());
}

/// One goes and one comes: the count is as before, nobody is listed twice, and yet somebody is on neither page.
#[test]
fn a_list_that_shifts_behind_its_count_is_read_again() {
    let (management, _directory, config) = start(1100);
    let mut done = false;
    management.after_each(move |asked, cloud| {
        if !done && asked.command() == "listVirtualMachines" && asked.get("page") == Some("1") {
            done = true;
            cloud.vms.remove(0);
            cloud.vm(1101, &id("host", 2), &[1]);
        }
    });
    let found = names(&ask(&config).expect("an answer"));
    assert_eq!(found, (2..=1101).map(|number| format!("i-2-{number}-VM")).collect());
}

#[test]
fn a_list_that_never_stands_still() {
    let (management, _directory, config) = start(1100);
    management.after_each(|asked, cloud| {
        if asked.command() == "listVirtualMachines" {
            cloud.vms.remove(0);
        }
    });
    let wanted = "listVirtualMachines: the list grew or shrank while it was read, 3 times in a row; nothing is changed";
    assert_eq!(message(&config), wanted);
}
