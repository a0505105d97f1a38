//! The taps of this host, and whose they are.

use std::collections::BTreeMap;

use ipv6_sg_common::mac::Mac;

/// The taps of this host: the MAC of each, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taps {
    by_name: BTreeMap<String, Mac>,
    /// By what libvirt gives a tap: the VM's MAC with another first octet.
    by_guest: BTreeMap<[u8; 5], Vec<String>>,
}

impl Taps {
    /// Those with these names and MACs.
    pub fn new(taps: impl IntoIterator<Item = (String, Mac)>) -> Self {
        let mut known = Self::default();
        for (name, mac) in taps {
            if is_libvirts(mac) {
                known.by_guest.entry(guest(mac)).or_default().push(name.clone());
            }
            known.by_name.insert(name, mac);
        }
        known
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Those that libvirt made for a NIC with this MAC, or for another NIC whose MAC differs in the first octet alone.
    pub fn made_for(&self, mac: Mac) -> &[String] {
        self.by_guest.get(&guest(mac)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The tap of a NIC that somebody has `named`. Where libvirt made it, the MAC decides: the agent names the tap of a VM's
    /// first NIC for all of them. `None` when what was named is the tap of another NIC. A tap that `is_anothers` was made for
    /// another NIC whose MAC gives a tap the same one.
    pub fn of<'a>(&'a self, mac: Mac, named: &'a str, is_anothers: impl Fn(&str) -> bool) -> Option<&'a str> {
        let made = self.made_for(mac);
        if made.iter().any(|tap| tap == named) {
            return Some(named);
        }
        if let Some(free) = made.iter().find(|tap| !is_anothers(tap)) {
            return Some(free);
        }
        let is_anothers = named.is_empty() || self.by_name.get(named).is_some_and(|mac| is_libvirts(*mac));
        (!is_anothers).then_some(named)
    }
}

const fn is_libvirts(mac: Mac) -> bool {
    mac.octets[0] == 0xfe
}

const fn guest(mac: Mac) -> [u8; 5] {
    let [_, a, b, c, d, e] = mac.octets;
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tap_of_a_nic() {
        let mac = |text: &str| text.parse::<Mac>().unwrap();
        let taps = |taps: &[(&str, &str)]| Taps::new(taps.iter().map(|(name, text)| ((*name).to_owned(), mac(text))));
        for (present, wanted, made) in [
            (taps(&[]), Some("vnet1"), 0),
            (taps(&[("vnet1", "fe:7a:88:00:00:01")]), Some("vnet1"), 1),
            // The agent named another NIC's.
            (taps(&[("vnet1", "fe:7a:88:00:00:09"), ("vnet4", "fe:7a:88:00:00:01")]), Some("vnet4"), 1),
            (taps(&[("vnet1", "fe:7a:88:00:00:09")]), None, 0),
            // Two VMs whose MACs differ in the first octet alone.
            (taps(&[("vnet0", "fe:7a:88:00:00:01"), ("vnet1", "fe:7a:88:00:00:01")]), Some("vnet1"), 2),
            (taps(&[("vnet0", "fe:7a:88:00:00:01"), ("vnet2", "fe:7a:88:00:00:01")]), Some("vnet0"), 2),
            // Made by somebody else: whoever named it knows.
            (taps(&[("vnet1", "52:54:00:00:00:01")]), Some("vnet1"), 0),
        ] {
            let guest = mac("06:7a:88:00:00:01");
            assert_eq!(present.of(guest, "vnet1", |_| false), wanted, "{present:?}");
            assert_eq!(present.made_for(guest).len(), made, "{present:?}");
        }
        // Those that are said to be others' are not its own.
        let present = taps(&[("vnet0", "fe:7a:88:00:00:01"), ("vnet2", "fe:7a:88:00:00:01")]);
        let of = |named, anothers: &[&str]| present.of(mac("02:7a:88:00:00:01"), named, |tap| anothers.contains(&tap));
        assert_eq!(of("vnet1", &["vnet0"]), Some("vnet2"));
        assert_eq!(of("vnet1", &["vnet0", "vnet2"]), Some("vnet1"));
        assert_eq!(of("", &["vnet0", "vnet2"]), None);
    }
}
