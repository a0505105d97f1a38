//! Why a packet passed or died: one name for each.
//!
//! Adding a reason does not compile until [`Reason::action`] and [`Reason::step`] say what it means.

use core::fmt;

/// Defines the reasons, and [`PerReason`] with one field for each under the same name: maps hold `PerReason`, so that
/// `bpftool map dump` prints counters by name.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:ident,)+) => {
        /// Why a packet passed or was dropped. The numbers are part of the map ABI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant,)+];
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name),)+].len();

            /// The stable name: counters, events, metrics, `--json`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)+ }
            }

            /// The reason in words, for people.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }

        /// One `T` for each reason.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct PerReason<T> { $($(#[doc = $doc])+ pub $name: T,)+ }

        impl<T> PerReason<T> {
            /// The `T` of this reason.
            pub const fn of(&self, reason: Reason) -> &T {
                match reason { $(Reason::$variant => &self.$name,)+ }
            }

            /// The `T` of this reason, to change it.
            pub const fn of_mut(&mut self, reason: Reason) -> &mut T {
                match reason { $(Reason::$variant => &mut self.$name,)+ }
            }
        }
    };
}

reasons! {
    /// IPv4, left to whoever filters it.
    Ipv4 = ipv4,
    /// ARP, left to whoever filters it.
    Arp = arp,
    /// Traffic beyond the link with honest addresses, on a port without rules.
    Traffic = traffic,
    /// A packet of a flow that the rules allowed.
    Established = established,
    /// The first packet of a flow, or a single message, that a rule allows.
    Allowed = allowed,
    /// A later fragment of a packet whose first fragment passed.
    Fragment = fragment,
    /// Router Solicitation.
    RouterSolicitation = router_solicitation,
    /// Router Advertisement.
    RouterAdvertisement = router_advertisement,
    /// Neighbour Solicitation, duplicate address detection included.
    NeighbourSolicitation = neighbour_solicitation,
    /// Neighbour Advertisement.
    NeighbourAdvertisement = neighbour_advertisement,
    /// Redirect.
    Redirect = redirect,
    /// Multicast Listener Discovery.
    Mld = mld,
    /// Echo request or reply.
    Echo = echo,
    /// An ICMPv6 error about a packet that really was exchanged.
    IcmpError = icmp_error,
    /// DHCPv6 between the VM as a client and a server or relay on the link.
    Dhcpv6 = dhcpv6,

    /// The tap is in quarantine until its state arrives.
    Quarantined = quarantined,
    /// No whole Ethernet header.
    FrameTruncated = frame_truncated,
    /// Source MAC is not the port's.
    MacSpoofed = mac_spoofed,
    /// Destination MAC is neither the port's nor a group.
    NotForThisMac = not_for_this_mac,
    /// A VLAN tag, in the frame or beside it.
    VlanTagged = vlan_tagged,
    /// A length where the type should be: LLC, SNAP.
    LengthTyped = length_typed,
    /// Neither IPv6 nor IPv4 nor ARP.
    EtherType = ether_type,
    /// IPv4 or ARP, and the setting says drop.
    Ipv4Disabled = ipv4_disabled,
    /// IPv4 or ARP whose headers a checksum that is still due would overwrite.
    Ipv4Offload = ipv4_offload,

    /// No whole IPv6 header.
    Ipv6Truncated = ipv6_truncated,
    /// Version is not 6.
    Ipv6Version = ipv6_version,
    /// Payload length 0 with a next header: jumbogram or nonsense.
    Ipv6Jumbogram = ipv6_jumbogram,
    /// Payload length beyond the end of the frame.
    Ipv6PayloadLength = ipv6_payload_length,

    /// More than eight extension headers.
    TooManyHeaders = too_many_headers,
    /// An extension header reaches beyond the payload.
    ExtensionTruncated = extension_truncated,
    /// A hop-by-hop header that is not the first header.
    HopByHopNotFirst = hop_by_hop_not_first,
    /// Routing header type 0.
    RoutingType0 = routing_type_0,
    /// A routing header that still has segments to visit.
    RoutingSegmentsLeft = routing_segments_left,
    /// A routing header at its end around another packet, which a segment router would unpack.
    RoutingTunnel = routing_tunnel,
    /// Two fragment headers.
    FragmentTwice = fragment_twice,
    /// A fragment with more to come and nothing in it.
    FragmentEmpty = fragment_empty,
    /// A fragment with more to come whose length is no multiple of 8.
    FragmentLength = fragment_length,
    /// The reassembled packet would be longer than 65535 bytes.
    FragmentTooLong = fragment_too_long,
    /// A first fragment without the whole header chain.
    FragmentHeadless = fragment_headless,

    /// The upper-layer header is not whole.
    UpperTruncated = upper_truncated,
    /// ICMPv4 inside IPv6.
    Icmpv4 = icmpv4,
    /// A checksum that is still due would overwrite what was judged.
    ChecksumOffload = checksum_offload,
    /// Cutting the packet into segments would make messages that were not judged.
    SegmentOffload = segment_offload,

    /// A later fragment of a packet whose first fragment is not known.
    FragmentUnknown = fragment_unknown,
    /// A later fragment that overlaps the first one.
    FragmentOverlap = fragment_overlap,

    /// Source is not in the port's source set.
    SourceSpoofed = source_spoofed,
    /// Source is in the port's own /64 but not its address: a guest with privacy or random identifiers.
    SourcePrivacy = source_privacy,
    /// Source `::` where it is not allowed.
    SourceUnspecified = source_unspecified,
    /// Source is a multicast address.
    SourceMulticast = source_multicast,
    /// Source is `::1`.
    SourceLoopback = source_loopback,
    /// Source is IPv4-mapped or IPv4-compatible: an address of no wire.
    SourceEmbedsIpv4 = source_embeds_ipv4,
    /// A packet to the VM that claims to come from the VM.
    SourceIsThisVm = source_is_this_vm,
    /// Destination is `::`.
    DestinationUnspecified = destination_unspecified,
    /// Destination is `::1`.
    DestinationLoopback = destination_loopback,
    /// Destination is multicast with the reserved scope 0.
    DestinationReservedScope = destination_reserved_scope,
    /// Destination is neither the VM's nor multicast.
    NotForThisVm = not_for_this_vm,

    /// Link-local traffic that is none of ND, MLD, echo, errors, DHCPv6.
    LinkLocalTraffic = link_local_traffic,
    /// An ICMPv6 type that never crosses a port.
    IcmpForbidden = icmp_forbidden,
    /// An ICMPv6 error without a whole IPv6 header of the packet it is about.
    ErrorTruncated = error_truncated,
    /// An ICMPv6 error about a packet that the sender or receiver had no part in.
    ErrorForeign = error_foreign,
    /// An ICMPv6 error from a VM that quotes a routing header: its receiver looks for the flow at an address in there.
    ErrorRouted = error_routed,
    /// Neighbour discovery inside a fragment.
    NdFragmented = nd_fragmented,
    /// Neighbour discovery whose hop limit is not 255: it came from beyond the link.
    NdHopLimit = nd_hop_limit,
    /// Neighbour discovery whose code is not 0.
    NdCode = nd_code,
    /// A neighbour discovery option of length 0 or past the end, or too many options.
    NdOptions = nd_options,
    /// A link-layer address option that is not the port's MAC.
    NdLinkLayerSpoofed = nd_link_layer_spoofed,
    /// A link-layer address option in a message from `::`.
    NdLinkLayerUnspecified = nd_link_layer_unspecified,
    /// A solicitation for a multicast target.
    NsTargetMulticast = ns_target_multicast,
    /// Duplicate address detection for an address that is not the VM's.
    DadForeign = dad_foreign,
    /// Duplicate address detection not sent to the target's solicited-node group.
    DadDestination = dad_destination,
    /// Somebody else's duplicate address detection for this VM's address.
    DadAgainstVm = dad_against_vm,
    /// An advertisement for an address that is not the VM's.
    NaForeign = na_foreign,
    /// Somebody else's advertisement for this VM's address.
    NaAgainstVm = na_against_vm,
    /// Router solicitation neither to `ff02::2` nor to a link-local router.
    RsDestination = rs_destination,
    /// Router solicitation to a VM, which is no router.
    RsToVm = rs_to_vm,
    /// Router advertisement from a VM.
    RaFromVm = ra_from_vm,
    /// Router advertisement whose source is not link-local.
    RaSource = ra_source,
    /// Router advertisement from a router that the network does not list.
    RaUnlisted = ra_unlisted,
    /// Redirect from a VM.
    RedirectFromVm = redirect_from_vm,
    /// Redirect whose source is not link-local.
    RedirectSource = redirect_source,
    /// Redirect from a router that the network does not list.
    RedirectUnlisted = redirect_unlisted,
    /// Multicast listener query from a VM.
    MldQueryFromVm = mld_query_from_vm,
    /// Multicast listener discovery whose hop limit is not 1.
    MldHopLimit = mld_hop_limit,
    /// Multicast listener discovery to a unicast address.
    MldDestination = mld_destination,
    /// Multicast listener discovery whose source is neither link-local nor `::`.
    MldSource = mld_source,
    /// A VM speaks as a DHCPv6 server or relay: source port 547.
    Dhcpv6ServerFromVm = dhcpv6_server_from_vm,
    /// UDP to port 547 that is not a client's message to `ff02::1:2`.
    Dhcpv6NotClient = dhcpv6_not_client,
    /// UDP to port 546 that is not a server's or relay's link-local answer.
    Dhcpv6NotServer = dhcpv6_not_server,
    /// A DHCPv6 message type that may not go this way.
    Dhcpv6Type = dhcpv6_type,

    /// An ICMPv6 type that passes only when a rule names it.
    IcmpNeedsRule = icmp_needs_rule,
    /// No egress rule allows it.
    EgressDenied = egress_denied,
    /// No ingress rule allows it.
    IngressDenied = ingress_denied,
}

impl Reason {
    /// The reason of this number; `None` for numbers of another ABI.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
