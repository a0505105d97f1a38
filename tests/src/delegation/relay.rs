//! A router as a DHCPv6 relay that tells a VM's MAC as the Remote-ID (option 37): what large routers do, and no free relay.
//!
//! It trusts whoever is on the link, as they do: what another relay forwards it forwards again, and puts its own Remote-ID
//! around it. That no VM passes for a relay is the guard's to see to.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipv6_sg_common::mac::Mac;

use super::message::{Relayed, remote_id};
use crate::frame::dhcpv6::kind;
use crate::lab::{Netns, Wire};
use crate::world::{DHCP_AGENTS, UNSPECIFIED};

/// Where clients listen, and where relays and servers do.
const CLIENT: u16 = 546;
const SERVER: u16 = 547;

/// A running relay.
pub struct Relay {
    stop: Arc<AtomicBool>,
    forwarded: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts it for the clients on an interface of a router, whose address there is `link`.
    #[track_caller]
    pub fn start(router: &Netns, interface: &str, link: Ipv6Addr, server: Ipv6Addr) -> Self {
        let index = router.ifindex(interface).expect("an interface");
        let socket = router.inside(|| UdpSocket::bind((UNSPECIFIED, SERVER)).expect("no other relay"));
        socket.join_multicast_v6(&DHCP_AGENTS, index).expect("an interface");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
        let (stop, forwarded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut at_work =
            Work { socket, wire: Wire::open(router, interface), index, link, server, macs: HashMap::new() };
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&forwarded));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if at_work.one() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, forwarded, thread: Some(thread) }
    }

    /// How many messages of clients, and of whoever says to be a relay, it has forwarded.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Its panic has been told.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Work {
    socket: UdpSocket,
    /// Sees the frames in which datagrams come.
    wire: Wire,
    index: u32,
    link: Ipv6Addr,
    server: Ipv6Addr,
    macs: HashMap<Ipv6Addr, Mac>,
}

impl Work {
    /// Waits a little for a message, and says whether it went to the server.
    fn one(&mut self) -> bool {
        let mut bytes = [0; 2048];
        let received = self.socket.recv_from(&mut bytes);
        // A frame is on the wire before its datagram is at the socket.
        self.learn();
        let Ok((length, SocketAddr::V6(from))) = received else { return false };
        let message = &bytes[..length];
        match message.first() {
            Some(&kind::RELAY_REPLY) if *from.ip() == self.server => {
                self.answer(message);
                false
            }
            Some(_) => self.forward(message, *from.ip()),
            None => false,
        }
    }

    /// Whose MAC the addresses have that were seen last.
    fn learn(&mut self) {
        for frame in self.wire.drain() {
            if let (Some(&[0x86, 0xdd]), Some(source)) =
                (frame.get(12..14).and_then(|kind| kind.first_chunk()), frame.get(22..38))
            {
                let source = <[u8; 16]>::try_from(source).expect("16 bytes");
                let octets = frame[6..12].try_into().expect("6 bytes");
                self.macs.insert(source.into(), Mac { octets });
            }
        }
    }

    fn forward(&self, message: &[u8], peer: Ipv6Addr) -> bool {
        let Some(mac) = self.macs.get(&peer) else { return false };
        let hops = if message[0] == kind::RELAY_FORWARD { message.get(1).map_or(0, |hops| hops + 1) } else { 0 };
        let forward = Relayed { hops, peer, message }.forward(self.link, &remote_id(*mac));
        self.socket.send_to(&forward, (self.server, SERVER)).is_ok()
    }

    /// Whom it cannot be sent to does not get it.
    fn answer(&self, reply: &[u8]) {
        if let Some(Relayed { peer, message, .. }) = Relayed::read(reply) {
            let port = if message.first() == Some(&kind::RELAY_REPLY) { SERVER } else { CLIENT };
            let _ = self.socket.send_to(message, SocketAddrV6::new(peer, port, 0, self.index));
        }
    }
}
