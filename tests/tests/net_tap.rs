//! What a guest leaves to its host to finish, through a bridge without a guard: what the tests of the guard build on.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, checksum_holds, tcp};
use ipv6_sg_tests::lab::Hypervisor;
use ipv6_sg_tests::lab::tap::{GSO_TCPV6, NEEDS_CSUM, VNET_HDR, VNET_HDR_MRG_RXBUF, VnetHdr};
use ipv6_sg_tests::world::{STRANGER, VM};

/// Where the packet begins, its TCP header, and its data.
const PACKET: usize = 14;
const TCP: usize = PACKET + 40;
const DATA: usize = TCP + 20;
/// How much data a segment gets.
const SEGMENT: usize = 1400;

#[test]
fn a_super_frame_is_cut_only_for_guests_that_do_not_take_it_whole() {
    let hypervisor = Hypervisor::new();
    let capable = libc::TUN_F_CSUM | libc::TUN_F_TSO6;
    let sender = hypervisor.tap("vnet1", VNET_HDR_MRG_RXBUF, capable);
    let (whole, plain) = (hypervisor.tap("vnet2", VNET_HDR_MRG_RXBUF, capable), hypervisor.tap("vnet3", VNET_HDR, 0));

    // Ten full segments, and a last one of an odd length.
    let data: Vec<u8> = (0..10 * SEGMENT + 333).map(|at| at.to_le_bytes()[at % 2]).collect();
    let frame = Ipv6::new(VM, STRANGER, tcp(40_000, 443, 0x10).data(&data).partial_checksum()).frame(Direction::FromVm);
    let short = |number| u16::try_from(number).expect("a small number");
    let header = VnetHdr {
        flags: NEEDS_CSUM,
        gso_type: GSO_TCPV6,
        hdr_len: short(DATA),
        gso_size: short(SEGMENT),
        csum_start: short(TCP),
        csum_offset: 16,
    };
    // The bridge does not know the router's MAC: both get the frame.
    sender.send(&header, &frame.bytes);

    let got = whole.until("the super-frame", |_| true);
    assert_eq!(got[0].bytes, frame.bytes);
    // What the kernel says of the headers' length is how much of the frame lies in its linear part.
    assert_eq!(VnetHdr { hdr_len: header.hdr_len, ..got[0].header }, header);

    let last = |bytes: &[u8]| bytes.ends_with(&data[10 * SEGMENT..]);
    let segments = plain.until("the last segment", |got| last(&got.bytes));
    let mut arrived: Vec<u8> = Vec::new();
    for segment in &segments {
        assert_eq!(segment.header, VnetHdr::default(), "something is left to do");
        assert!(checksum_holds(&segment.bytes[PACKET..]), "{:02x?}", &segment.bytes[..DATA]);
        let sequence = u32::from_be_bytes(segment.bytes[TCP + 4..TCP + 8].try_into().expect("4 bytes"));
        assert_eq!(usize::try_from(sequence).expect("a small number"), 1 + arrived.len());
        assert!(segment.bytes.len() <= DATA + SEGMENT, "{} bytes", segment.bytes.len());
        arrived.extend(&segment.bytes[DATA..]);
    }
    assert_eq!((segments.len(), arrived == data), (11, true));
    assert_eq!((sender.drain(), whole.drain(), plain.drain()), (vec![], vec![], vec![]));
}
