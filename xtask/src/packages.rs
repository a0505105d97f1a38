//! The Debian packages that ipv6-sg is built and tested with, each with its why.

use crate::{qemu, setup::Need};

/// A Debian package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) need: Need,
}

const fn package(need: Need, name: &'static str, why: &'static str) -> Package {
    Package { name, why, need }
}

/// Only where rustup has no nightly with the sources of the standard library.
pub(crate) const TOOLCHAIN: &[Package] = &[
    package(Need::Build, "rustc-web", "compiles the kernel program"),
    package(Need::Build, "cargo-web", "drives that compiler"),
    package(Need::Build, "rust-web-src", "the sources of core, to compile it for BPF"),
    package(Need::Lint, "rust-web-clippy", "lints the kernel program"),
];

/// Only where bpf-linker has to be built; the number is `toolchain::LLVM_MAJOR`.
pub(crate) const LINKER: &[Package] =
    &[package(Need::Build, "llvm-22-dev", "bpf-linker is built on the LLVM of the compiler")];

/// What the tests run.
pub(crate) const TOOLS: &[Package] = &[
    package(Need::Test, "bpftool", "reads programs and maps as others do"),
    package(Need::Test, "ethtool", "switches offloads of test interfaces"),
    package(Need::Test, "iperf3", "bulk traffic through a guarded port"),
    package(Need::Test, "iproute2", "namespaces, veth pairs, tc"),
    package(Need::Test, "iputils-ping", "echo between namespaces"),
    package(Need::Test, "isc-dhcp-client", "a DHCPv6 client in a VM's place"),
    package(Need::Test, "ndisc6", "router and neighbour solicitations by hand"),
    package(Need::Test, "netsniff-ng", "trafgen sends forged frames at line rate"),
    package(Need::Test, "procps", "sysctl inside namespaces"),
    package(Need::Test, "radvd", "the router that announces prefixes"),
    package(Need::Test, "tcpdump", "opens the captures that monitor writes"),
];

/// What a virtual machine is made of. Debian's kernels are not installed: the verb keeps them to itself.
pub(crate) const MACHINE: &[Package] = &[
    package(Need::Machine, "busybox-static", "starts the tests in the machine"),
    package(Need::Machine, "debian-archive-keyring", "the keys of the releases that kernels are taken from"),
    package(Need::Machine, qemu::MACHINE, "the machine"),
    package(Need::Machine, "xz-utils", "unpacks the modules of newer kernels"),
];

/// What CloudStack's public client runs in.
pub(crate) const CLOUDSTACK: &[Package] =
    &[package(Need::CloudStack, "python3-venv", "a Python of the tests' own, for CloudStack's public client")];

/// What prefixes are recorded in.
pub(crate) const KEA: &[Package] = &[
    package(Need::Kea, "kea-admin", "makes the tables of the DHCPv6 server's database"),
    package(Need::Kea, "kea-dhcp6-server", "says whether a configuration is one"),
    package(Need::Kea, "mariadb-server", "a database that Kea can be told to use"),
    package(Need::Kea, "postgresql", "the other one"),
];

/// What prefixes are delegated with.
pub(crate) const DELEGATION: &[Package] = &[
    package(Need::Delegation, "dnsmasq-base", "a DHCPv6 relay that tells a client's MAC"),
    package(Need::Delegation, "wide-dhcpv6-client", "another DHCPv6 client in a VM's place"),
];

/// What starts guests on most hypervisors.
pub(crate) const GUEST: &[Package] = &[
    package(Need::Guest, "libvirt-clients", "tells libvirt to start a guest"),
    package(Need::Guest, "libvirt-daemon", "starts a guest as hypervisors do"),
    package(Need::Guest, "libvirt-daemon-driver-qemu", "libvirt's way to qemu"),
];

/// What a Debian package is made with.
pub(crate) const PACKAGER: &[Package] = &[
    package(Need::Dist, "binutils", "takes off the program what only debuggers read"),
    package(Need::Dist, "dpkg-dev", "finds the libraries that the package depends on"),
];

/// What a Debian package is installed beside.
pub(crate) const SYSTEM: &[Package] = &[
    package(Need::System, "dbus", "carries what systemd is asked"),
    package(Need::System, "man-db", "finds the manual page that the service names"),
    package(Need::System, "systemd", "runs the service, as the first process of a host in namespaces"),
];

/// What the guard is compared with.
pub(crate) const RIVALS: &[Package] = &[
    package(Need::Bench, "ipset", "the source sets of the rules that CloudStack programs"),
    package(Need::Bench, "iptables", "the rules that CloudStack programs: ip6tables, ebtables"),
    package(Need::Bench, "nftables", "the same policy as a table of nftables"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_package_is_listed_twice() {
        let mut seen = HashSet::new();
        for package in
            [TOOLCHAIN, LINKER, TOOLS, MACHINE, CLOUDSTACK, KEA, DELEGATION, GUEST, PACKAGER, SYSTEM, RIVALS].concat()
        {
            assert!(seen.insert(package.name), "{} is listed twice", package.name);
        }
    }
}
