//! Frames out of a capture file, pcap or pcapng.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, TsResolution};

use super::Input;

/// The first block type of a pcapng file; a palindrome, whatever the byte order.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Shows every frame of a file to `judge`, one after the other.
pub(super) fn each(path: &Path, judge: impl FnMut(&Input) -> Result<()>) -> Result<()> {
    if path.as_os_str() == "-" {
        return read(io::stdin().lock(), judge).context("standard input");
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    read(file, judge).with_context(|| path.display().to_string())
}

fn read(mut source: impl Read, judge: impl FnMut(&Input) -> Result<()>) -> Result<()> {
    let mut magic = [0; 4];
    source.read_exact(&mut magic).context("not a capture; pcap or pcapng is wanted")?;
    let whole = magic.chain(source);
    if magic == PCAPNG { pcapng(whole, judge) } else { pcap(whole, judge) }
}

fn pcap(source: impl Read, mut judge: impl FnMut(&Input) -> Result<()>) -> Result<()> {
    let mut reader = PcapReader::new(source).context("not a capture; pcap or pcapng is wanted")?;
    let header = reader.header();
    ethernet(header.datalink)?;
    let fraction = match header.ts_resolution {
        TsResolution::MicroSecond => 1_000,
        TsResolution::NanoSecond => 1,
    };
    // The crate's checked packets refuse those that were cut to the snapshot length; the raw ones are as they are.
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet.context("the capture is damaged or cut off")?;
        let time = Duration::from_secs(packet.ts_sec.into())
            + Duration::from_nanos(u64::from(packet.ts_frac).saturating_mul(fraction));
        judge(&input(&packet.data, packet.orig_len, time)?)?;
    }
    Ok(())
}

fn pcapng(source: impl Read, mut judge: impl FnMut(&Input) -> Result<()>) -> Result<()> {
    let mut reader = PcapNgReader::new(source).context("not a capture; pcap or pcapng is wanted")?;
    // Frames without a time of their own are as old as the one before.
    let mut time = Duration::ZERO;
    while let Some(block) = reader.next_block() {
        let block = block.context("the capture is damaged or cut off")?;
        let (interface, data, length, ticks) = match &block {
            Block::EnhancedPacket(packet) => {
                (packet.interface_id, &packet.data, packet.original_len, Some(packet.timestamp.as_nanos()))
            }
            Block::Packet(packet) => {
                (packet.interface_id.into(), &packet.data, packet.original_len, Some(packet.timestamp.into()))
            }
            Block::SimplePacket(packet) => (0, &packet.data, packet.original_len, None),
            _ => continue,
        };
        let (data, ticks) = (data.to_vec(), ticks);
        drop(block);
        let Some(interface) = usize::try_from(interface).ok().and_then(|index| reader.interfaces().get(index)) else {
            bail!("a frame on interface {interface}, which the capture does not describe");
        };
        ethernet(interface.linktype)?;
        if let Some(ticks) = ticks {
            time = since_the_epoch(ticks, interface);
        }
        judge(&input(&data, length, time)?)?;
    }
    Ok(())
}

fn ethernet(link: DataLink) -> Result<()> {
    if link != DataLink::ETHERNET {
        bail!("frames of link type {}, and Ethernet is wanted; capture on the tap itself", u32::from(link));
    }
    Ok(())
}

/// A simple packet block pads its data, so no frame is longer than it says.
fn input(data: &[u8], length: u32, time: Duration) -> Result<Input> {
    let length = usize::try_from(length)?;
    Ok(Input { bytes: data.get(..length).unwrap_or(data).to_vec(), length, time })
}

/// The crate hands over the file's ticks as if they were nanoseconds; the interface says what they are (10⁻⁶ s, if it
/// says nothing).
fn since_the_epoch(ticks: u128, interface: &InterfaceDescriptionBlock<'_>) -> Duration {
    let resolution = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    let per_second = match resolution.unwrap_or(6) {
        binary @ 0x80.. => 2_u128.checked_pow(u32::from(binary & 0x7f)),
        decimal => 10_u128.checked_pow(decimal.into()),
    };
    let per_second = per_second.unwrap_or(u128::MAX);
    let fraction = (ticks % per_second).saturating_mul(1_000_000_000) / per_second;
    Duration::from_secs(u64::try_from(ticks / per_second).unwrap_or(u64::MAX))
        .saturating_add(Duration::from_nanos(u64::try_from(fraction).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
