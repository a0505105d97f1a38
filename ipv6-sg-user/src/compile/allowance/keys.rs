//! Services as the kernel's table has them, there and back.

use ipv6_sg_common::abi::ServiceKey;
use ipv6_sg_common::packet::protocol;

use super::{Allowance, Service};

impl Service {
    /// The key under which a class of peers may this.
    pub const fn key(&self, class: u32) -> ServiceKey {
        match self.protocol {
            None => ServiceKey::everything(class),
            Some(protocol) => ServiceKey::prefix(class, protocol, self.number, self.bits),
        }
    }

    /// What a key says, `names_type` as its value does; `None` when nobody here would have written it.
    pub fn of(key: &ServiceKey, names_type: bool) -> Option<Self> {
        let service = match key.prefix_length.checked_sub(32)? {
            0 => Self { protocol: None, number: 0, bits: 0, names_type },
            bits => {
                let bits = u8::try_from(bits).ok()?.checked_sub(16).filter(|bits| *bits <= 16)?;
                Self { protocol: Some(key.protocol), number: u16::from_be_bytes(key.number), bits, names_type }
            }
        };
        let numbered = matches!(service.protocol, Some(protocol::TCP | protocol::UDP)) || names_type;
        let sound = service.key(key.class) == *key
            && (numbered || service.bits == 0)
            && (!names_type || service.protocol == Some(protocol::ICMPV6));
        sound.then_some(service)
    }
}

impl FromIterator<Service> for Allowance {
    /// The allowance whose [`services`](Self::services) these are.
    fn from_iter<T: IntoIterator<Item = Service>>(services: T) -> Self {
        let mut allowance = Self::default();
        let (mut tcp, mut udp, mut named) = (Vec::new(), Vec::new(), Vec::new());
        for Service { protocol, number, bits, names_type } in services {
            let last = number | u16::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            match protocol {
                None => allowance.every_protocol = true,
                Some(protocol::TCP) => tcp.push((number, last)),
                Some(protocol::UDP) => udp.push((number, last)),
                Some(protocol::ICMPV6) if names_type => named.push((number, last)),
                Some(protocol) => drop(allowance.protocols.insert(protocol)),
            }
        }
        (allowance.tcp, allowance.udp, allowance.named) =
            (tcp.into_iter().collect(), udp.into_iter().collect(), named.into_iter().collect());
        allowance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Icmpv6, PortRange, Traffic};

    #[test]
    fn keys_say_what_was_allowed() {
        let all = [
            Traffic::Tcp(PortRange { first: 1, last: 65_534 }),
            Traffic::Udp(PortRange::ALL),
            Traffic::Icmpv6(Icmpv6::Any),
            Traffic::Icmpv6(Icmpv6::Type(200)),
            Traffic::Icmpv6(Icmpv6::TypeAndCode(128, 0)),
            Traffic::Protocol(47),
            Traffic::All,
        ];
        // Every set of them.
        for set in 0..1_u32 << all.len() {
            let chosen = all.iter().enumerate().filter(|(index, _)| set >> index & 1 == 1);
            let chosen: Vec<Allowance> = chosen.map(|(_, traffic)| (*traffic).into()).collect();
            let allowance = Allowance::union(&chosen);
            let keys: Vec<_> = allowance.services().map(|service| (service.key(7), service.names_type)).collect();
            let back = keys.iter().map(|(key, names_type)| Service::of(key, *names_type).unwrap());
            assert_eq!(back.collect::<Allowance>(), allowance);
        }
    }

    #[test]
    fn keys_of_others_are_nothing() {
        for prefix_length in [0, 31, 33, 47, 65, u32::MAX] {
            let key = ServiceKey { prefix_length, ..ServiceKey::everything(1) };
            assert_eq!(Service::of(&key, false), None, "{prefix_length}");
        }
        let padded = ServiceKey { padding: 1, ..ServiceKey::one(1, 6, 22) };
        assert_eq!(Service::of(&padded, false), None);
        // What is allowed as a whole names no type, and other protocols have no numbers.
        assert_eq!(Service::of(&ServiceKey::everything(1), true), None);
        assert_eq!(Service::of(&ServiceKey::one(1, 6, 22), true), None);
        assert_eq!(Service::of(&ServiceKey::one(1, 47, 22), false), None);
        assert_eq!(Service::of(&ServiceKey::one(1, 58, 128 << 8), false), None);
    }
}
