//! MariaDB and MySQL know no prefixes: triggers keep an index of their first and last addresses, and refuse what overlaps. Whoever
//! writes a prefix writes one row, so that two never pass each other, at no level of isolation, and on no two nodes of a cluster: a
//! lock alone is its node's, but of two nodes that write a row one is refused.
//!
//! The index is no second record: it has nothing that the reservations have not, and goes with them.

use super::Piece;
use crate::kea::schema::Address;

pub(super) fn pieces(address: Address) -> Vec<Piece> {
    let table = |name: &'static str, purpose, make: &str| Piece {
        name,
        purpose,
        exists: format!(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{name}'"
        ),
        make: make.to_owned(),
        needs_others: false,
    };
    let routine = |name: &'static str, purpose, make: String| Piece {
        name,
        purpose,
        exists: format!(
            "SELECT 1 FROM information_schema.routines WHERE routine_schema = DATABASE() AND routine_name = '{name}'"
        ),
        make,
        needs_others: false,
    };
    let enter =
        routine("ipv6_sg_enter", "refuses what overlaps, and what is no prefix of IPv6 without host bits", enter());
    let lock = Piece {
        name: "ipv6_sg_lock",
        purpose: "one writer of prefixes at a time",
        exists: "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = 'ipv6_sg_lock' AND column_name = 'turn'"
            .to_owned(),
        make: LOCK.to_owned(),
        needs_others: false,
    };
    let locked = Piece {
        name: "ipv6_sg_lock, its row",
        purpose: "what each writer of prefixes writes",
        exists: "SELECT 1 FROM ipv6_sg_lock WHERE id = 1".to_owned(),
        make: "INSERT INTO ipv6_sg_lock (id, turn) VALUES (1, 0)".to_owned(),
        needs_others: true,
    };
    let trigger = |name: &'static str, purpose, make: &str| Piece {
        name,
        purpose,
        exists: format!(
            "SELECT 1 FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND trigger_name = '{name}'"
        ),
        make: make.to_owned(),
        needs_others: false,
    };
    let fill = Piece {
        name: "ipv6_sg_prefixes, filled",
        purpose: "the prefixes that are reserved, and no others",
        exists: is_filled(address),
        make: fill(address),
        needs_others: true,
    };
    vec![
        lock,
        table("ipv6_sg_prefixes", "first and last addresses of prefixes, in order", PREFIXES),
        routine("ipv6_sg_last", "the last address of a prefix", last()),
        Piece { exists: format!("{} AND routine_comment = '{EDITION}'", enter.exists), ..enter },
        trigger("ipv6_sg_inserted", "a prefix that is new", INSERTED),
        trigger("ipv6_sg_updated", "a prefix that has changed", UPDATED),
        locked,
        fill,
    ]
}

/// What a procedure of this text is told by from one that was installed before: its text is not shown to everybody.
const EDITION: &str = "2: its turn is written";

/// A table with one row. Before, it had no column that could be written.
const LOCK: &str = "DROP TABLE IF EXISTS ipv6_sg_lock;
CREATE TABLE ipv6_sg_lock (id TINYINT NOT NULL PRIMARY KEY, turn BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB";

/// What goes with a host goes without a trigger, by the keys alone.
const PREFIXES: &str = "CREATE TABLE ipv6_sg_prefixes (
  first_address BINARY(16) NOT NULL PRIMARY KEY,
  last_address BINARY(16) NOT NULL,
  reservation_id INT UNSIGNED NOT NULL UNIQUE,
  CONSTRAINT ipv6_sg_prefixes_reservation FOREIGN KEY (reservation_id) REFERENCES ipv6_reservations (reservation_id)
    ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE = InnoDB";

/// The last address of a prefix. Numbers have 64 bits there: the nibble in which a prefix ends is counted, and what follows is written.
fn last_of(first: &str, length: &str) -> String {
    format!(
        "IF({length} >= 128, {first}, UNHEX(CONCAT(LEFT(HEX({first}), {length} DIV 4),
    CONV(CONV(SUBSTR(HEX({first}), {length} DIV 4 + 1, 1), 16, 10) | ((1 << (4 - {length} MOD 4)) - 1), 10, 16),
    REPEAT('F', 31 - {length} DIV 4))))"
    )
}

fn last() -> String {
    format!(
        "CREATE FUNCTION ipv6_sg_last(p_first BINARY(16), p_length INT) RETURNS BINARY(16) DETERMINISTIC NO SQL
  RETURN {}",
        last_of("p_first", "p_length")
    )
}

fn enter() -> String {
    format!(
        "DROP PROCEDURE IF EXISTS ipv6_sg_enter;
CREATE PROCEDURE ipv6_sg_enter(p_id INT UNSIGNED, p_address VARBINARY(45), p_length INT) COMMENT '{EDITION}'
{ENTER}"
    )
}

const ENTER: &str = "BEGIN
  DECLARE v_first, v_last, v_before BINARY(16);
  DECLARE v_hex CHAR(32);
  DECLARE v_whole INT;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_before = NULL;
  UPDATE ipv6_sg_lock SET turn = turn + 1 WHERE id = 1;
  IF ROW_COUNT() = 0 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ipv6-sg: ipv6_sg_lock has lost its row; run `ipv6-sg pd init`';
  END IF;
  IF IS_IPV6(CONVERT(p_address USING latin1)) THEN SET v_first = INET6_ATON(CONVERT(p_address USING latin1));
  ELSEIF LENGTH(p_address) = 16 THEN SET v_first = p_address;
  ELSE SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ipv6-sg: not a prefix of IPv6';
  END IF;
  SET v_hex = HEX(v_first), v_whole = p_length DIV 4;
  IF p_length > 128 OR p_length < 128 AND (
      CONV(SUBSTR(v_hex, v_whole + 1, 1), 16, 10) & ((1 << (4 - p_length MOD 4)) - 1) <> 0
      OR SUBSTR(v_hex, v_whole + 2) <> REPEAT('0', 31 - v_whole)) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ipv6-sg: a prefix with host bits';
  END IF;
  SET v_last = ipv6_sg_last(v_first, p_length);
  SELECT last_address INTO v_before FROM ipv6_sg_prefixes WHERE first_address <= v_last
    ORDER BY first_address DESC LIMIT 1 FOR UPDATE;
  IF v_before >= v_first THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ipv6-sg: the prefix overlaps one that is reserved';
  END IF;
  INSERT INTO ipv6_sg_prefixes (first_address, last_address, reservation_id) VALUES (v_first, v_last, p_id);
END";

const INSERTED: &str = "CREATE TRIGGER ipv6_sg_inserted AFTER INSERT ON ipv6_reservations FOR EACH ROW
BEGIN
  IF NEW.type = 2 THEN CALL ipv6_sg_enter(NEW.reservation_id, NEW.address, NEW.prefix_len); END IF;
END";

/// While `kea-admin db-upgrade` changes the type of addresses, they are NULL for a moment.
const UPDATED: &str = "CREATE TRIGGER ipv6_sg_updated AFTER UPDATE ON ipv6_reservations FOR EACH ROW
BEGIN
  IF NOT (OLD.address <=> NEW.address AND OLD.prefix_len = NEW.prefix_len AND OLD.type = NEW.type) THEN
    DELETE FROM ipv6_sg_prefixes WHERE reservation_id = NEW.reservation_id;
    IF NEW.type = 2 AND NEW.address IS NOT NULL THEN
      CALL ipv6_sg_enter(NEW.reservation_id, NEW.address, NEW.prefix_len);
    END IF;
  END IF;
END";

/// The first address of a reservation `r`.
const fn first(address: Address) -> &'static str {
    match address {
        Address::Text => "INET6_ATON(r.address)",
        Address::Native => "r.address",
    }
}

/// Whether the index is what the reservations say: after somebody has restored Kea's tables, it may be another time's.
fn is_filled(address: Address) -> String {
    let first = first(address);
    let last = last_of(first, "r.prefix_len");
    format!(
        "SELECT 1 FROM (SELECT 1) one WHERE NOT EXISTS (SELECT 1 FROM ipv6_reservations r \
         LEFT JOIN ipv6_sg_prefixes p ON p.reservation_id = r.reservation_id \
         WHERE r.type = 2 AND NOT (p.first_address <=> {first} AND p.last_address <=> {last})) \
         AND NOT EXISTS (SELECT 1 FROM ipv6_sg_prefixes p \
         LEFT JOIN ipv6_reservations r ON r.reservation_id = p.reservation_id AND r.type = 2 \
         WHERE r.reservation_id IS NULL)"
    )
}

/// Makes it so, while nobody else enters anything.
fn fill(address: Address) -> String {
    let first = first(address);
    format!(
        "BEGIN;
UPDATE ipv6_sg_lock SET turn = turn + 1 WHERE id = 1;
DELETE FROM ipv6_sg_prefixes;
INSERT INTO ipv6_sg_prefixes (first_address, last_address, reservation_id)
SELECT {first}, {}, r.reservation_id FROM ipv6_reservations r WHERE r.type = 2 LOCK IN SHARE MODE;
COMMIT",
        last_of(first, "r.prefix_len")
    )
}
