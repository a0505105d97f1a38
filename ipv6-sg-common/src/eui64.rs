//! The address a VM forms by SLAAC without privacy extensions (RFC 4862, RFC 4291 appendix A).

use crate::address::Address;
use crate::mac::Mac;

/// The modified EUI-64 interface identifier of a MAC: `ff:fe` in the middle, universal/local bit inverted.
pub const fn interface_identifier(mac: Mac) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac.octets;
    [a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]
}

/// The address with the first 64 bits of `prefix` and the MAC's interface identifier.
pub const fn slaac(prefix: Address, mac: Mac) -> Address {
    let [a, b, c, d, e, f, g, h, ..] = prefix.octets;
    let [i, j, k, l, m, n, o, p] = interface_identifier(mac);
    Address { octets: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] }
}

/// The link-local address of a MAC.
pub const fn link_local(mac: Mac) -> Address {
    slaac(Address { octets: [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }, mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_policy() {
        for (prefix, mac, expected) in [
            ("2001:db8:100::", "06:7a:88:00:00:8b", "2001:db8:100:0:47a:88ff:fe00:8b"),
            ("2a00:f10:121:b00::", "06:34:a0:00:1b:c7", "2a00:f10:121:b00:434:a0ff:fe00:1bc7"),
            ("fe80::", "fe:54:00:00:3e:05", "fe80::fc54:ff:fe00:3e05"),
        ] {
            let prefix = Address::from_ip(prefix.parse().expect("a prefix"));
            let mac: Mac = mac.parse().expect("a MAC");
            assert_eq!(slaac(prefix, mac).to_string(), expected);
        }
        let mac: Mac = "fe:54:00:00:3e:05".parse().expect("a MAC");
        assert_eq!(link_local(mac).to_string(), "fe80::fc54:ff:fe00:3e05");
    }
}
