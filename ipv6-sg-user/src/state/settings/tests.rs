use super::*;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("config.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn nothing_written_is_the_defaults() {
    let settings = parse("").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.state_dir, Path::new("/etc/ipv6-sg/state.d"));
    assert_eq!(settings.metrics, None);
    assert_eq!(settings.conntrack.entries_per_port, 16_384);
}

/// The file that the package installs says which keys there are and what they are by default.
#[test]
fn the_packaged_file_tells_the_defaults() {
    let packaged = include_str!("../../../../packaging/config.toml");
    assert_eq!(parse(packaged), Ok(Settings::default()));
    let keys = packaged.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
    let written = parse(&keys.collect::<Vec<_>>().join("\n")).unwrap();
    for key in toml::Table::try_from(&written).unwrap().keys() {
        assert!(packaged.contains(&format!("#{key} = ")) || packaged.contains(&format!("#[{key}")), "no {key}");
    }
    // Keys without a default: there they are examples.
    let server = written.source.cloudstack.as_ref().expect("an example");
    assert!(server.host.is_some() && server.ca_file.is_some());
    assert!(written.metrics.is_some() && written.cloudstack.ipv4_script.is_some());
    let (cloudstack, source) = (Cloudstack { ipv4_script: None, ..written.cloudstack }, Source::default());
    assert_eq!(Settings { metrics: None, cloudstack, source, ..written }, Settings::default());
}

#[test]
fn everything_written() {
    let settings = parse(
        r#"
        state_dir = "/a"
        run_dir = "/b"
        data_dir = "/c"
        pin_dir = "/d"
        xdp = "auto"
        ipv4 = "drop"
        echo = "rules"
        quarantine = ["vnet*", "tap?"]
        metrics = "127.0.0.1:9477"
        [conntrack]
        entries_per_port = 1024
        [cloudstack]
        ipv4_script = "/e"
        libvirt_dir = "/f"
        [source.cloudstack]
        url = "https://mgmt.example/client/api"
        api_key_file = "/g"
        secret_key_file = "/h"
        host = "kvm1"
        interval = 30
        ca_file = "/i"
        "#,
    )
    .unwrap();
    let expected = Settings {
        state_dir: "/a".into(),
        run_dir: "/b".into(),
        data_dir: "/c".into(),
        pin_dir: "/d".into(),
        xdp: Xdp::Auto,
        ipv4: Ipv4::Drop,
        echo: Echo::Rules,
        quarantine: vec!["vnet*".into(), "tap?".into()],
        metrics: Some("127.0.0.1:9477".parse().unwrap()),
        conntrack: Conntrack { entries_per_port: 1024 },
        cloudstack: Cloudstack { ipv4_script: Some("/e".into()), libvirt_dir: "/f".into() },
        source: Source {
            cloudstack: Some(ManagementServer {
                url: "https://mgmt.example/client/api".into(),
                api_key_file: "/g".into(),
                secret_key_file: "/h".into(),
                host: Some("kvm1".into()),
                interval: 30,
                ca_file: Some("/i".into()),
            }),
        },
    };
    assert_eq!(settings, expected);
    // What is printed is read back as the same.
    assert_eq!(parse(&toml::to_string(&settings).unwrap()), Ok(expected));
}

#[test]
fn patterns_match_whole_names() {
    let settings = parse(r#"quarantine = ["vnet*", "tap?"]"#).unwrap();
    for name in ["vnet", "vnet0", "vnet11", "tap1"] {
        assert!(settings.quarantines(name), "{name}");
    }
    for name in ["eth0", "xvnet0", "tap", "tap11", "VNET1"] {
        assert!(!settings.quarantines(name), "{name}");
    }
    assert!(!Settings::default().quarantines("vnet0"));
}

#[test]
fn one_line_says_where_and_how_to_mend() {
    for (text, message) in [
        (
            "xpd = \"off\"",
            "config.toml:1:1: unknown field `xpd`, expected one of `state_dir`, `run_dir`, `data_dir`, `pin_dir`, \
             `xdp`, `ipv4`, `echo`, `quarantine`, `metrics`, `conntrack`, `cloudstack`, `source` in `xpd = \"off\"`",
        ),
        (
            "\nxdp = \"on\"",
            "config.toml:2:7: unknown variant `on`, expected one of `off`, `native`, `generic`, `auto` in \
             `xdp = \"on\"`",
        ),
        ("ipv4 = 4", "config.toml:1:8: wanted string or table in `ipv4 = 4`"),
        (
            "[conntrack]\nentries = 4",
            "config.toml:2:1: unknown field `entries`, expected `entries_per_port` in `entries = 4`",
        ),
        (
            "[conntrack]\nentries_per_port = 4",
            "config.toml:2: conntrack.entries_per_port = \"4\": out of bounds; write a number from 64 to 1048576",
        ),
        (
            "state_dir = \"state.d\"",
            "config.toml:1: state_dir = \"state.d\": not an absolute path; write one that begins with '/'",
        ),
        (
            "metrics = \"9477\"",
            "config.toml:1: metrics = \"9477\": not an address and port; write one like 127.0.0.1:9477",
        ),
        (
            "[source.cloudstack]\nurl = \"mgmt.example\"\napi_key_file = \"/a\"\nsecret_key_file = \"/b\"",
            "config.toml:2: source.cloudstack.url = \"mgmt.example\": not a URL; write one like \
             https://mgmt.example/client/api",
        ),
        (
            "[source.cloudstack]\nurl = \"https://a\"\napi_key_file = \"/a\"\nsecret_key_file = \"/b\"\ninterval = 1",
            "config.toml:5: source.cloudstack.interval = \"1\": out of bounds; write a number from 5 to 3600",
        ),
        (
            "quarantine = [\"vnet*\",\n\"a/b\"]",
            "config.toml:2: quarantine[1] = \"a/b\": matches no interface; write 1 or more characters, '*' and '?' \
             among them, without '/', ':' and white space",
        ),
    ] {
        assert_eq!(parse(text), Err(message.to_owned()));
    }
}
