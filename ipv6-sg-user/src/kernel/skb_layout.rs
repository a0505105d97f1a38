//! The running kernel's layout of `struct sk_buff`, out of its own type information.

use std::fs;

use btfparse::{Error, ErrorKind, Offset, Readable, TypeInformation};
use ipv6_sg_common::abi::{SKB_WINDOW, SkbLayout};

use super::{KernelError, Result};

/// Where the kernel shows its type information.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The layout for this machine.
///
/// # Errors
/// The kernel has no type information, or no such structure in it.
pub fn of_running_kernel() -> Result<SkbLayout> {
    let bytes =
        fs::read(BTF).map_err(|error| KernelError::SkbLayout { reason: format!("cannot read {BTF}: {error}") })?;
    let unknown = |reason: String| KernelError::SkbLayout { reason: format!("{BTF}: {reason}") };
    let types = TypeInformation::new(&Bytes(bytes)).map_err(|error| unknown(error.message().to_owned()))?;
    let structure = types.id_of("sk_buff").ok_or_else(|| unknown("struct sk_buff is not in it".to_owned()))?;
    let field = |name: &str| {
        let (_, offset) =
            types.offset_of(structure, name).map_err(|error| unknown(format!("{name}: {}", error.message())))?;
        Ok(match offset {
            Offset::ByteOffset(bytes) => (bytes * 8, 16),
            Offset::BitOffsetAndSize(bits, size) => (bits, size),
        })
    };
    let fields = [
        field("ip_summed")?,
        field("encapsulation")?,
        field("csum_start")?,
        field("csum_offset")?,
        field("mac_header")?,
        field("inner_network_header")?,
    ];
    layout(fields).ok_or_else(|| unknown(format!("struct sk_buff has an unknown shape: {fields:?}")))
}

/// The layout with these fields, each given as offset and size in bits: `ip_summed`, `encapsulation`, `csum_start`,
/// `csum_offset`, `mac_header`, `inner_network_header`. `None` when it is not of the shape that the program reads.
fn layout(fields: [(u32, u32); 6]) -> Option<SkbLayout> {
    let [summed, encapsulation, numbers @ ..] = fields;
    let first = fields.into_iter().map(|(bits, _)| bits / 16).min()?;
    let word = |(bits, _): (u32, u32)| Some(bits / 16 - first).filter(|word| (*word as usize) < SKB_WINDOW / 2);
    let whole = |(bits, size): (u32, u32)| bits.is_multiple_of(16) && size == 16;
    let (ip_summed_shift, encapsulation_shift) = (summed.0 % 16, encapsulation.0 % 16);
    if summed.1 != 2 || ip_summed_shift > 14 || encapsulation.1 != 1 || !numbers.into_iter().all(whole) {
        return None;
    }
    let [start, offset, mac, inner] = numbers;
    Some(SkbLayout {
        window: first * 2,
        ip_summed: word(summed)?,
        ip_summed_shift,
        csum_start: word(start)?,
        csum_offset: word(offset)?,
        mac_header: word(mac)?,
        encapsulation: word(encapsulation)?,
        encapsulation_shift,
        inner_network_header: word(inner)?,
    })
}

struct Bytes(Vec<u8>);

impl Readable for Bytes {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)?.get(..buffer.len()));
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::IOError, "the type information ends too early"))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: [(u32, u32); 6] = [(1029, 2), (1044, 1), (1088, 16), (1104, 16), (1456, 16), (1392, 16)];

    #[test]
    fn bits_become_words_of_a_window() {
        let wanted = SkbLayout {
            window: 128,
            ip_summed: 0,
            ip_summed_shift: 5,
            csum_start: 4,
            csum_offset: 5,
            mac_header: 27,
            encapsulation: 1,
            encapsulation_shift: 4,
            inner_network_header: 23,
        };
        assert_eq!(layout(SOUND), Some(wanted));
    }

    #[test]
    fn other_shapes_are_refused() {
        for (index, other) in [
            (0, (1029, 3)),
            (0, (1039, 2)),
            (1, (1044, 2)),
            (2, (1089, 16)),
            (3, (1104, 8)),
            (4, (1536, 16)),
            (5, (1393, 16)),
        ] {
            let mut fields = SOUND;
            fields[index] = other;
            assert_eq!(layout(fields), None, "{fields:?}");
        }
    }

    #[test]
    fn type_information_may_end_anywhere() {
        assert!(TypeInformation::new(&Bytes(vec![0x9f, 0xeb, 1, 0, 24])).is_err());
    }
}
