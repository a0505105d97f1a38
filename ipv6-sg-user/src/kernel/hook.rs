//! Where programs sit, how they get there, and on which interface.

use aya::programs::TcAttachType;
use aya::util::KernelVersion;
use ipv6_sg_common::abi::programs;

use super::error::one_line;
use super::{KernelError, Result};

/// Where on a tap a program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// tc ingress.
    FromVm,
    /// tc egress.
    ToVm,
    /// XDP in the driver.
    ShieldNative,
    /// XDP in the stack.
    ShieldGeneric,
}

impl Hook {
    /// Those that enforce.
    pub const TC: [Self; 2] = [Self::FromVm, Self::ToVm];
    pub(super) const ALL: [Self; 4] = [Self::FromVm, Self::ToVm, Self::ShieldNative, Self::ShieldGeneric];

    /// The stable name: pins, messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FromVm => "from_vm",
            Self::ToVm => "to_vm",
            Self::ShieldNative => "shield_native",
            Self::ShieldGeneric => "shield_generic",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// The program that belongs there.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::FromVm => programs::FROM_VM,
            Self::ToVm => programs::TO_VM,
            Self::ShieldNative | Self::ShieldGeneric => programs::SHIELD,
        }
    }

    pub(super) const fn tc_side(self) -> TcAttachType {
        match self {
            Self::FromVm => TcAttachType::Ingress,
            Self::ToVm | Self::ShieldNative | Self::ShieldGeneric => TcAttachType::Egress,
        }
    }
}

/// How tc programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcMethod {
    /// Links that can be pinned and updated; kernels from 6.6 on.
    Tcx,
    /// Filters of a qdisc, which stay until somebody removes them; kernels before.
    Clsact,
}

impl TcMethod {
    /// What this kernel offers.
    pub fn of_this_kernel() -> Self {
        let links = KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0));
        if links { Self::Tcx } else { Self::Clsact }
    }

    /// What a kernel that offers no more cannot do, for whoever runs it: see docs/kernels.md.
    pub const fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Tcx => None,
            Self::Clsact => Some(
                "this kernel has no links for tc programs, which Linux has from 6.6 on: taps are guarded by filters of clsact, \
                 which others can remove, and which are then put back within half a minute",
            ),
        }
    }
}

/// Whether and where the XDP shield stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// Nowhere.
    #[default]
    Off,
    /// In the driver, or not at all.
    Native,
    /// In the stack.
    Generic,
    /// In the driver where it can, else in the stack.
    Auto,
}

/// An interface as it was when somebody decided to guard it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attachment {
    /// Its name.
    pub interface: String,
    /// Its index. It can be used again when the interface is gone.
    pub ifindex: u32,
}

impl Attachment {
    /// Taps are renamed, deleted and made anew at any moment: whether the name still means this interface.
    pub(super) fn still_there(&self) -> Result<()> {
        match nix::net::if_::if_nametoindex(self.interface.as_str()) {
            Ok(index) if index == self.ifindex => Ok(()),
            _ => Err(KernelError::InterfaceGone { interface: self.interface.clone(), ifindex: self.ifindex }),
        }
    }

    pub(super) fn refused(&self, hook: Hook) -> impl Fn(&(dyn std::error::Error + 'static)) -> KernelError {
        let (interface, hook) = (self.interface.clone(), hook.name());
        move |error| KernelError::Attach { hook, interface: interface.clone(), reason: one_line(error) }
    }

    pub(super) fn not_detached(&self, hook: Hook) -> impl Fn(&(dyn std::error::Error + 'static)) -> KernelError {
        let (interface, hook) = (self.interface.clone(), hook.name());
        move |error| KernelError::Detach { hook, interface: interface.clone(), reason: one_line(error) }
    }
}
