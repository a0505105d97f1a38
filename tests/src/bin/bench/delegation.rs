//! Prefixes for VMs: the first out of a /40, and the millionth.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ipv6_sg::kea::Kind;
use ipv6_sg::pd::Pool;
use ipv6_sg::state::Pd;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::kea::{Hosts, Release, Server};

use crate::part::{Aim, Part};
use crate::table::Table;

/// Prefixes of 60 bits in the pool.
const ALL: u32 = 1 << 20;
/// So many are given one by one at each end.
const SAMPLE: u32 = 200;
/// What the last may take, in what the first take.
const FLAT: f64 = 2.0;

/// The number of the next new VM.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// What was measured in one kind of database.
struct Measured {
    first: Duration,
    last: Duration,
    found: Duration,
}

/// Measures.
///
/// # Errors
/// A database refuses.
pub fn measure() -> Result<Part> {
    let mut table = Table::new(["database", "of the first 200", "of the last 200", "the first behind others'"]);
    let mut aims = Vec::new();
    for kind in [Kind::Postgres, Kind::Mysql] {
        let measured = in_one(kind)?;
        let ratio = measured.last.as_secs_f64() / measured.first.as_secs_f64();
        let what = format!("{}: the millionth takes {ratio:.2} × what the first takes, {FLAT} × at most", kind.name());
        aims.push(Aim::new(what, ratio <= FLAT));
        let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        let row = [measured.first, measured.last, measured.found].map(milliseconds);
        table.row([kind.name().to_owned()].into_iter().chain(row));
    }
    let note = format!(
        "The median of {SAMPLE} transactions, each of which gives a new VM one /60: with nothing in the pool, and to the last of \
         {ALL}. Beside it what it takes once to pass a million that others have written before the pool was set up."
    );
    Ok(Part { name: "delegation", title: "One prefix", note, tables: vec![table], aims, bars: None })
}

fn in_one(kind: Kind) -> Result<Measured> {
    let server = Server::start(kind);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let settings = settings(&hosts)?;
    runtime.block_on(set_up(&settings))?;
    let first = runtime.block_on(give(&settings, SAMPLE))?.context("some")?;
    hosts.sql("DELETE FROM hosts;");
    hosts.fill(ALL - 2 * SAMPLE);
    runtime.block_on(set_up(&settings))?;
    let found = runtime.block_on(give(&settings, 1))?.context("one")?;
    runtime.block_on(give(&settings, SAMPLE - 1))?;
    let last = runtime.block_on(give(&settings, SAMPLE))?.context("some")?;
    Ok(Measured { first, last, found })
}

fn settings(hosts: &Hosts) -> Result<Pd> {
    Ok(Pd {
        pool: "2001:db8:f000::/40".parse()?,
        length: 60,
        reserved: Vec::new(),
        rest: Duration::from_secs(3600),
        subnet_id: 1,
        database: hosts.settings(),
    })
}

async fn set_up(settings: &Pd) -> Result<()> {
    let mut pool = Pool::open(settings).await?;
    pool.set_up().await?;
    pool.close().await;
    Ok(())
}

/// Gives so many new VMs a prefix each; the median of what that takes.
async fn give(settings: &Pd, count: u32) -> Result<Option<Duration>> {
    let mut pool = Pool::open(settings).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        let [a, b, c, d] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mac = Mac { octets: [0x0a, 0, a, b, c, d] };
        let start = Instant::now();
        pool.allocate(&format!("vm-{mac}"), mac, 1, 60).await?;
        times.push(start.elapsed());
    }
    pool.close().await;
    times.sort();
    Ok(times.get(times.len() / 2).copied())
}
