//! What CloudStack's agent says of a VM from its start to its end, and what holds after each call.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{CloudHost, Ip, Nic, address, eventually};
use ipv6_sg_tests::world::VM_PRIVACY;

const SSH: &str = "I:tcp;22;22;0.0.0.0/0,::/0,NEXT;";
const WEB: &str = "I:tcp;80;80;::/0,NEXT;";
const FIRST: &str = "2001:db8:100::100";

fn ip(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

#[test]
fn from_start_to_stop() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let (agent, vm, nic) = (host.agent(), &host.vm, host.nic());
    assert_eq!(agent.done("can_bridge_firewall --privnic up0"), "");
    assert_eq!(agent.done("get_rule_logs_for_vms"), "\n");
    agent.run(&nic.vm, 3, &[&nic]);
    // The server hears of one that runs before anything was said of it, and says it again.
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,,-1,_initial_,-1\n");

    // It runs: its addresses are its own, and nothing comes in.
    assert_eq!(agent.done(&nic.started()), "");
    assert_eq!(host.sends_from(vm, address(vm)), Reason::Allowed);
    assert_eq!(host.sends_from(vm, VM_PRIVACY), Reason::SourcePrivacy);
    assert!(!host.opens(vm, 22));
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,3,_initial_,-1\n");
    agent.done(&nic.checked());

    // Its rules come, and others later.
    assert_eq!(agent.done(&nic.ruled(1, SSH)), "");
    assert!(host.opens(vm, 22) && !host.opens(vm, 80));
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,3,sig1,1\n");
    agent.done(&nic.ruled(2, &format!("{WEB}E:all;0;0;0.0.0.0/0,NEXT;")));
    assert!(!host.opens(vm, 22) && host.opens(vm, 80));
    assert_eq!(host.sends_from(vm, address(vm)), Reason::Allowed);
    agent.done(&nic.ruled(3, &format!("{WEB}E:tcp;25;25;2001:db8:9::/48,NEXT;")));
    assert_eq!(host.sends_from(vm, address(vm)), Reason::EgressDenied);
    agent.done(&nic.ruled(4, ""));
    assert!(!host.opens(vm, 80));
    agent.done(&nic.ruled(5, SSH));
    agent.done(&format!("verify_network_rules --vmname {} --vmip 10.1.1.5 --vmmac {} --nicsecips 0;", nic.vm, nic.mac));

    // A look changes nothing, nor does saying it again.
    agent.done(&nic.checked());
    agent.done(&nic.ruled(5, SSH));
    assert!(host.opens(vm, 22));

    // It is rebooted: what it was allowed stays until it is said anew.
    agent.done(&nic.started());
    assert!(host.opens(vm, 22));
    agent.done(&nic.ruled(6, WEB));
    assert!(!host.opens(vm, 22));

    // It stops: guarded to its last packet.
    agent.done(&nic.stopped());
    assert_eq!(host.sends_from(vm, VM_PRIVACY), Reason::SourcePrivacy);
    assert!(host.opens(vm, 80));
    let ifindex = host.hypervisor.netns.ifindex("vnet1").expect("a tap");
    host.hypervisor.netns.ip("link del vnet1");
    agent.end(&nic.vm);
    daemon.wait_for("its interface is gone");
    assert_eq!(agent.done("get_rule_logs_for_vms"), "\n");
    assert!(!host.hypervisor.site.inspect().ports().expect("readable").contains_key(&ifindex));
    assert!(!host.hypervisor.site.path("data/cloudstack/i-2-5-VM.json").exists());

    // Its tap's name comes back with another VM, about whom nothing was said.
    let other = host.another("vnet1", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 4, &[&next]);
    agent.done(&next.started());
    assert_eq!(host.sends_from(&other, address(vm)), Reason::SourcePrivacy);
    assert!(!host.opens(&other, 80));
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-6-VM,6,10.1.1.6,4,_initial_,-1\n");
    daemon.assert_never("ERROR");
}

#[test]
fn further_addresses_and_prefixes() {
    let host = CloudHost::new("");
    let _daemon = host.hypervisor.daemon();
    let (agent, vm) = (host.agent(), &host.vm);
    let nic = host.started();
    let delegated = ip("2001:db8:f000:1a::1");
    assert_eq!(host.sends_from(vm, ip(FIRST)), Reason::SourcePrivacy);
    agent.done(&nic.secondary(FIRST, true));
    assert_eq!(host.sends_from(vm, ip(FIRST)), Reason::Allowed);
    agent.done(&nic.secondary(FIRST, true));
    agent.done(&nic.secondary("10.1.1.77", true));
    // Older agents write the action as a word of its own, and newer servers a prefix.
    agent.done(&nic.secondary("2001:db8:f000:10::/60", true).replace("--action=-A", "--action -A"));
    assert_eq!(host.sends_from(vm, delegated), Reason::Allowed);
    // Neither a look nor rules without them take them away before the server knows of them.
    agent.done(&nic.checked());
    assert_eq!(host.sends_from(vm, delegated), Reason::Allowed);
    agent.done(&nic.with_secondary(&format!("10.1.1.77;{FIRST};")).ruled(1, SSH));
    assert_eq!(host.sends_from(vm, ip(FIRST)), Reason::Allowed);
    assert_eq!(host.sends_from(vm, delegated), Reason::SourceSpoofed);
    agent.done(&nic.secondary(FIRST, false));
    assert_eq!(host.sends_from(vm, ip(FIRST)), Reason::SourcePrivacy);

    // An address that another VM has is nobody else's.
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 2, &[&next]);
    agent.done(&next.started());
    agent.done(&next.secondary(FIRST, true));
    let error = agent.refused(&nic.secondary(FIRST, true));
    assert!(error.contains("i-2-6-VM") && error.contains(FIRST), "{error}");
    assert_eq!(host.sends_from(vm, ip(FIRST)), Reason::SourcePrivacy);
    assert_eq!(host.sends_from(&other, ip(FIRST)), Reason::Allowed);
    let error = agent.refused(
        "network_rules_vmSecondaryIp --vmname i-2-9-VM --vmmac 06:00:00:00:00:77 --nicsecips 2001:db8::9 --action=-A",
    );
    assert_eq!(error, "VM \"i-2-9-VM\" is not known here: no network rules were asked for it");
}

/// Rules are the NIC's that is named, and the tap is the one that was made for it, whatever the agent says.
#[test]
fn two_nics() {
    let host = CloudHost::new("");
    let _daemon = host.hypervisor.daemon();
    let agent = host.agent();
    let second = host.another("vnet2", 9);
    let one = host.nic();
    let two = Nic { vm: one.vm.clone(), interface: "vnet1".to_owned(), ..Nic::new(5, &second) };
    agent.run(&one.vm, 1, &[&one, &Nic { interface: "vnet2".to_owned(), ..two.clone() }]);
    agent.done(&one.started());
    agent.done(&Nic { interface: "vnet2".to_owned(), ..two.clone() }.started());
    // The management server names one of a VM's NICs, and its security groups are the VM's.
    agent.done(&one.ruled(7, &format!("{SSH}E:tcp;25;25;2001:db8:9::/48,NEXT;")));
    assert!(host.opens(&host.vm, 22) && host.opens(&second, 22));
    assert_eq!(host.sends_from(&second, address(&second)), Reason::EgressDenied);
    // One that names both is taken at its word.
    agent.done(&two.ruled(8, WEB));
    assert!(host.opens(&second, 80) && !host.opens(&second, 22) && host.opens(&host.vm, 22));
    // Both were said; the older of the two tells whether it is up to date.
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,1,sig7,7\n");

    agent.done(&two.unplugged());
    host.hypervisor.netns.ip("link del vnet2");
    eventually("the second NIC to be forgotten", || {
        let record = std::fs::read_to_string(host.hypervisor.site.path("data/cloudstack/i-2-5-VM.json")).ok()?;
        (!record.contains(&second.mac.to_string())).then_some(())
    });
    assert!(host.opens(&host.vm, 22));
}

/// Live migration: the VM is there before anybody says so, and is gone before it is taken leave of.
#[test]
fn migration_in_and_out() {
    let host = CloudHost::new("quarantine = [\"vnet*\"]");
    let mut daemon = host.hypervisor.daemon();
    let (agent, vm, nic) = (host.agent(), &host.vm, host.nic());
    host.hypervisor.wait_guarded("vnet1");
    assert_eq!(host.sends_from(vm, address(vm)), Reason::Quarantined);
    agent.run(&nic.vm, 1, &[&nic]);
    assert_eq!(host.sends_from(vm, address(vm)), Reason::Quarantined);
    agent.done(&nic.checked());
    assert_eq!(host.sends_from(vm, address(vm)), Reason::Allowed);
    agent.done(&nic.ruled(3, SSH));
    assert!(host.opens(vm, 22));

    host.hypervisor.netns.ip("link del vnet1");
    agent.end(&nic.vm);
    agent.done(&format!("destroy_network_rules_for_vm --vmname {}", nic.vm));
    daemon.wait_for("its interface is gone");
    assert_eq!(agent.done("get_rule_logs_for_vms"), "\n");
    // It comes back, under another tap.
    let back = host.hypervisor.tapped("vnet7", vm.mac, Ip::Silent);
    let nic = Nic { interface: "vnet7".to_owned(), ..nic };
    agent.run(&nic.vm, 2, &[&nic]);
    host.hypervisor.wait_guarded("vnet7");
    assert_eq!(host.sends_from(&back, address(&back)), Reason::Quarantined);
    agent.done(&nic.checked());
    assert!(!host.opens(&back, 22));
    agent.done(&nic.ruled(3, SSH));
    assert!(host.opens(&back, 22));
    daemon.assert_never("ERROR");
}
