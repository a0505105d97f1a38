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
    // The only key without a default: there it is an example.
    assert!(written.metrics.is_some());
    assert_eq!(Settings { metrics: None, ..written }, Settings::default());
    for key in toml::Table::try_from(Settings::default()).unwrap().keys() {
        assert!(packaged.contains(&format!("#{key} = ")) || packaged.contains(&format!("#[{key}]")), "no {key}");
    }
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
             `xdp`, `ipv4`, `echo`, `quarantine`, `metrics`, `conntrack` in `xpd = \"off\"`",
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
            "quarantine = [\"vnet*\",\n\"a/b\"]",
            "config.toml:2: quarantine[1] = \"a/b\": matches no interface; write 1 or more characters, '*' and '?' \
             among them, without '/', ':' and white space",
        ),
    ] {
        assert_eq!(parse(text), Err(message.to_owned()));
    }
}
