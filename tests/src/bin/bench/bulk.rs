//! TCP as fast as one processor carries it, in the large segments that guests send.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ipv6_sg_tests::lab::{Guest, PATIENCE};

use crate::sample::TCP_PORT;
use crate::sender::{processor_time, stay};

/// For each call into the kernel.
const CHUNK: usize = 256 * 1024;

/// A connection, both ends of it.
pub struct Connection {
    from: TcpStream,
    to: TcpStream,
    chunk: Vec<u8>,
}

impl Connection {
    /// From one guest to another's address.
    ///
    /// # Errors
    /// It does not come about.
    pub fn open(from: &Guest, to: &Guest, address: Ipv6Addr) -> Result<Self> {
        let listener = to.netns.inside(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, TCP_PORT)))?;
        let from = from.netns.inside(|| TcpStream::connect_timeout(&(address, TCP_PORT).into(), PATIENCE));
        let from = from.with_context(|| format!("no connection to {address}"))?;
        let (to, _) = listener.accept()?;
        from.set_nonblocking(true)?;
        to.set_nonblocking(true)?;
        Ok(Self { from, to, chunk: vec![0x5a; CHUNK] })
    }

    /// Bytes for each second of processor time, sender and receiver together.
    ///
    /// # Errors
    /// The connection breaks.
    pub fn carry(&mut self, time: Duration) -> Result<f64> {
        let turn = || {
            stay()?;
            let (began, used) = (Instant::now(), processor_time()?);
            let mut bytes = 0;
            while began.elapsed() < time {
                done(self.from.write(&self.chunk))?;
                bytes += done(self.to.read(&mut self.chunk))?;
            }
            ensure!(bytes > 0, "nothing arrives");
            let used = processor_time()?.saturating_sub(used);
            Ok(f64::from(u32::try_from(bytes)?) / used.as_secs_f64())
        };
        // On a thread of its own, which alone stays on one processor.
        thread::scope(|scope| scope.spawn(turn).join()).map_err(|_| anyhow::anyhow!("a turn panicked"))?
    }
}

/// How much was done, if only nothing for now.
fn done(result: std::io::Result<usize>) -> Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => Ok(other?),
    }
}
