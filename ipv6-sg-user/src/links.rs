//! The interfaces of this network namespace, as the kernel lists them. Changes nothing.
//!
//! Of each only what is needed is read, by what kernels have said for decades: there may be thousands, and each call of
//! CloudStack's agent asks anew.

use std::io;

use ipv6_sg_common::mac::Mac;
use rtnetlink::packet_core::{
    DecodeError, ErrorBuffer, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// `RTM_NEWLINK`: an interface.
const NEW_LINK: u16 = 16;
/// `sizeof(struct ifinfomsg)`, with the index behind the first four bytes.
const IFINFOMSG: usize = 16;
/// `IFLA_ADDRESS`.
const ADDRESS: u16 = 1;
/// `IFLA_IFNAME`.
const NAME: u16 = 3;
/// What the kernel puts into one datagram of a dump at most.
const DATAGRAM: usize = 1 << 16;

/// How often the list is asked for again that interfaces were coming and going under.
const ATTEMPTS: u32 = 3;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Its MAC, if it has one.
    pub mac: Option<Mac>,
}

/// All of them.
///
/// # Errors
/// The kernel does not list them.
pub fn present() -> io::Result<Vec<Link>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut attempts = 1..=ATTEMPTS;
    loop {
        let listed = list(&socket)?;
        // What is said when interfaces come and go meanwhile may leave some out; news of these is under way.
        if !listed.is_torn || attempts.next().is_none() {
            return Ok(listed.links);
        }
    }
}

/// What the kernel lists.
#[derive(Default)]
struct Listed {
    links: Vec<Link>,
    /// Interfaces came or went between one datagram and the next.
    is_torn: bool,
}

fn list(socket: &Socket) -> io::Result<Listed> {
    socket.send(&request(), 0)?;
    let (mut listed, mut datagram) = (Listed::default(), Vec::with_capacity(DATAGRAM));
    loop {
        datagram.clear();
        socket.recv(&mut datagram, 0)?;
        if listed.take(&datagram)? {
            return Ok(listed);
        }
    }
}

/// All interfaces, without their counters.
fn request() -> Vec<u8> {
    let mut wanted = LinkMessage::default();
    wanted.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(RouteNetlinkMessage::GetLink(wanted)));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

impl Listed {
    /// Takes in a datagram; whether it was the last one.
    fn take(&mut self, mut datagram: &[u8]) -> io::Result<bool> {
        while !datagram.is_empty() {
            let message = NetlinkBuffer::new_checked(datagram).map_err(|error| unreadable(&error))?;
            self.is_torn |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let error = ErrorBuffer::new_checked(message.payload()).map_err(|error| unreadable(&error))?;
                    let code = error.code().map_or(0, |code| code.get().saturating_neg());
                    return Err(io::Error::from_raw_os_error(code));
                }
                NEW_LINK => self.links.extend(link(message.payload())),
                _ => {}
            }
            let length = usize::try_from(message.length()).map_or(usize::MAX, |length| length.next_multiple_of(4));
            datagram = datagram.get(length..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// One interface; `None` for what has neither index nor name.
fn link(payload: &[u8]) -> Option<Link> {
    let (head, attributes) = payload.split_at_checked(IFINFOMSG)?;
    let ifindex = u32::from_ne_bytes(*head.get(4..)?.first_chunk()?);
    let (mut name, mut mac) = (None, None);
    for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
        match attribute.kind() {
            NAME => name = Some(String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned()),
            ADDRESS => mac = attribute.value().try_into().ok().map(|octets| Mac { octets }),
            _ => {}
        }
    }
    Some(Link { name: name?, ifindex, mac })
}

fn unreadable(error: &DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("netlink: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there() {
        let links = present().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!((lo.ifindex, lo.mac), (1, Some(Mac { octets: [0; 6] })));
        let names = nix::net::if_::if_nameindex().unwrap();
        let names: Vec<_> =
            names.iter().map(|link| (link.index(), link.name().to_string_lossy().into_owned())).collect();
        assert_eq!(links.into_iter().map(|link| (link.ifindex, link.name)).collect::<Vec<_>>(), names);
    }

    /// Whatever the kernel may come to say: no more than an error.
    #[test]
    fn what_cannot_be_read() {
        let mut listed = Listed::default();
        assert!(listed.take(&[1, 2, 3]).is_err());
        // A length beyond the end.
        assert!(listed.take(&[0xff, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        // None at all: it would be read for ever.
        assert!(listed.take(&[0; 16]).is_err());
        // An interface of half a header.
        assert!(!listed.take(&[20, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap());
        assert_eq!(listed.links, []);
        let error = [20_u8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let refused = [&error[..], &(-libc::EPERM).to_ne_bytes()].concat();
        assert_eq!(listed.take(&refused).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
