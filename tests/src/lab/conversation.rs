//! A long TCP connection between the kernels of two guests, with data under way all the time in both directions.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Netns, PATIENCE, eventually, slowness};

/// Between a number and the next.
const PACE: Duration = Duration::from_micros(300);

/// Numbers that a client sends in their order and a server sends back.
pub struct Conversation {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    writer: JoinHandle<u64>,
    reader: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl Conversation {
    /// Opens it to this port of a server.
    #[track_caller]
    pub fn start(server: &Netns, (address, port): (Ipv6Addr, u16), client: &Netns) -> Self {
        let listener = server.inside(|| TcpListener::bind((address, port)).expect("a free port"));
        let patience = PATIENCE.saturating_mul(slowness());
        let stream = client.inside(|| TcpStream::connect_timeout(&(address, port).into(), patience));
        let stream = stream.expect("a connection");
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("the connection");
            let mut from = patient(&stream, patience);
            io::copy(&mut from, &mut &stream).expect("everything back");
            stream.shutdown(Shutdown::Write).expect("a connection");
        });

        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (mut out, mut back) = (patient(&stream, patience), stream);
        let stopped = Arc::clone(&stop);
        let writer = thread::spawn(move || {
            let mut number = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                out.write_all(&number.to_be_bytes()).expect("a connection that takes data");
                number += 1;
                thread::sleep(PACE);
            }
            out.shutdown(Shutdown::Write).expect("a connection");
            number
        });
        let count = Arc::clone(&answered);
        let reader = thread::spawn(move || {
            let mut bytes = [0; size_of::<u64>()];
            loop {
                match back.read_exact(&mut bytes) {
                    Ok(()) => assert_eq!(u64::from_be_bytes(bytes), count.fetch_add(1, Ordering::Relaxed)),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return,
                    Err(error) => panic!("after {} numbers: {error}", count.load(Ordering::Relaxed)),
                }
            }
        });
        Self { stop, answered, writer, reader, server }
    }

    /// Waits until as many more numbers have come back.
    #[track_caller]
    pub fn flow(&self, more: u64) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually("numbers that come back", || (self.answered.load(Ordering::Relaxed) >= before + more).then_some(()));
    }

    /// Ends it, and panics unless every number came back. Returns how many there were.
    #[track_caller]
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.writer.join().expect("the writer");
        self.server.join().expect("the server");
        self.reader.join().expect("the reader");
        assert_eq!(self.answered.load(Ordering::Relaxed), sent);
        sent
    }
}

/// Another handle of a connection, which gives up after a while instead of waiting for ever.
fn patient(stream: &TcpStream, patience: Duration) -> TcpStream {
    stream.set_read_timeout(Some(patience)).expect("a socket");
    stream.set_write_timeout(Some(patience)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream.try_clone().expect("a socket")
}
