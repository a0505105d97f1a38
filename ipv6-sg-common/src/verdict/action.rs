//! The one place that turns a reason into an action.

use super::Reason;

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a verdict that nobody applies is an open port"]
pub enum Action {
    /// On to whatever else looks at this tap.
    Pass,
    /// Final.
    Drop,
}

impl Reason {
    /// Pass or drop: the only place that decides it.
    #[inline(always)]
    pub const fn action(self) -> Action {
        use Reason::*;
        match self {
            Ipv4
            | Arp
            | Traffic
            | Established
            | Allowed
            | Fragment
            | RouterSolicitation
            | RouterAdvertisement
            | NeighbourSolicitation
            | NeighbourAdvertisement
            | Redirect
            | Mld
            | Echo
            | IcmpError
            | Dhcpv6 => Action::Pass,
            Quarantined
            | FrameTruncated
            | MacSpoofed
            | NotForThisMac
            | VlanTagged
            | LengthTyped
            | EtherType
            | Ipv4Disabled
            | Ipv4Offload
            | Ipv6Truncated
            | Ipv6Version
            | Ipv6Jumbogram
            | Ipv6PayloadLength
            | TooManyHeaders
            | ExtensionTruncated
            | HopByHopNotFirst
            | RoutingType0
            | RoutingSegmentsLeft
            | RoutingTunnel
            | FragmentTwice
            | FragmentEmpty
            | FragmentLength
            | FragmentTooLong
            | FragmentHeadless
            | UpperTruncated
            | Icmpv4
            | ChecksumOffload
            | SegmentOffload
            | FragmentUnknown
            | FragmentOverlap
            | SourceSpoofed
            | SourcePrivacy
            | SourceUnspecified
            | SourceMulticast
            | SourceLoopback
            | SourceEmbedsIpv4
            | SourceIsThisVm
            | DestinationUnspecified
            | DestinationLoopback
            | DestinationReservedScope
            | NotForThisVm
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
            | Dhcpv6Type
            | IcmpNeedsRule
            | EgressDenied
            | IngressDenied => Action::Drop,
        }
    }
}
