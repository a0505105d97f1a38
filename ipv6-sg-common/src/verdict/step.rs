//! The order in which a packet is looked at.

/// The checks in the order in which a packet meets them; the first that objects names the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Whether this port may send or receive at all.
    Quarantine,
    /// MAC addresses, tags, type.
    Layer2,
    /// The fixed IPv6 header.
    Ipv6Header,
    /// The header chain, fragment header included.
    ExtensionHeaders,
    /// The first bytes of the upper-layer header.
    UpperHeader,
    /// Source set, destination.
    Addresses,
    /// Whether a later fragment belongs to a packet that was judged. After the addresses: nobody may probe or fill
    /// the table with an address that is not his.
    Fragments,
    /// ND, MLD, ICMPv6 types, DHCPv6, what may use link-local addresses.
    LinkRules,
    /// Connection tracking and security-group rules.
    Rules,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 9] = [
        Self::Quarantine,
        Self::Layer2,
        Self::Ipv6Header,
        Self::ExtensionHeaders,
        Self::UpperHeader,
        Self::Addresses,
        Self::Fragments,
        Self::LinkRules,
        Self::Rules,
    ];

    /// The step for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Layer2 => "layer 2",
            Self::Ipv6Header => "IPv6 header",
            Self::ExtensionHeaders => "extension headers",
            Self::UpperHeader => "upper-layer header",
            Self::Fragments => "fragments",
            Self::Addresses => "addresses",
            Self::LinkRules => "ND, MLD, ICMPv6, DHCPv6, link-local",
            Self::Rules => "security-group rules",
        }
    }
}
