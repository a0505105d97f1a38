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

impl Mac {
    /// The six octets as a number, the first one most significant: how the packet path compares MACs.
    #[inline(always)]
    pub const fn number(&self) -> u64 {
        let [a, b, c, d, e, f] = self.octets;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
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
    fn numbers() {
        let mac = Mac { octets: [6, 0x7a, 0x88, 0, 0, 0x8b] };
        assert_eq!(mac.number(), 0x067a_8800_008b);
        assert!(!mac.is_multicast());
        assert!(Mac { octets: [0x33, 0x33, 0, 0, 0, 1] }.is_multicast());
    }
}
