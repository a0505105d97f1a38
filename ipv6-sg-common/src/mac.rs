//! Ethernet addresses.

use core::fmt;
use core::str::FromStr;

/// A 48-bit Ethernet address, first octet on the wire first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Mac {
    /// The six octets.
    pub octets: [u8; 6],
}

/// The octets of a 64-bit load at a MAC that belong to it.
const MAC_OF_WORD: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);

impl Mac {
    /// The MAC at the start of an 8-byte memory image.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        let [a, b, c, d, e, f, _, _] = word.to_ne_bytes();
        Self { octets: [a, b, c, d, e, f] }
    }

    /// The memory image, zero-padded to 8 bytes.
    #[inline(always)]
    pub const fn word(&self) -> u64 {
        let [a, b, c, d, e, f] = self.octets;
        u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
    }

    /// Whether the first six octets of the memory image `word` are this MAC, in one comparison.
    #[inline(always)]
    pub const fn starts(&self, word: u64) -> bool {
        word & MAC_OF_WORD == self.word()
    }

    /// Group addresses, broadcast included.
    #[inline(always)]
    pub const fn is_multicast(&self) -> bool {
        let [first, ..] = self.octets;
        first & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.octets;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not six hexadecimal octets joined by colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMac;

impl fmt::Display for NotAMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address: six hexadecimal octets joined by colons are wanted, like 06:7a:88:00:00:8b")
    }
}

impl core::error::Error for NotAMac {}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut parts = text.split(':');
        let mut octets = [0; 6];
        for octet in &mut octets {
            let part = parts.next().ok_or(NotAMac)?;
            // from_str_radix takes a sign, which a MAC has not.
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(NotAMac);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| NotAMac)?;
        }
        if parts.next().is_some() {
            return Err(NotAMac);
        }
        Ok(Self { octets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac: Mac = "06:7a:88:00:00:8b".parse().expect("a MAC");
        assert_eq!(mac.to_string(), "06:7a:88:00:00:8b");
        assert_eq!("6:7A:88:0:0:8b".parse(), Ok(mac));
        for bad in [
            "",
            "06:7a:88:00:00",
            "06:7a:88:00:00:8b:00",
            "06-7a-88-00-00-8b",
            "+6:7a:88:00:00:8b",
            "067a8800008b",
            "g6:7a:88:00:00:8b",
            "006:7a:88:00:00:8b",
            "06:7a:88:00:00:",
        ] {
            assert_eq!(bad.parse::<Mac>(), Err(NotAMac), "{bad}");
        }
    }

    #[test]
    fn words() {
        let mac = Mac { octets: [6, 0x7a, 0x88, 0, 0, 0x8b] };
        assert_eq!(Mac::from_word(mac.word()), mac);
        assert!(mac.starts(u64::from_ne_bytes([6, 0x7a, 0x88, 0, 0, 0x8b, 0x86, 0xdd])));
        assert!(!mac.starts(u64::from_ne_bytes([6, 0x7a, 0x88, 0, 0, 0x8c, 0, 0])));
        assert!(!mac.is_multicast());
        assert!(Mac { octets: [0x33, 0x33, 0, 0, 0, 1] }.is_multicast());
    }
}
