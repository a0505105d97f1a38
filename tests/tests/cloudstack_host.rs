//! What CloudStack's agent asks of a host as a whole, and of several VMs at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;

use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{CloudHost, Ip, Nic, address, eventually, outcome};
use ipv6_sg_tests::world::{VM, VM_PRIVACY};

const SSH: &str = "I:tcp;22;22;::/0,NEXT;";

/// What libvirt runs no more goes, whoever forgot to say so; what it runs stays, and so does what has its tap.
#[test]
fn what_runs_no_more_is_cleaned_up() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    let crashed = host.another("vnet2", 9);
    let gone = Nic::new(6, &crashed);
    agent.run(&gone.vm, 2, &[&gone]);
    agent.done(&gone.started());
    agent.done("cleanup_rules");
    assert_eq!(
        agent.done("get_rule_logs_for_vms"),
        "i-2-5-VM,5,10.1.1.5,1,sig3,3;i-2-6-VM,6,10.1.1.6,2,_initial_,-1\n"
    );

    // It crashes: nobody says so.
    host.hypervisor.netns.ip("link del vnet2");
    agent.end(&gone.vm);
    daemon.wait_for("its interface is gone");
    let record = host.hypervisor.site.path("data/cloudstack/i-2-6-VM.json");
    assert!(record.exists());
    agent.done("cleanup_rules");
    assert!(!record.exists());
    assert!(host.opens(&host.vm, 22));

    // libvirt's word is missing, or says nothing that can be understood: nothing is cleaned up.
    let libvirt = host.hypervisor.site.path("libvirt");
    fs::write(libvirt.join("i-2-7-VM.xml"), "<domstatus>").expect("our own directory");
    let error = agent.refused("cleanup_rules");
    assert!(error.contains("i-2-7-VM.xml is no description of a VM that runs"), "{error}");
    fs::remove_dir_all(&libvirt).expect("our own directory");
    let error = agent.refused("cleanup_rules");
    assert!(error.contains("is libvirt running, and cloudstack.libvirt_dir right?"), "{error}");
    // A VM whose tap is here runs, whatever an empty directory says.
    fs::create_dir(&libvirt).expect("our own directory");
    agent.done("cleanup_rules");
    assert!(host.opens(&host.vm, 22));
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,-1,sig3,3\n");
    daemon.assert_never("ERROR");
}

/// A VM of CloudStack's own filters for itself: its taps are let go from quarantine, and back into it with the next VM.
#[test]
fn system_vms_are_left_alone() {
    let host = CloudHost::new("quarantine = [\"vnet*\"]");
    let daemon = host.hypervisor.daemon();
    let (agent, vm) = (host.agent(), &host.vm);
    let router = Nic { vm: "r-4-VM".to_owned(), ..host.nic() };
    host.hypervisor.wait_guarded("vnet1");
    assert_eq!(host.sends_from(vm, VM), Reason::Quarantined);
    agent.run(&router.vm, 1, &[&router]);
    agent.done("default_network_rules_systemvm --vmname r-4-VM --localbrname cloud0");
    host.hypervisor.wait_released("vnet1");
    assert_eq!(agent.done("get_rule_logs_for_vms"), "\n");
    // Neither a restart nor a clean-up takes that back.
    drop(daemon);
    let _daemon = host.hypervisor.daemon();
    agent.done("cleanup_rules");
    assert_eq!(host.hypervisor.programs("vnet1"), 0);

    host.hypervisor.netns.ip("link del vnet1");
    agent.end(&router.vm);
    let next = host.another("vnet1", 9);
    host.hypervisor.wait_guarded("vnet1");
    assert_eq!(host.sends_from(&next, VM), Reason::Quarantined);
    agent.done("cleanup_rules");
    assert!(!host.hypervisor.site.path("data/cloudstack/r-4-VM.json").exists());

    // What libvirt does not say cannot be let go.
    fs::remove_dir_all(host.hypervisor.site.path("libvirt")).expect("our own directory");
    let error = agent.refused("default_network_rules_systemvm --vmname s-1-VM --localbrname cloud0");
    assert!(error.contains("is libvirt running"), "{error}");
}

/// A script in IPv4's place, which writes down how it is called.
fn ipv4_script(host: &CloudHost, text: &str) -> PathBuf {
    let path = host.hypervisor.site.path("ipv4.py");
    fs::write(&path, format!("#!/bin/sh\necho \"$@\" >> {}\n{text}\n", called(host).display()))
        .expect("our own directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own directory");
    host.hypervisor.cloudstack(&format!("[cloudstack]\nipv4_script = {path:?}"));
    path
}

fn called(host: &CloudHost) -> PathBuf {
    host.hypervisor.site.path("called")
}

/// Each call goes to the script that filters IPv4 too, word by word, and is done when both have done it.
#[test]
fn ipv4_stays_with_its_script() {
    let host = CloudHost::new("");
    ipv4_script(&host, "");
    let daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    let said = fs::read_to_string(called(&host)).expect("a call");
    assert_eq!(said, format!("{}\n", nic.started()));
    agent.done(&nic.ruled(3, SSH));

    // The tap of a VM that starts is guarded before the script takes its time.
    let late = host.another("vnet2", 9);
    let next = Nic::new(6, &late);
    let record = host.hypervisor.site.path("data/cloudstack/i-2-6-VM.json");
    ipv4_script(&host, &format!("test -e {} || exit 1", record.display()));
    agent.done(&next.started());
    agent.done(&next.stopped());
    host.hypervisor.netns.ip("link del vnet2");
    eventually("the VM to be forgotten", || (!record.exists()).then_some(()));

    // The rules of either are told to be sent again when the two have other ones.
    for (answer, wanted) in [
        ("i-2-5-VM,5,10.1.1.5,9,sig3,3", "i-2-5-VM,5,10.1.1.5,9,sig3,3"),
        ("i-2-5-VM,5,10.1.1.5,9,sig2,2", "i-2-5-VM,5,10.1.1.5,1,_initial_,-1"),
        ("i-2-8-VM,8,10.1.1.8,9,sig2,2", "i-2-5-VM,5,10.1.1.5,1,_initial_,-1;i-2-8-VM,8,10.1.1.8,9,_initial_,-1"),
        ("", "i-2-5-VM,5,10.1.1.5,1,_initial_,-1"),
    ] {
        ipv4_script(&host, &format!("echo '{answer}'"));
        assert_eq!(agent.done("get_rule_logs_for_vms"), format!("{wanted}\n"));
    }

    // It fails, and IPv6 is done all the same; the daemon fails, and IPv4 is.
    ipv4_script(&host, "echo 'no such chain' >&2; exit 1");
    let error = agent.refused(&nic.ruled(4, ""));
    assert!(error.ends_with("ipv4.py failed, exit status: 1: no such chain"), "{error}");
    assert!(!host.opens(&host.vm, 22));
    ipv4_script(&host, "");
    fs::remove_file(called(&host)).expect("calls");
    drop(daemon);
    assert!(agent.refused(&nic.ruled(5, SSH)).starts_with("no daemon answers"));
    assert_eq!(fs::read_to_string(called(&host)).expect("a call"), format!("{}\n", nic.ruled(5, SSH)));
}

/// Bridged IPv6 stays out of ip6tables, where the script would put it.
#[test]
fn the_bridge_passes_ipv6_to_nobody_else() {
    let host = CloudHost::new("");
    let switch = "/proc/sys/net/bridge/bridge-nf-call-ip6tables";
    let has_switch = outcome(host.hypervisor.netns.command("test").args(["-e", switch])).code == Some(0);
    if !has_switch {
        println!("not on this kernel: br_netfilter");
        return;
    }
    ipv4_script(&host, &format!("echo 1 > {switch}"));
    let _daemon = host.hypervisor.daemon();
    host.started();
    assert_eq!(host.hypervisor.netns.run(&format!("cat {switch}")), "0\n");
}

/// Many calls at once, late ones and repeated ones among them: of rules those with the highest number hold.
#[test]
fn calls_at_once_and_out_of_order() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let agent = host.agent();
    let nic = host.started();
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 2, &[&next]);
    agent.done(&next.started());
    let rules = |sequence: i64| format!("I:tcp;{sequence};{sequence};::/0,NEXT;");
    thread::scope(|scope| {
        for part in 0..4_i64 {
            let (nic, next) = (&nic, &next);
            scope.spawn(move || {
                for turn in 0..10 {
                    // Each number twice, from two sides, the highest of them early.
                    let sequence = 40 - (turn * 4 + part);
                    agent.done(&nic.ruled(sequence, &rules(sequence)));
                    agent.done(&next.ruled(sequence / 2, &rules(sequence / 2)));
                    agent.done("get_rule_logs_for_vms");
                    agent.done(&nic.checked());
                }
            });
        }
    });
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,1,sig40,40;i-2-6-VM,6,10.1.1.6,2,sig20,20\n");
    assert!(host.opens(&host.vm, 40) && !host.opens(&host.vm, 39));
    assert!(host.opens(&other, 20) && !host.opens(&other, 19));
    // A VM that starts under the tap's old name, and a late word about the one that had it.
    agent.done(&nic.stopped());
    host.hypervisor.netns.ip("link del vnet1");
    agent.end(&nic.vm);
    let third = host.another("vnet1", 10);
    let new = Nic::new(7, &third);
    agent.run(&new.vm, 3, &[&new]);
    agent.done(&new.started());
    agent.done(&new.ruled(1, SSH));
    let error = agent.refused(&nic.ruled(39, &rules(39)));
    assert!(error.starts_with("VM i-2-5-VM, "), "{error}");
    assert!(host.opens(&third, 22) && !host.opens(&third, 39));
    assert_eq!(host.sends_from(&third, VM_PRIVACY), Reason::SourcePrivacy);
    assert_eq!(host.sends_from(&third, address(&third)), Reason::Allowed);
    daemon.assert_never("ERROR");
}

/// What the agent says goes together with what an operator knows: the network's routers.
#[test]
fn a_network_that_the_operator_defined() {
    let host = CloudHost::new("");
    host.hypervisor.site.state(
        "00-network.toml",
        "[network.pod]\nprefixes = [\"2001:db8:100::/64\"]\nrouters = [\"fe80::c:dbff:fef9:cf00\"]\n",
    );
    let _daemon = host.hypervisor.daemon();
    host.started();
    let ports = host.hypervisor.json("ports");
    assert_eq!((&ports[0]["routers"][0], &ports[0]["vm"]), (&"fe80::c:dbff:fef9:cf00".into(), &"i-2-5-VM".into()));
    let rules = host.hypervisor.ask("rules vnet1");
    assert!(rules.starts_with("vnet1: VM i-2-5-VM, in no security group"), "{rules}");
}

/// Nothing is said of it, so nothing is touched.
#[test]
fn networks_without_security_groups() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let silent = host.hypervisor.tapped("vnet5", "06:00:00:00:05:05".parse().expect("a MAC"), Ip::Silent);
    host.agent().run("i-2-9-VM", 9, &[&Nic::new(9, &silent)]);
    host.started();
    host.agent().done("cleanup_rules");
    eventually("the port that was said", || (host.hypervisor.programs("vnet1") == 2).then_some(()));
    assert_eq!(host.hypervisor.programs("vnet5"), 0);
    daemon.assert_never("ERROR");
}
