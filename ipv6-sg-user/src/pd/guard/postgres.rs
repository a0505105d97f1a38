//! PostgreSQL knows prefixes, and excludes what overlaps. By an SP-GiST index, which is a tree of bits: with GiST each prefix costs more
//! than the one before, and the millionth some milliseconds.

use super::Piece;
use crate::kea::changes::CHANNEL;

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
            purpose: "hypervisors hear of a change at once",
            exists: "SELECT 1 FROM pg_trigger WHERE tgname = 'ipv6_sg_tell' \
                     AND tgrelid = to_regclass('ipv6_reservations')"
                .to_owned(),
            make: format!(
                "CREATE OR REPLACE FUNCTION ipv6_sg_tell() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$; \
                 CREATE TRIGGER ipv6_sg_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ipv6_reservations \
                 FOR EACH STATEMENT EXECUTE FUNCTION ipv6_sg_tell(); \
                 DROP TRIGGER IF EXISTS ipv6_sg_tell ON hosts; \
                 CREATE TRIGGER ipv6_sg_tell AFTER UPDATE OR DELETE ON hosts \
                 FOR EACH STATEMENT EXECUTE FUNCTION ipv6_sg_tell()"
            ),
            needs_others: false,
        },
    ]
}
