//! PostgreSQL knows prefixes, and excludes what overlaps. By an SP-GiST index, which is a tree of bits: with GiST each prefix costs more
//! than the one before, and the millionth some milliseconds.

use super::Piece;
use crate::kea::changes::CHANNEL;
use crate::kea::reservations::{HW_ADDRESS, PREFIX};

/// A row's prefix, whatever the type of its column.
const NETWORK: &str = "network(set_masklen(address::inet, prefix_len::int))";

pub(super) fn pieces() -> Vec<Piece> {
    let constraint = |name: &'static str, purpose, rule: String| Piece {
        name,
        purpose,
        exists: format!(
            "SELECT 1 FROM pg_constraint WHERE conname = '{name}' AND conrelid = to_regclass('ipv6_reservations')"
        ),
        make: format!("ALTER TABLE ipv6_reservations ADD CONSTRAINT {name} {rule}"),
        needs_others: false,
    };
    let canonical =
        format!("CHECK (type <> 2 OR (family(address::inet) = 6 AND host({NETWORK}) = host(address::inet)))");
    let no_overlap = format!("EXCLUDE USING spgist ({NETWORK} inet_ops WITH &&) WHERE (type = 2)");
    vec![
        constraint("ipv6_sg_canonical", "a prefix is one of IPv6, without host bits", canonical),
        constraint("ipv6_sg_no_overlap", "no two prefixes overlap", no_overlap),
        Piece {
            name: "ipv6_sg_order",
            purpose: "prefixes in their order, in which gaps are looked for",
            exists: "SELECT 1 FROM pg_class WHERE oid = to_regclass('ipv6_sg_order')".to_owned(),
            make: format!("CREATE INDEX ipv6_sg_order ON ipv6_reservations (({NETWORK})) WHERE type = 2"),
            needs_others: false,
        },
        Piece {
            name: "ipv6_sg_tell",
            purpose: "hypervisors hear of a change at once, and of whose it is",
            // An earlier `pd init` made one that told nothing of whose it was, on `hosts` too.
            exists: "SELECT 1 FROM (SELECT COUNT(*) AS own, COUNT(*) FILTER (WHERE tgname = 'ipv6_sg_tell' AND \
                     (tgtype & 1 = 0 OR tgrelid = to_regclass('hosts'))) AS earlier FROM pg_trigger \
                     WHERE (tgname IN ('ipv6_sg_tell', 'ipv6_sg_tell_all') AND tgrelid = to_regclass('ipv6_reservations')) \
                     OR (tgname IN ('ipv6_sg_tell', 'ipv6_sg_tell_host') AND tgrelid = to_regclass('hosts'))) t \
                     WHERE own = 3 AND earlier = 0"
                .to_owned(),
            make: tell(),
            needs_others: false,
        },
    ]
}

/// What is told: the MAC whose reservations have changed, in hexadecimal, or nothing where that may be any. Functions keep to the
/// tables they were made for, wherever whoever writes looks for his.
fn tell() -> String {
    let function = |name: &str, body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS \
             $$ BEGIN {body} RETURN NULL; END $$;"
        )
    };
    let trigger = |name: &str, when: &str, table: &str, each: &str, function: &str| {
        format!(
            "DROP TRIGGER IF EXISTS {name} ON {table}; \
             CREATE TRIGGER {name} AFTER {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}();"
        )
    };
    let of_reservation = |row: &str| {
        format!(
            "PERFORM pg_notify('{CHANNEL}', encode(dhcp_identifier, 'hex')) FROM hosts \
             WHERE host_id = {row}.host_id AND dhcp_identifier_type = {HW_ADDRESS} AND {row}.type = {PREFIX};"
        )
    };
    let of_host = |row: &str| {
        format!(
            "PERFORM pg_notify('{CHANNEL}', encode({row}.dhcp_identifier, 'hex')) \
             WHERE {row}.dhcp_identifier_type = {HW_ADDRESS};"
        )
    };
    let both = |of: &dyn Fn(&str) -> String| {
        let (old, new) = (of("OLD"), of("NEW"));
        format!("IF TG_OP <> 'INSERT' THEN {old} END IF; IF TG_OP <> 'DELETE' THEN {new} END IF;")
    };
    let (reservations, hosts) = ("ipv6_reservations", "hosts");
    let text = [
        "DROP TRIGGER IF EXISTS ipv6_sg_tell ON hosts;".to_owned(),
        function("ipv6_sg_tell", &both(&of_reservation)),
        function("ipv6_sg_tell_host", &both(&of_host)),
        function("ipv6_sg_tell_all", &format!("PERFORM pg_notify('{CHANNEL}', '');")),
        trigger("ipv6_sg_tell_host", "UPDATE OR DELETE", hosts, "ROW", "ipv6_sg_tell_host"),
        trigger("ipv6_sg_tell_all", "TRUNCATE", reservations, "STATEMENT", "ipv6_sg_tell_all"),
        trigger("ipv6_sg_tell", "INSERT OR UPDATE OR DELETE", reservations, "ROW", "ipv6_sg_tell"),
    ];
    text.join(" ").trim_end_matches(';').to_owned()
}
