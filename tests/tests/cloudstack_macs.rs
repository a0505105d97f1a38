//! MACs are unique in their network alone, and tenants choose them: whose a tap is then, libvirt tells.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{flags::SYN, tcp};
use ipv6_sg_tests::lab::{CloudHost, Guest, Ip, Nic, address, eventually};
use ipv6_sg_tests::world::{STRANGER, VM_PRIVACY};

const SSH: &str = "I:tcp;22;22;::/0,NEXT;";

/// MACs are unique in their network alone, and tenants choose them: on two networks two VMs of one host may have one, and their
/// taps have the same too.
#[test]
fn two_vms_with_one_mac() {
    let host = CloudHost::new("");
    let _daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    let twin = host.hypervisor.tapped("vnet2", host.vm.mac, Ip::Silent);
    let of_another = Nic::new(6, &twin);
    let flags = of_another.flags.replace("2001:db8:100:", "2001:db8:200:");
    let next = Nic { flags, ..of_another };
    agent.run(&next.vm, 2, &[&next]);
    agent.done(&next.started());
    let guarded = |tap| host.hypervisor.json(&format!("ports {tap}"))[0]["vm"].clone();
    assert_eq!((guarded("vnet1"), guarded("vnet2")), (nic.vm.as_str().into(), next.vm.as_str().into()));
    assert_eq!(host.hypervisor.programs("vnet1"), 2);
    assert!(host.opens(&host.vm, 22));
    assert_eq!(host.sends_from(&host.vm, VM_PRIVACY), Reason::SourcePrivacy);
    assert_eq!(host.sends_from(&twin, address(&host.vm)), Reason::SourceSpoofed);

    // One of them crashes: its name, rules and addresses are not the other's.
    host.hypervisor.netns.ip("link del vnet1");
    eventually("the other's port", || (guarded("vnet2") == next.vm).then_some(()));
    agent.done(&next.checked());
    assert_eq!(host.sends_from(&twin, address(&host.vm)), Reason::SourceSpoofed);
    agent.end(&nic.vm);
    agent.done("cleanup_rules");
    assert!(!host.hypervisor.site.path("data/cloudstack/i-2-5-VM.json").exists());
}

/// On two networks one VM can have it too: whichever of its taps the calls are about, none is open.
#[test]
fn one_vm_with_two_nics_of_one_mac() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.nic());
    let twin = host.hypervisor.tapped("vnet2", host.vm.mac, Ip::Silent);
    let flags = nic.flags.replace("2001:db8:100:", "2001:db8:200:");
    let second = Nic { interface: "vnet2".to_owned(), flags, ..nic.clone() };
    agent.run(&nic.vm, 1, &[&nic, &second]);
    agent.done(&nic.started());
    agent.done(&nic.ruled(3, SSH));
    let elsewhere = address(&twin).to_string().replace("2001:db8:100:", "2001:db8:200:").parse().expect("an address");
    let reached = |guest: &Guest, at| host.judged(guest, Direction::ToVm, STRANGER, at, tcp(4001, 22, SYN));
    assert_eq!(reached(&host.vm, address(&host.vm)), Reason::Allowed);
    assert_eq!(
        (reached(&twin, address(&twin)), reached(&twin, elsewhere)),
        (Reason::NotForThisVm, Reason::NotForThisVm)
    );
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::Allowed);
    assert_eq!(host.sends_from(&twin, address(&host.vm)), Reason::SourceSpoofed);
    daemon.wait_for("calls for vnet2 cannot be told from those for another");
    // The agent speaks of the other: the calls are that one's, and the first is not let go.
    agent.done(&second.started());
    assert_eq!((host.hypervisor.programs("vnet1"), host.hypervisor.programs("vnet2")), (2, 2));
    assert_eq!(reached(&host.vm, address(&host.vm)), Reason::NotForThisVm);
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::SourceSpoofed);
    // One is unplugged: what is left is no twin.
    host.hypervisor.netns.ip("link del vnet1");
    agent.run(&nic.vm, 1, &[&second]);
    agent.done(&second.checked());
    agent.done(&second.ruled(4, SSH));
    assert_eq!(reached(&twin, elsewhere), Reason::Allowed);
    daemon.assert_never("ERROR");
}

/// A router's tap is nobody else's, though a tenant has a NIC with its MAC but for the first octet, whose own tap goes.
#[test]
fn a_tap_of_somebody_else_with_the_same_mac() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let agent = host.agent();
    let router = host.another("vnet2", 4);
    let mut mac = router.mac;
    mac.octets[0] = 0x02;
    agent.run("r-4-VM", 4, &[&Nic::new(4, &router)]);
    let tenant = host.hypervisor.tapped("vnet3", mac, Ip::Silent);
    let nic = Nic::new(6, &tenant);
    agent.run(&nic.vm, 6, &[&nic]);
    agent.done(&nic.started());
    let programs = || ["vnet2", "vnet3"].map(|tap| host.hypervisor.programs(tap));
    assert_eq!(programs(), [0, 2]);
    // It crashes: the router's is the only tap left that has the MAC.
    host.hypervisor.netns.ip("link del vnet3");
    agent.end(&nic.vm);
    agent.done("can_bridge_firewall --privnic up0");
    assert_eq!(host.hypervisor.programs("vnet2"), 0);
    // The router is started again: nothing was said yet of the tap that it has now.
    host.hypervisor.netns.ip("link del vnet2");
    let _router = host.another("vnet2", 4);
    agent.done("can_bridge_firewall --privnic up0");
    assert_eq!(host.hypervisor.programs("vnet2"), 0);
    // It is taken leave of, and forgotten though a tap with its MAC is there.
    agent.done(&nic.stopped());
    eventually("the record's end", || {
        (!host.hypervisor.site.path("data/cloudstack/i-2-6-VM.json").exists()).then_some(())
    });
    assert_eq!(host.hypervisor.programs("vnet2"), 0);
    daemon.assert_never("ERROR");
}
