//! What guests do all day: TCP and UDP between namespaces, with their kernels' own sockets.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::Netns;
use crate::world::UNSPECIFIED;

/// Sends so many bytes over TCP, and reads them.
#[track_caller]
pub fn transfer(to: &Netns, address: Ipv6Addr, from: &Netns, bytes: usize) {
    let listener = to.inside(|| TcpListener::bind((UNSPECIFIED, 7000)).expect("a free port"));
    let reader = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("all of it");
        all.len()
    });
    from.inside(|| {
        let patience = Duration::from_secs(20);
        let mut stream = TcpStream::connect_timeout(&(address, 7000).into(), patience).expect("a connection");
        stream.set_write_timeout(Some(patience)).expect("a socket");
        stream.write_all(&vec![0x5a; bytes]).expect("all of it");
    });
    assert_eq!(reader.join().expect("the reader"), bytes);
}

/// Sends so many datagrams of this size; each must arrive before the next is sent.
#[track_caller]
pub fn datagrams(to: &Netns, address: Ipv6Addr, from: &Netns, count: usize, size: usize) {
    let receiver = to.inside(|| UdpSocket::bind((UNSPECIFIED, 7001)).expect("a free port"));
    receiver.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let sender = from.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port"));
    for number in 0..count {
        sender.send_to(&vec![0x5a; size], (address, 7001)).expect("sent");
        let got = receiver.recv(&mut vec![0; 65_536]).unwrap_or_else(|error| panic!("datagram {number}: {error}"));
        assert_eq!(got, size);
    }
}
