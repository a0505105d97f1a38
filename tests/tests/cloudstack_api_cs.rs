//! The tests' management server is what others take for CloudStack: `cs`, the public client, asks it the same and gets the same.

use std::env;
use std::process::Command;

use ipv6_sg::cloudstack::api::Client;
use ipv6_sg_tests::lab::{Outcome, outcome};
use ipv6_sg_tests::management::{API_KEY, Cloud, HERE, IMPATIENT, Management, SECRET_KEY, id};
use serde_json::{Value, json};

/// Names a Python that has `cs`.
const PYTHON: &str = "IPV6_SG_PYTHON";

/// Prints what a command lists, all pages of it.
const LIST: &str = "
import json, os, sys
from cs import CloudStack
server = CloudStack(endpoint=sys.argv[1], key=os.environ['KEY'], secret=os.environ['SECRET'], retry=0)
print(json.dumps(getattr(server, sys.argv[2])(fetch_list=True, **json.loads(sys.argv[3]))))
";

fn cs(management: &Management, secret: &str, command: &str, parameters: Value) -> Outcome {
    let python =
        env::var_os(PYTHON).unwrap_or_else(|| panic!("{PYTHON} names no Python: `cargo xtask test cloudstack`"));
    let mut python = Command::new(python);
    python.args(["-c", LIST, management.url(), command, &parameters.to_string()]);
    python.env("KEY", API_KEY).env("SECRET", secret);
    outcome(&mut python)
}

#[test]
fn a_public_client_sees_the_same() {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = Cloud::default();
    cloud.group(1, "web", json!([]), json!([]));
    for number in 1..=1001 {
        cloud.vm(number, if number == 7 { HERE } else { "elsewhere" }, &[1]);
    }
    let management = Management::start(cloud);
    let client = Client::with_limits(&management.config(directory.path()), IMPATIENT).expect("sound settings");
    let ours = client.inventory().expect("an answer");
    let list = |command: &str, parameters: Value| {
        let outcome = cs(&management, SECRET_KEY, command, parameters);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let list: Vec<Value> = serde_json::from_str(&outcome.out).expect("a list");
        list
    };
    let everybodys = json!({ "listall": "true", "projectid": "-1", "details": "nics,secgrp" });
    let mut theirs: Vec<_> = list("listVirtualMachines", everybodys).iter().map(|vm| vm["id"].to_string()).collect();
    theirs.sort();
    assert_eq!(theirs, ours.vms.iter().map(|vm| format!("{:?}", vm.id)).collect::<Vec<_>>());
    let here = list("listVirtualMachines", json!({ "listall": "true", "hostid": HERE }));
    assert_eq!(here.len(), 1);
    assert_eq!(list("listHosts", json!({ "name": "kvm1" })).len(), 2);
    // What has to be encoded, and has no match. Of a tilde the two think differently: Java encodes it, `cs` does not.
    assert_eq!(list("listHosts", json!({ "name": "a b*+/&=ä._-%" })).len(), 0);
    assert_eq!(list("listSecurityGroups", json!({ "listall": "true" }))[0]["virtualmachineids"][6], id("vm", 7));
    assert!(management.asked().iter().all(|asked| asked.refusal.is_none()));

    let refused = cs(&management, "another-key", "listHosts", json!({}));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("401"), "{refused:?}");
}
