//! `[source.kea]`: what is reserved in Kea's database is the VM's at its port, from the moment it is written to the moment it is
//! taken back, whether the database answers or not.

use ipv6_sg::kea::Kind;
use ipv6_sg::state::Database;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::tcp;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server, write_secret};
use ipv6_sg_tests::lab::{CloudHost, Nic, address, eventually, run};
use ipv6_sg_tests::world::STRANGER;

const FIRST: &str = "2001:db8:f000:10::/60";
const SECOND: &str = "2001:db8:f000:20::/60";

/// Flags of TCP.
const SYN: u8 = 1 << 1;
const ACK: u8 = 1 << 4;
/// What the daemon says when the database is gone.
const AWAY: &str = "Kea's database does not answer, what it last said stays: ";

/// A host whose daemon reads the database.
struct Delegated {
    host: CloudHost,
}

impl Delegated {
    fn new(database: Database, interval: u32) -> Self {
        let password = database.password_file.map(|path| format!("password_file = {path:?}")).unwrap_or_default();
        let settings = format!(
            "metrics = \"127.0.0.1:9477\"\n[source.kea]\ndatabase = {:?}\n{password}\ninterval = {interval}\n[cloudstack]",
            database.url
        );
        Self { host: CloudHost::new(&settings) }
    }

    /// What becomes of a datagram from an address of a prefix.
    #[track_caller]
    fn sends(&self, prefix: &str) -> Reason {
        let address = prefix.replace("::/60", "::5").parse().expect("an address");
        self.host.sends_from(&self.host.vm, address)
    }

    fn awaits(&self, prefix: &str, wanted: Reason) {
        eventually("what is reserved at the port", || (self.sends(prefix) == wanted).then_some(()));
    }

    fn is_up(&self) -> Option<bool> {
        let mut curl = self.host.hypervisor.netns.command("curl");
        let text = run(curl.args(["--silent", "--show-error", "http://127.0.0.1:9477/metrics"]));
        let line = text.lines().find(|line| line.starts_with("ipv6_sg_source_up{source=\"kea\"}"))?;
        Some(line.ends_with(" 1"))
    }
}

fn release(hosts: &Hosts, prefix: &str) {
    let address = prefix.split('/').next().expect("an address");
    hosts.sql(&format!("DELETE FROM ipv6_reservations WHERE address = '{address}';"));
}

/// Makes somebody who may read what is needed, and nothing more; where the database is, as that one.
fn reader(hosts: &Hosts) -> Database {
    let statements = match hosts.server().kind() {
        Kind::Postgres => "CREATE ROLE reader LOGIN; GRANT SELECT ON hosts, ipv6_reservations TO reader;".to_owned(),
        Kind::Mysql => {
            let name = hosts.sql("SELECT DATABASE();").trim().to_owned();
            write_secret(&hosts.server().path("reader.password"), "right");
            format!(
                "CREATE USER reader IDENTIFIED BY 'right'; GRANT SELECT ON {name}.hosts TO reader; \
                 GRANT SELECT ON {name}.ipv6_reservations TO reader;"
            )
        }
    };
    hosts.sql(&statements);
    hosts.settings_as("reader")
}

fn what_is_reserved_is_the_vms(kind: Kind) {
    let mut server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let delegated = Delegated::new(reader(&hosts), 5);
    let host = &delegated.host;
    let mut daemon = host.hypervisor.daemon();
    let nic = host.started();
    assert_eq!(delegated.sends(FIRST), Reason::SourceSpoofed);
    hosts.reserve(Release::Kea2_2, &nic.mac.to_string(), 1, FIRST);
    delegated.awaits(FIRST, Reason::Allowed);
    assert_eq!(delegated.sends(SECOND), Reason::SourceSpoofed);
    hosts.reserve(Release::Kea2_2, &nic.mac.to_string(), 1, SECOND);
    delegated.awaits(SECOND, Reason::Allowed);
    assert_eq!((delegated.sends(FIRST), delegated.is_up()), (Reason::Allowed, Some(true)));

    // Who had it first has it: nothing keeps these apart in a database that was not told to.
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    host.agent().run(&next.vm, 2, &[&next]);
    host.agent().done(&next.started());
    hosts.reserve(Release::Kea2_2, &next.mac.to_string(), 1, "2001:db8:f000:18::/61");
    daemon.wait_for(&format!("2001:db8:f000:18::/61 is reserved for {}, and cannot be: ", next.mac));
    assert_eq!(delegated.sends(FIRST), Reason::Allowed);
    let inside = "2001:db8:f000:18::5".parse().expect("an address");
    assert_eq!(host.sends_from(&other, inside), Reason::SourceSpoofed);
    release(&hosts, "2001:db8:f000:18::/61");

    // Taken back: what had begun ends with it.
    let packet = |flags| {
        let source = SECOND.replace("::/60", "::5").parse().expect("an address");
        host.judged(&host.vm, Direction::FromVm, source, STRANGER, tcp(999, 80, flags))
    };
    assert_eq!((packet(SYN), packet(ACK)), (Reason::Allowed, Reason::Established));
    release(&hosts, SECOND);
    delegated.awaits(SECOND, Reason::SourceSpoofed);
    assert_eq!((packet(ACK), delegated.sends(FIRST)), (Reason::SourceSpoofed, Reason::Allowed));

    // The database is away: what it last said stays, for the next daemon too.
    server.kill();
    daemon.wait_for(AWAY);
    assert_eq!((delegated.sends(FIRST), delegated.is_up()), (Reason::Allowed, Some(false)));
    drop(daemon);
    let mut daemon = host.hypervisor.daemon();
    daemon.wait_for(AWAY);
    assert_eq!(delegated.sends(FIRST), Reason::Allowed);
    server.restart();
    release(&Hosts::known(&server, Release::Kea2_2), FIRST);
    daemon.wait_for("Kea's database answers again");
    delegated.awaits(FIRST, Reason::SourceSpoofed);
    assert_eq!(delegated.is_up(), Some(true));
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::Allowed);
}

#[test]
fn what_is_reserved_in_postgresql() {
    what_is_reserved_is_the_vms(Kind::Postgres);
}

#[test]
fn what_is_reserved_in_mariadb() {
    what_is_reserved_is_the_vms(Kind::Mysql);
}

/// Once `pd init` has told the database to tell of changes, nobody waits for the next question.
#[test]
fn changes_are_heard_of_at_once() {
    let mut server = Server::start(Kind::Postgres);
    let hosts = Hosts::new(&server, Release::Kea3_0);
    let desk = Desk::new(&hosts, POOL);
    desk.done(&["init"]);
    let delegated = Delegated::new(reader(&hosts), 3600);
    let host = &delegated.host;
    let mut daemon = host.hypervisor.daemon();
    let mac = host.started().mac.to_string();
    let prefix = desk.lines(&["allocate", "--vm", "i-2-5-VM", "--mac", &mac]).remove(0);
    delegated.awaits(&prefix, Reason::Allowed);
    desk.done(&["release", "--mac", &mac]);
    delegated.awaits(&prefix, Reason::SourceSpoofed);
    // As well when it was away: nothing is missed.
    server.kill();
    daemon.wait_for(AWAY);
    server.restart();
    daemon.wait_for("Kea's database answers again");
    let desk = Desk::new(&Hosts::known(&server, Release::Kea3_0), POOL);
    let prefix = desk.lines(&["allocate", "--vm", "i-2-5-VM", "--mac", &mac]).remove(0);
    delegated.awaits(&prefix, Reason::Allowed);
}
