use super::*;

fn parse(words: &str) -> Result<Command, String> {
    let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
    Command::parse(&words).map_err(|error| error.to_string())
}

const NIC: &str = "--vmname i-2-55-VM --vmid 55 --vmip 10.1.1.5 --vmip6 2001:db8:1::1 --vmmac 06:7a:88:00:00:8b --vif vnet11 --brname cloudbr0";

fn nic(secondary: &[Secondary]) -> Nic {
    Nic {
        vm: "i-2-55-VM".to_owned(),
        id: "55".to_owned(),
        mac: "06:7a:88:00:00:8b".parse().unwrap(),
        interface: "vnet11".to_owned(),
        ipv4: Some(Ipv4Addr::new(10, 1, 1, 5)),
        ipv6: Some("2001:db8:1::1".parse().unwrap()),
        secondary: secondary.to_vec(),
    }
}

#[test]
fn what_the_agent_calls() {
    let (vm, mac) = ("i-2-55-VM".to_owned(), "06:7a:88:00:00:8b".parse().unwrap());
    let address = Secondary::Address("2001:db8:1::100".parse().unwrap());
    let delegated = Secondary::Delegated("2001:db8:f000:10::/60".parse().unwrap());
    for (words, wanted) in [
        ("can_bridge_firewall --privnic cloudbr0".to_owned(), Command::CanBridgeFirewall),
        (
            format!("default_network_rules {NIC} --nicsecips 0; --isFirstNic --check"),
            Command::DefaultNetworkRules { nic: nic(&[]), check: true },
        ),
        (
            format!("default_network_rules {NIC} --nicsecips 10.1.1.9;2001:db8:1::100;2001:db8:f000:10::/60; --isFirstNic"),
            Command::DefaultNetworkRules { nic: nic(&[address, delegated]), check: false },
        ),
        (
            format!("add_network_rules {NIC} --sig 4a5c --seq 7 --nicsecips 0; --rules I:all;0;0;0.0.0.0/0,::/0,NEXT;"),
            Command::AddNetworkRules {
                nic: nic(&[]),
                signature: "4a5c".to_owned(),
                sequence: 7,
                rules: Rules::parse("I:all;0;0;::/0,NEXT;").unwrap(),
            },
        ),
        ("destroy_network_rules_for_vm --vmname i-2-55-VM --vif vnet11".to_owned(), Command::DestroyVm { vm: vm.clone() }),
        ("destroy_network_rules_for_vm --vmname i-2-55-VM".to_owned(), Command::DestroyVm { vm: vm.clone() }),
        (
            "destroy_network_rules_for_vm --vmname i-2-55-VM --vmmac 06:7a:88:00:00:8b --vif vnet11 --nicsecips 0;".to_owned(),
            Command::DestroyNic { vm: vm.clone(), mac },
        ),
        (
            "network_rules_vmSecondaryIp --vmname i-2-55-VM --vmmac 06:7a:88:00:00:8b --nicsecips 2001:db8:1::100 --action=-A".to_owned(),
            Command::SecondaryAddresses { vm: vm.clone(), mac, addresses: vec![address], add: true },
        ),
        (
            "network_rules_vmSecondaryIp --vmname i-2-55-VM --vmmac 06:7a:88:00:00:8b --nicsecips 10.1.1.9 --action -D".to_owned(),
            Command::SecondaryAddresses { vm: vm.clone(), mac, addresses: vec![], add: false },
        ),
        (
            "default_network_rules_systemvm --vmname r-4-VM --localbrname cloud0".to_owned(),
            Command::SystemVm { vm: "r-4-VM".to_owned() },
        ),
        ("get_rule_logs_for_vms".to_owned(), Command::GetRuleLogs),
        ("cleanup_rules".to_owned(), Command::CleanupRules),
        (
            "verify_network_rules --vmname i-2-55-VM --vmip 10.1.1.5 --vmmac 06:7a:88:00:00:8b --nicsecips 0;".to_owned(),
            Command::VerifyNetworkRules { vm, mac },
        ),
    ] {
        assert_eq!(parse(&words), Ok(wanted), "{words}");
    }
}

#[test]
fn flags_of_other_releases() {
    let wanted = Ok(Command::DefaultNetworkRules { nic: nic(&[]), check: true });
    for more in ["--directrouted --check", "--check --directrouted true", "--future=1 --check", "--check stray --x"] {
        assert_eq!(parse(&format!("default_network_rules {NIC} {more}")), wanted, "{more}");
    }
    // No rules, no secondary addresses, an address that is not there.
    let parsed = Command::parse(
        &["add_network_rules", "--vmname", "i-2-55-VM", "--vmid", "55", "--vmip", "null", "--vmip6", "", "--vmmac"]
            .into_iter()
            .chain(["06:7a:88:00:00:8b", "--vif", "vnet11", "--sig", "x", "--seq", "1", "--rules", ""])
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    );
    let Ok(Command::AddNetworkRules { nic, rules, .. }) = parsed else { panic!("{parsed:?}") };
    assert_eq!((nic.ipv4, nic.ipv6, rules), (None, None, Rules::default()));
}

#[test]
fn what_is_refused() {
    assert_eq!(Command::parse(&[]), Err(UsageError::NoCommand));
    for (words, message) in [
        ("flush_everything", r#""flush_everything" is no subcommand of the agent's"#),
        ("destroy_network_rules_for_vm --vif vnet1", "destroy_network_rules_for_vm needs --vmname"),
        (
            "default_network_rules --vmname i-2-5-VM --vmid 5 --vmmac 06:00:00:00:00:01",
            "default_network_rules needs --vif",
        ),
        (
            "network_rules_vmSecondaryIp --vmname a --vmmac 06:00:00:00:00:01 --nicsecips ::1:2 --action add",
            r#"--action "add": write -A to add, or -D to remove"#,
        ),
    ] {
        assert_eq!(parse(words), Err(message.to_owned()), "{words}");
    }
    for (flag, value) in
        [("vmmac", "06:7a"), ("vif", "an/interface"), ("vmip6", "fe80::1"), ("seq", "x"), ("rules", "I:x;")]
    {
        let words = format!("add_network_rules {NIC} --sig x --seq 1 --{flag} {value}");
        let refused = parse(&words);
        // What follows the last NEXT; is no rule.
        assert_eq!(refused.is_err(), flag != "rules", "{words}: {refused:?}");
        assert!(refused.map_or_else(|error| error.starts_with(&format!("--{flag}")), |_| true), "{words}");
    }
}
