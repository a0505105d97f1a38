//! The order in which a packet is looked at.

use super::Reason;

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

impl Reason {
    /// The step that decides with this reason; every earlier step had no objection.
    pub const fn step(self) -> Step {
        use Reason::*;
        match self {
            Quarantined => Step::Quarantine,
            Ipv4 | Arp | FrameTruncated | MacSpoofed | NotForThisMac | VlanTagged | LengthTyped | EtherType
            | Ipv4Disabled | Ipv4Offload => Step::Layer2,
            Ipv6Truncated | Ipv6Version | Ipv6Jumbogram | Ipv6PayloadLength => Step::Ipv6Header,
            TooManyHeaders | ExtensionTruncated | HopByHopNotFirst | RoutingType0 | RoutingSegmentsLeft
            | RoutingTunnel | FragmentTwice | FragmentEmpty | FragmentLength | FragmentTooLong | FragmentHeadless => {
                Step::ExtensionHeaders
            }
            UpperTruncated | Icmpv4 | ChecksumOffload | SegmentOffload => Step::UpperHeader,
            SourceSpoofed
            | SourcePrivacy
            | SourceUnspecified
            | SourceMulticast
            | SourceLoopback
            | SourceEmbedsIpv4
            | SourceIsThisVm
            | DestinationUnspecified
            | DestinationLoopback
            | DestinationReservedScope
            | NotForThisVm => Step::Addresses,
            Fragment | FragmentUnknown | FragmentOverlap => Step::Fragments,
            RouterSolicitation
            | RouterAdvertisement
            | NeighbourSolicitation
            | NeighbourAdvertisement
            | Redirect
            | Mld
            | Echo
            | IcmpError
            | Dhcpv6
            | LinkLocalTraffic
            | IcmpForbidden
            | ErrorTruncated
            | ErrorForeign
            | ErrorRouted
            | NdFragmented
            | NdHopLimit
            | NdCode
            | NdOptions
            | NdLinkLayerSpoofed
            | NdLinkLayerUnspecified
            | NsTargetMulticast
            | DadForeign
            | DadDestination
            | DadAgainstVm
            | NaForeign
            | NaAgainstVm
            | RsDestination
            | RsToVm
            | RaFromVm
            | RaSource
            | RaUnlisted
            | RedirectFromVm
            | RedirectSource
            | RedirectUnlisted
            | MldQueryFromVm
            | MldHopLimit
            | MldDestination
            | MldSource
            | Dhcpv6ServerFromVm
            | Dhcpv6NotClient
            | Dhcpv6NotServer
            | Dhcpv6Type => Step::LinkRules,
            Traffic | Established | Allowed | IcmpNeedsRule | EgressDenied | IngressDenied => Step::Rules,
        }
    }
}
