//! Transactions that are open as long as a test wants, and who waits for them.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ipv6_sg::kea::Kind;

use super::Hosts;
use crate::lab::eventually;

/// A transaction that is open as long as it is not told to end.
pub struct Open(Child);

impl Open {
    /// Begins one with these statements, of which one may have to wait.
    #[track_caller]
    pub fn begin(hosts: &Hosts, statements: &str) -> Self {
        let mut client = hosts.client();
        let client = client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = client.spawn().expect("a client");
        client.stdin.as_mut().expect("piped").write_all(statements.as_bytes()).expect("it reads");
        Self(client)
    }

    /// Begins one, and waits until all of these statements are done.
    #[track_caller]
    pub fn hold(hosts: &Hosts, statements: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let done = hosts.server().path(&format!("{}.done", NEXT.fetch_add(1, Ordering::Relaxed)));
        let shell = if hosts.server().kind() == Kind::Postgres { "\\!" } else { "system" };
        let open = Self::begin(hosts, &format!("{statements}\n{shell} touch {}\n", done.display()));
        eventually("statements of an open transaction", || done.exists().then_some(()));
        open
    }

    /// Ends it; whether that succeeded.
    pub fn commit(self) -> bool {
        self.end("COMMIT")
    }

    /// Takes all of it back; whether that succeeded.
    pub fn roll_back(self) -> bool {
        self.end("ROLLBACK")
    }

    fn end(mut self, word: &str) -> bool {
        let mut stdin = self.0.stdin.take().expect("piped");
        // One that was refused has gone, and reads no more: how it ended says that.
        let _ = stdin.write_all(format!("{word};\n").as_bytes());
        drop(stdin);
        self.0.wait().expect("a client of ours").success()
    }
}

impl Hosts<'_> {
    /// How many transactions wait for another.
    #[track_caller]
    pub fn waiting(&self) -> u32 {
        let statement = match self.server().kind() {
            Kind::Postgres => "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock';",
            // What information_schema.innodb_trx shows grows no older than it is looked at: here, the same for ever.
            Kind::Mysql => {
                "SELECT variable_value FROM information_schema.global_status \
                 WHERE variable_name = 'innodb_row_lock_current_waits';"
            }
        };
        let text = self.sql(statement);
        text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
    }
}
