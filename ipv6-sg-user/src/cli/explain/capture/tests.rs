use proptest::prelude::*;

use super::*;

/// A file in pieces, little-endian.
fn pieces(words: &[u32], data: &[u8]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).chain(data.iter().copied()).collect()
}

fn pcap_header(magic: u32, link: u32) -> Vec<u8> {
    // Version 2.4, no zone, snapshot length 64.
    pieces(&[magic, 4 << 16 | 2, 0, 0, 64, link], &[])
}

fn pcap_packet(seconds: u32, fraction: u32, length: u32, data: &[u8]) -> Vec<u8> {
    pieces(&[seconds, fraction, u32::try_from(data.len()).unwrap(), length], data)
}

fn pcapng_block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len()).unwrap() + 12;
    [pieces(&[kind, length], &body), pieces(&[length], &[])].concat()
}

fn pcapng(link: u32, resolution: Option<u8>, packets: &[Vec<u8>]) -> Vec<u8> {
    let section = pcapng_block(0x0a0d_0d0a, &pieces(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]));
    let option = resolution.map_or(Vec::new(), |resolution| pieces(&[1 << 16 | 9, resolution.into(), 0], &[]));
    let interface = pcapng_block(1, &pieces(&[link, 0], &option));
    [section, interface, packets.concat()].concat()
}

fn enhanced(interface: u32, ticks: u64, length: u32, data: &[u8]) -> Vec<u8> {
    let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
    pcapng_block(6, &pieces(&[interface, high, low, u32::try_from(data.len()).unwrap(), length], data))
}

type Frames = Vec<(Vec<u8>, usize, Duration)>;

fn frames(file: &[u8]) -> (Frames, Result<(), String>) {
    let mut frames = Vec::new();
    let result = read(file, |input| {
        frames.push((input.bytes.clone(), input.length, input.time));
        Ok(())
    });
    (frames, result.map_err(|error| format!("{error:#}")))
}

fn message(file: &[u8]) -> String {
    frames(file).1.unwrap_err()
}

#[test]
fn pcap_in_both_resolutions() {
    for (magic, fraction) in [(0xa1b2_c3d4, 500_000), (0xa1b2_3c4d, 500_000_000)] {
        let file = [
            pcap_header(magic, 1),
            pcap_packet(3, fraction, 5, &[1; 5]),
            // Cut to the snapshot length.
            pcap_packet(4, 0, 1514, &[2; 64]),
        ]
        .concat();
        let expected = vec![(vec![1; 5], 5, Duration::from_millis(3500)), (vec![2; 64], 1514, Duration::from_secs(4))];
        assert_eq!(frames(&file), (expected, Ok(())));
    }
}

#[test]
fn pcapng_with_the_interfaces_clock() {
    for (resolution, per_second) in [(None, 1_000_000), (Some(9), 1_000_000_000), (Some(3), 1000), (Some(0x81), 2)] {
        let file = pcapng(
            1,
            resolution,
            &[enhanced(0, 7 * per_second / 2, 1514, &[1; 5]), pcapng_block(3, &pieces(&[6], &[2; 6]))],
        );
        // The simple packet has no time, and its padding is not part of it.
        let time = Duration::from_millis(3500);
        assert_eq!(frames(&file), (vec![(vec![1; 5], 1514, time), (vec![2; 6], 6, time)], Ok(())), "{resolution:?}");
    }
    // A clock that no computer has.
    let file = pcapng(1, Some(0xff), &[enhanced(0, u64::MAX, 5, &[1; 5])]);
    assert_eq!(frames(&file).0.len(), 1);
}

#[test]
fn what_cannot_be_judged() {
    assert!(message(b"").starts_with("not a capture; pcap or pcapng is wanted: "), "{}", message(b""));
    assert!(message(b"#!/bin/sh\nexit 0 # a script").starts_with("not a capture; pcap or pcapng is wanted: "));
    let raw_ip = "frames of link type 101, and Ethernet is wanted; capture on the tap itself";
    assert_eq!(message(&pcap_header(0xa1b2_c3d4, 101)), raw_ip);
    assert_eq!(message(&pcapng(101, None, &[enhanced(0, 0, 5, &[1; 5])])), raw_ip);
    assert_eq!(
        message(&pcapng(1, None, &[enhanced(1, 0, 5, &[1; 5])])),
        "a frame on interface 1, which the capture does not describe"
    );
    // What comes before the damage is judged.
    let whole = [pcap_header(0xa1b2_c3d4, 1), pcap_packet(0, 0, 5, &[1; 5]), pcap_packet(0, 0, 5, &[1; 5])].concat();
    let (frames, result) = frames(whole.get(..whole.len() - 1).unwrap());
    assert_eq!(frames.len(), 1);
    assert!(result.unwrap_err().starts_with("the capture is damaged or cut off: "));
}

proptest! {
    #[test]
    fn damaged_files_are_errors_and_never_panics(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        ng in any::<bool>(),
    ) {
        let packets = [enhanced(0, 5, 60, &[1; 60]), pcapng_block(3, &pieces(&[6], &[2; 6])), enhanced(0, 6, 9, &[1; 9])];
        let mut file = if ng {
            pcapng(1, Some(9), &packets)
        } else {
            [pcap_header(0xa1b2_c3d4, 1), pcap_packet(0, 0, 60, &[1; 60]), pcap_packet(0, 0, 9, &[1; 9])].concat()
        };
        for (index, byte) in flips {
            let index = index.index(file.len());
            file[index] = byte;
        }
        file.truncate(cut.index(file.len()) + 1);
        let (frames, _) = frames(&file);
        prop_assert!(frames.iter().all(|(bytes, length, _)| bytes.len() <= *length));
    }
}
