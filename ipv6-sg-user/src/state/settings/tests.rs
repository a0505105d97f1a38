use std::time::Duration;

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
    let pd = written.pd.as_ref().expect("an example");
    assert!(pd.database.password_file.is_some());
    let (cloudstack, source) = (Cloudstack { ipv4_script: None, ..written.cloudstack }, Source::default());
    assert_eq!(Settings { metrics: None, cloudstack, pd: None, source, ..written }, Settings::default());
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
        [pd]
        pool = "2001:db8:f000::/40"
        length = 56
        reserved = ["2001:db8:f000::/48"]
        rest = "12h"
        subnet_id = 2
        database = "postgresql://kea@/kea?host=/run/postgresql"
        password_file = "/j"
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
        pd: Some(Pd {
            pool: "2001:db8:f000::/40".parse().unwrap(),
            length: 56,
            reserved: vec!["2001:db8:f000::/48".parse().unwrap()],
            rest: Duration::from_secs(12 * 3600),
            subnet_id: 2,
            database: Database {
                url: "postgresql://kea@/kea?host=/run/postgresql".into(),
                password_file: Some("/j".into()),
            },
        }),
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
             `xdp`, `ipv4`, `echo`, `quarantine`, `metrics`, `conntrack`, `cloudstack`, `pd`, \
             `source` in `xpd = \"off\"`",
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

/// `[pd]` with this line in the place of its like.
fn pd(line: &str) -> Result<Settings, String> {
    let name = line.split(' ').next().unwrap();
    let lines = ["pool = \"2001:db8:f000::/40\"", "database = \"mysql://kea@db.example/kea\""];
    let others = lines.into_iter().filter(|other| !other.starts_with(name));
    parse(&["[pd]", line].into_iter().chain(others).collect::<Vec<_>>().join("\n"))
}

#[test]
fn prefix_delegation_without_more_words() {
    let settings = pd("pool = \"2001:db8:f000::/40\"").unwrap().pd.unwrap();
    assert_eq!((settings.length, settings.subnet_id, settings.rest.as_secs()), (60, 1, 7 * 24 * 3600));
    assert_eq!(pd("pool = \"2001:db8::/62\"").unwrap().pd.unwrap().length, 62);
    assert_eq!(pd("length = 64").unwrap().pd.unwrap().length, 64);
    assert_eq!(pd("length = 40").unwrap().pd.unwrap().length, 40);
}

#[test]
fn bad_pools_and_databases() {
    let url = "not a database's URL; write one like postgresql://kea@/kea?host=/run/postgresql or \
               mysql://kea@db.example/kea";
    let password = "has a password, and others may read the settings; write it to a file of mode 600, the \
                    password_file";
    for (line, message) in [
        ("pool = \"192.0.2.0/24\"", "pd.pool = \"192.0.2.0/24\": IPv4, of which no prefixes are delegated; write a prefix of IPv6, like 2001:db8:f000::/40".to_owned()),
        ("pool = \"2001:db8::1/40\"", "pd.pool = \"2001:db8::1/40\": has host bits; write 2001:db8::/40".to_owned()),
        ("pool = \"2001:db8::\"", "pd.pool = \"2001:db8::\": no prefix length; write 2001:db8::/128 for this one address".to_owned()),
        ("pool = \"2001:db8::/65\"", "pd.pool = \"2001:db8::/65\": a pool that has no /64; write a shorter prefix".to_owned()),
        ("length = 39", "pd.length = \"39\": out of bounds; write a number from 40 to 64".to_owned()),
        ("length = 65", "pd.length = \"65\": out of bounds; write a number from 40 to 64".to_owned()),
        ("reserved = [\"2001:db8::/48\"]", "pd.reserved[0] = \"2001:db8::/48\": not inside the pool; write prefixes of 2001:db8:f000::/40".to_owned()),
        ("rest = \"soon\"", "pd.rest = \"soon\": not a duration; write one like 12h or 7d, 400d at most".to_owned()),
        ("subnet_id = 0", "pd.subnet_id = \"0\": out of bounds; write a number from 1 to 4294967294".to_owned()),
        ("database = \"sqlite:///kea\"", format!("pd.database = \"sqlite:///kea\": {url}")),
        ("database = \"mysql://kea\"", format!("pd.database = \"mysql://kea\": {url}")),
        ("database = \"mysql://kea:s3cret@db/kea\"", format!("pd.database = \"mysql://kea:…@db/kea\": {password}")),
        ("database = \"postgres:///kea?password=s3cret\"", format!("pd.database = \"postgres:///kea?…\": {password}")),
    ] {
        assert_eq!(pd(line), Err(format!("config.toml:2: {message}")));
    }
}
