//! Why an input was refused: one line that names file, key and value, and says how to mend it.

use std::io;

use ipnet::Ipv6Net;

use super::Origin;

/// An input that changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system would not let it be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or directory.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The state directory is not there.
    #[error("{path}: no such directory; create it (an empty one is an empty state), or set state_dir")]
    NoDirectory {
        /// Where it was looked for.
        path: String,
    },
    /// Something else has a file's place.
    #[error("{path}: not a regular file; move it away, or give it a name that does not end in .toml")]
    NotAFile {
        /// Its path.
        path: String,
    },
    /// Bytes that are no text.
    #[error("{path}:{line}: not UTF-8 text; save the file as UTF-8")]
    NotUtf8 {
        /// The file.
        path: String,
        /// The first such line.
        line: usize,
    },
    /// No TOML, a key that does not exist or is missing, or a value of another type.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Character in the line, from 1.
        column: usize,
        /// What is wrong, in one line.
        message: String,
    },
    /// A value that cannot be, alone or beside the others.
    #[error(transparent)]
    Invalid(Box<Invalid>),
}

/// A value that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {key} = {value:?}: {problem}")]
pub struct Invalid {
    /// Where it was written.
    pub origin: Origin,
    /// Its key, as a path that tells the entry too.
    pub key: String,
    /// What was written.
    pub value: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(Box::new(invalid))
    }
}

/// What is wrong with a value, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not a MAC.
    #[error("not a MAC address; write six hexadecimal octets joined by colons, like 06:7a:88:00:00:8b")]
    NotAMac,
    /// A MAC that no interface has.
    #[error("not the MAC of an interface ({0}); write the VM's own")]
    UnusableMac(&'static str),
    /// Not an IPv6 address.
    #[error("not an IPv6 address; write one like 2001:db8:1::100")]
    NotAnAddress,
    /// A prefix instead of an address.
    #[error("a prefix where one address is wanted; a prefix of the VM's own belongs under delegated")]
    PrefixForAddress,
    /// IPv4, whose filtering is left to others.
    #[error("IPv4, which is not filtered here; remove it")]
    Ipv4,
    /// Not an IPv6 prefix.
    #[error("not an IPv6 prefix; write one like 2001:db8:1::/64")]
    NotAPrefix,
    /// An address instead of a prefix.
    #[error("no prefix length; write {0}/128 for this one address")]
    NoLength(std::net::Ipv6Addr),
    /// Bits after the prefix.
    #[error("has host bits; write {0}")]
    HostBits(Ipv6Net),
    /// A prefix that SLAAC cannot use.
    #[error("a /{0}, and VMs form addresses from a /64 only; write the announced /64")]
    Not64(u8),
    /// Addresses that no VM can have as its own.
    #[error("reaches into {0}; write addresses that are the VM's own")]
    Unusable(&'static str),
    /// A router is known by its link-local address.
    #[error("not link-local; write the router's fe80:: address, the source of its advertisements")]
    RouterNotLinkLocal,
    /// Not a name the kernel gives an interface.
    #[error("not an interface name; write 1 to 15 bytes without '/', ':' and white space")]
    NotAnInterface,
    /// Not a name.
    #[error("not a name; write at least one character, no control characters, no space at either end")]
    NotAName,
    /// The same twice in one list.
    #[error("listed twice; remove one")]
    ListedTwice,
    /// No such network.
    #[error("no such network; define [network.{0}] in any state file, or name one that is")]
    UnknownNetwork(String),
    /// No such group.
    #[error("no such security group; define [security_group.{0}] in any state file, or name one that is")]
    UnknownGroup(String),
    /// A second definition.
    #[error("already defined at {0}; remove one")]
    DefinedTwice(Origin),
    /// Another port has this interface.
    #[error("already the interface of VM {vm:?} at {origin}; give each port its own")]
    InterfaceTaken {
        /// Whose it is.
        vm: String,
        /// Where that is written.
        origin: Origin,
    },
    /// Another port in this network has this MAC.
    #[error("already the MAC of VM {vm:?} in network {network:?} at {origin}; give each port of a network its own")]
    MacTaken {
        /// Whose it is.
        vm: String,
        /// The network of both.
        network: String,
        /// Where that is written.
        origin: Origin,
    },
    /// The same prefix for two.
    #[error("already delegated to VM {vm:?} at {origin}; delegate it once")]
    DelegatedTwice {
        /// Whose it is.
        vm: String,
        /// Where that is written.
        origin: Origin,
    },
    /// Prefixes of two VMs that share addresses.
    #[error("overlaps {prefix}, which is delegated to VM {vm:?} at {origin}; delegate each address to one VM")]
    OverlapsDelegation {
        /// The other prefix.
        prefix: Ipv6Net,
        /// Whose it is.
        vm: String,
        /// Where that is written.
        origin: Origin,
    },
    /// A delegation of a network's own addresses.
    #[error(
        "overlaps {prefix} of network {network:?} at {origin}: its VM could use its neighbours' addresses; \
             delegate a prefix of its own"
    )]
    OverlapsNetwork {
        /// The announced /64.
        prefix: Ipv6Net,
        /// The network.
        network: String,
        /// Where that is written.
        origin: Origin,
    },
    /// The same address for two ports.
    #[error("already an address of VM {vm:?} ({interface}) at {origin}; give each address to one port")]
    AddressTaken {
        /// Whose it is.
        vm: String,
        /// That VM's interface.
        interface: String,
        /// Where that is written.
        origin: Origin,
    },
    /// An address within another VM's prefix.
    #[error("inside {prefix}, which is delegated to VM {vm:?} at {origin}; give each address to one VM")]
    AddressDelegated {
        /// That prefix.
        prefix: Ipv6Net,
        /// Whose it is.
        vm: String,
        /// Where that is written.
        origin: Origin,
    },
    /// Not a protocol of a rule.
    #[error("not a protocol; write tcp, udp, icmpv6, all or a number from 0 to 255")]
    NotAProtocol,
    /// Not ports.
    #[error("not ports; write one like \"22\" or a range like \"5000-5010\"")]
    NotPorts,
    /// A range the wrong way round.
    #[error("a range that ends before it begins; write the lower port first")]
    BackwardPorts,
    /// Ports without ports.
    #[error("only tcp and udp have ports, and this rule's protocol is {0}; remove the key or change the protocol")]
    PortsWithoutPorts(String),
    /// A type without types.
    #[error("only icmpv6 has types and codes, and this rule's protocol is {0}; remove the key or change the protocol")]
    TypeWithoutIcmpv6(String),
    /// A code without a type.
    #[error("a code means nothing without its type; add the key type")]
    CodeWithoutType,
    /// Nobody to talk to.
    #[error("names nobody, so the rule would allow nothing; write [\"::/0\"] for everybody, or remove the rule")]
    NoPeers,
    /// A path that depends on where the daemon was started.
    #[error("not an absolute path; write one that begins with '/'")]
    RelativePath,
    /// Not a place to serve.
    #[error("not an address and port; write one like 127.0.0.1:9477")]
    NotASocket,
    /// Not where a server is asked.
    #[error("not a URL; write one like https://mgmt.example/client/api")]
    NotAUrl,
    /// Not where a database is.
    #[error(
        "not a database's URL; write one like postgresql://kea@/kea?host=/run/postgresql or \
             mysql://kea@db.example/kea"
    )]
    NotADatabase,
    /// A secret among the settings.
    #[error("has a password, and others may read the settings; write it to a file of mode 600, the password_file")]
    PasswordInUrl,
    /// A pool of the other family.
    #[error("IPv4, of which no prefixes are delegated; write a prefix of IPv6, like 2001:db8:f000::/40")]
    Ipv4Pool,
    /// Not within the pool.
    #[error("not inside the pool; write prefixes of {0}")]
    OutsidePool(Ipv6Net),
    /// A pool of single addresses, nearly.
    #[error("a pool that has no /{0}; write a shorter prefix")]
    TooLong(u8),
    /// Not a time that something may take.
    #[error("not a duration; write one like 12h or 7d, 400d at most")]
    NotADuration,
    /// Not a pattern for interface names.
    #[error(
        "matches no interface; write 1 or more characters, '*' and '?' among them, without '/', ':' and white space"
    )]
    NotAPattern,
    /// Out of bounds.
    #[error("out of bounds; write a number from {0} to {1}")]
    OutOfBounds(u32, u32),
}
