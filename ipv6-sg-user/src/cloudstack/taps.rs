//! The taps of this host, and whose they are.

use std::collections::BTreeMap;

use ipv6_sg_common::mac::Mac;

use super::libvirt::Domain;

/// The taps of this host: the MAC of each, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taps {
    by_name: BTreeMap<String, Mac>,
    /// By what libvirt gives a tap: the VM's MAC with another first octet.
    by_guest: BTreeMap<[u8; 5], Vec<String>>,
    /// Whose each is, by its name, where libvirt was asked.
    owners: BTreeMap<String, Owner>,
}

/// The NIC that a tap is of: of two NICs of one VM that have the same MAC, either.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The VM's name.
    pub vm: String,
    /// The NIC's MAC.
    pub mac: Mac,
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

    /// Whether it is known of all whose they are: by their MACs, or because libvirt said so.
    pub fn are_told_apart(&self) -> bool {
        let mut alike = self.by_guest.values().filter(|taps| taps.len() > 1).flatten();
        alike.all(|tap| self.is_told(tap))
    }

    /// Takes from libvirt whose they are: its domains that run. What it does not tell of now stays as it was told.
    pub fn tell_apart<'a>(&mut self, running: impl IntoIterator<Item = &'a Domain>) {
        for domain in running {
            for (tap, mac) in &domain.taps {
                // Another's may have the name by now.
                if self.made_for(*mac).contains(tap) {
                    self.owners.insert(tap.clone(), Owner { vm: domain.name.clone(), mac: *mac });
                }
            }
        }
    }

    /// Takes over what was told of those that `stay`.
    pub fn recall(&mut self, before: Self, stay: impl Fn(&str) -> bool) {
        let owners = before.owners.into_iter();
        let own = owners.filter(|(tap, owner)| stay(tap) && self.made_for(owner.mac).contains(tap));
        self.owners = own.collect();
    }

    /// Whether libvirt has said whose it is.
    pub fn is_told(&self, tap: &str) -> bool {
        self.owners.contains_key(tap)
    }

    /// Whose each is, by its name; nothing of those that libvirt was not asked about.
    pub const fn owners(&self) -> &BTreeMap<String, Owner> {
        &self.owners
    }

    /// Those that libvirt made for a NIC with this MAC, or for another NIC whose MAC differs in the first octet alone.
    pub fn made_for(&self, mac: Mac) -> &[String] {
        self.by_guest.get(&guest(mac)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether libvirt says that it is another NIC's than the one with this MAC of this VM.
    pub fn is_anothers(&self, tap: &str, vm: &str, mac: Mac) -> bool {
        self.owners.get(tap).is_some_and(|owner| owner.vm != vm || owner.mac != mac)
    }

    /// The tap of a VM's NIC that somebody has `named`. Where libvirt made it, the MAC decides: the agent names the tap of a VM's
    /// first NIC for all of them. `None` when what was named is the tap of another NIC. A tap that `is_said` was made for
    /// another NIC whose MAC gives a tap the same one.
    pub fn of<'a>(&'a self, vm: &str, mac: Mac, named: &'a str, is_said: impl Fn(&str) -> bool) -> Option<&'a str> {
        let made = || self.made_for(mac).iter().filter(|tap| !self.is_anothers(tap, vm, mac));
        if made().any(|tap| tap == named) {
            return Some(named);
        }
        if let Some(free) = made().find(|tap| !is_said(tap)) {
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
            assert_eq!(present.of("a", guest, "vnet1", |_| false), wanted, "{present:?}");
            assert_eq!(present.made_for(guest).len(), made, "{present:?}");
        }
        // Those that are said to be others' are not its own.
        let present = taps(&[("vnet0", "fe:7a:88:00:00:01"), ("vnet2", "fe:7a:88:00:00:01")]);
        let of =
            |named, anothers: &[&str]| present.of("a", mac("02:7a:88:00:00:01"), named, |tap| anothers.contains(&tap));
        assert_eq!(of("vnet1", &["vnet0"]), Some("vnet2"));
        assert_eq!(of("vnet1", &["vnet0", "vnet2"]), Some("vnet1"));
        assert_eq!(of("", &["vnet0", "vnet2"]), None);
    }

    #[test]
    fn whose_they_are() {
        let mac = |text: &str| text.parse::<Mac>().unwrap();
        let (one, other) = ("06:7a:88:00:00:01", "02:7a:88:00:00:01");
        let tap = |name: &str| (name.to_owned(), mac("fe:7a:88:00:00:01"));
        let domain = |name: &str, taps: &[(&str, &str)]| Domain {
            name: name.to_owned(),
            id: None,
            taps: taps.iter().map(|(tap, text)| ((*tap).to_owned(), mac(text))).collect(),
        };
        let mut taps = Taps::new(["vnet1", "vnet2", "vnet3"].map(tap));
        assert!(!taps.are_told_apart() && Taps::new([tap("vnet1")]).are_told_apart());
        let running = [
            domain("a", &[("vnet1", one), ("vnet9", one)]),
            domain("b", &[("vnet2", other)]),
            // The name is of another MAC's.
            domain("c", &[("vnet3", "06:7a:88:00:00:03")]),
        ];
        taps.tell_apart(&running);
        assert!(!taps.are_told_apart());
        let owners: Vec<_> = taps.owners().iter().map(|(tap, owner)| (&**tap, &*owner.vm, owner.mac)).collect();
        assert_eq!(owners, [("vnet1", "a", mac(one)), ("vnet2", "b", mac(other))]);
        assert_eq!(taps.of("b", mac(other), "vnet1", |_| false), Some("vnet2"));
        // Of its own the one that is named, and else any; what libvirt says nothing of may be its.
        let of = |vm, named, said: &[&str]| taps.of(vm, mac(one), named, |tap| said.contains(&tap));
        assert_eq!(
            (of("a", "vnet1", &[]), of("a", "vnet2", &[]), of("a", "", &[])),
            (Some("vnet1"), Some("vnet1"), Some("vnet1"))
        );
        assert_eq!(
            (of("b", "vnet2", &[]), of("c", "vnet1", &[]), of("c", "", &["vnet3"])),
            (Some("vnet3"), Some("vnet3"), None)
        );
    }

    /// It holds as long as the tap is the same, and until libvirt says something else.
    #[test]
    fn what_was_told_is_not_asked_again() {
        let mac = |text: &str| text.parse::<Mac>().unwrap();
        let (one, other) = (mac("06:7a:88:00:00:01"), mac("02:7a:88:00:00:01"));
        let taps = || Taps::new(["vnet1", "vnet2", "vnet3"].map(|tap| (tap.to_owned(), mac("fe:7a:88:00:00:01"))));
        let domain =
            |name: &str, tap: &str, mac| Domain { name: name.to_owned(), id: None, taps: vec![(tap.to_owned(), mac)] };
        let mut before = taps();
        before.tell_apart(&[domain("a", "vnet1", one), domain("b", "vnet2", other), domain("c", "vnet3", one)]);
        let mut now = taps();
        now.recall(before.clone(), |tap| tap != "vnet3");
        assert_eq!(["vnet1", "vnet2", "vnet3"].map(|tap| now.is_told(tap)), [true, true, false]);
        now.tell_apart(&[domain("d", "vnet2", one)]);
        assert_eq!((now.owners()["vnet1"].vm.as_str(), now.owners()["vnet2"].vm.as_str()), ("a", "d"));
        let mut others = Taps::new([("vnet1".to_owned(), mac("fe:7a:88:00:00:09"))]);
        others.recall(before, |_| true);
        assert!(!others.is_told("vnet1"));
    }
}
