//! Putting programs on taps and taking them off, such that there is never a moment without one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc};
use aya::util::KernelVersion;
use ipv6_sg_common::abi::programs;

use super::error::{caused_by, one_line};
use super::pins::PinnedHook;
use super::program::{self, Identity};
use super::{KernelError, Pins, Result};

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
    const ALL: [Self; 4] = [Self::FromVm, Self::ToVm, Self::ShieldNative, Self::ShieldGeneric];

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

    const fn tc_side(self) -> TcAttachType {
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
    /// Its index, which no other interface will have while this kernel runs.
    pub ifindex: u32,
}

impl Attachment {
    /// Taps are renamed, deleted and made anew at any moment: whether the name still means this interface.
    fn still_there(&self) -> Result<()> {
        match nix::net::if_::if_nametoindex(self.interface.as_str()) {
            Ok(index) if index == self.ifindex => Ok(()),
            _ => Err(KernelError::InterfaceGone { interface: self.interface.clone(), ifindex: self.ifindex }),
        }
    }

    fn refused(&self, hook: Hook) -> impl Fn(&(dyn std::error::Error + 'static)) -> KernelError {
        let (interface, hook) = (self.interface.clone(), hook.name());
        move |error| KernelError::Attach { hook, interface: interface.clone(), reason: one_line(error) }
    }
}

/// tc filters are found again by these two numbers. First of all filters, so that nothing forwards a packet unseen.
const CLSACT_PRIORITY: u16 = 1;
const CLSACT_HANDLE: TcHandle = TcHandle::new(0, 0x6967);

/// What is attached where.
pub(super) struct Attacher {
    pins: Pins,
    method: TcMethod,
    pinned: HashMap<(u32, Hook), Vec<PinnedHook>>,
    /// Programs that were in the kernel when this one came.
    found: HashMap<u32, Identity>,
    /// What has been seen to run and is believed until [`Self::doubt`].
    confirmed: HashSet<(u32, Hook)>,
}

impl Attacher {
    pub(super) fn new(pins: Pins, method: TcMethod) -> Result<Self> {
        let mut pinned: HashMap<_, Vec<_>> = HashMap::new();
        for link in pins.all_links()? {
            pinned.entry((link.ifindex, link.hook)).or_default().push(link);
        }
        Ok(Self { pins, method, pinned, found: program::loaded(), confirmed: HashSet::new() })
    }

    /// Interfaces with a pinned link of any version.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.pinned.keys().map(|(ifindex, _)| *ifindex)
    }

    /// Looks at everything anew from now on: somebody else may have changed it.
    pub(super) fn doubt(&mut self) {
        self.confirmed.clear();
    }

    /// Makes sure that this object's program is at a tc hook.
    pub(super) fn attach_tc(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        if self.confirmed.contains(&(to.ifindex, hook)) {
            return Ok(());
        }
        to.still_there()?;
        match self.method {
            TcMethod::Tcx => self.attach_tcx(ebpf, to, hook)?,
            TcMethod::Clsact => attach_clsact(program::tc(ebpf, hook)?, to, hook)?,
        }
        // Attaching goes by name. Whoever took the name meanwhile got the program, and not being in the port map
        // would lose every packet.
        to.still_there().inspect_err(|_| {
            let _ = self.detach(to.ifindex, Some(&to.interface));
        })?;
        self.confirmed.insert((to.ifindex, hook));
        Ok(())
    }

    fn attach_tcx(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        let ours = program::info(ebpf, hook)?;
        let ours = Identity::of(&ours);
        let refused = to.refused(hook);
        let path = self.pins.link(to.ifindex, hook);
        for old in self.pinned.remove(&(to.ifindex, hook)).unwrap_or_default() {
            let Ok(link) = PinnedLink::from_pin(&old.path) else {
                remove_pin(&old.path)?;
                continue;
            };
            let link = FdLink::from(link);
            let runs = link.info().map_err(|error| refused(&error))?.program_id();
            let same = ours.is_some() && self.found.get(&runs) == ours.as_ref();
            if same && old.path == path && is_attached(to, hook, runs) {
                self.keep(to.ifindex, hook, old);
                return Ok(());
            }
            let program = program::tc(ebpf, hook)?;
            let link = SchedClassifierLink::try_from(link).map_err(|error| refused(&error))?;
            match program.attach_to_link(link) {
                Ok(id) => {
                    let link = program.take_link(id).map_err(|error| refused(&error))?;
                    if old.path != path {
                        pin(FdLink::try_from(link).map_err(|error| refused(&error))?, &path, &refused)?;
                        remove_pin(&old.path)?;
                    }
                    self.keep(to.ifindex, hook, PinnedHook { path, ..old });
                    return Ok(());
                }
                // The interface it was on is gone, or somebody detached it: the link is dead for good.
                Err(error) if caused_by(&error, libc::ENOLINK) => remove_pin(&old.path)?,
                Err(error) => return Err(refused(&error)),
            }
        }
        let program = program::tc(ebpf, hook)?;
        let first = TcAttachOptions::TcxOrder(LinkOrder::first());
        let id = program.attach_with_options(&to.interface, hook.tc_side(), first).map_err(|error| refused(&error))?;
        let link = program.take_link(id).map_err(|error| refused(&error))?;
        pin(FdLink::try_from(link).map_err(|error| refused(&error))?, &path, &refused)?;
        self.keep_new(to.ifindex, hook);
        Ok(())
    }

    /// Makes sure that the XDP shield stands as `mode` says. tc does not depend on it.
    pub(super) fn attach_xdp(&mut self, ebpf: &mut Ebpf, to: &Attachment, mode: XdpMode) -> Result<()> {
        let (wanted, unwanted): (&[Hook], &[Hook]) = match mode {
            XdpMode::Off => (&[], &[Hook::ShieldNative, Hook::ShieldGeneric]),
            XdpMode::Native => (&[Hook::ShieldNative], &[Hook::ShieldGeneric]),
            XdpMode::Generic => (&[Hook::ShieldGeneric], &[Hook::ShieldNative]),
            XdpMode::Auto => (&[Hook::ShieldNative, Hook::ShieldGeneric], &[]),
        };
        for hook in unwanted {
            for old in self.pinned.remove(&(to.ifindex, *hook)).unwrap_or_default() {
                remove_pin(&old.path)?;
            }
            self.confirmed.remove(&(to.ifindex, *hook));
        }
        let mut result = Ok(());
        for hook in wanted {
            result = self.attach_shield(ebpf, to, *hook);
            if result.is_ok() {
                self.confirmed.insert((to.ifindex, *hook));
                break;
            }
        }
        result
    }

    fn attach_shield(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        if self.confirmed.contains(&(to.ifindex, hook)) {
            return Ok(());
        }
        let refused = to.refused(hook);
        let path = self.pins.link(to.ifindex, hook);
        for old in self.pinned.remove(&(to.ifindex, hook)).unwrap_or_default() {
            if let Ok(link) = PinnedLink::from_pin(&old.path)
                && let Ok(link) = XdpLink::try_from(FdLink::from(link))
                && let Ok(id) = program::xdp(ebpf)?.attach_to_link(link)
            {
                let link = program::xdp(ebpf)?.take_link(id).map_err(|error| refused(&error))?;
                if old.path != path {
                    pin(FdLink::try_from(link).map_err(|error| refused(&error))?, &path, &refused)?;
                    remove_pin(&old.path)?;
                }
                self.keep_new(to.ifindex, hook);
                return Ok(());
            }
            remove_pin(&old.path)?;
        }
        let mode = match hook {
            Hook::ShieldNative => aya::programs::XdpMode::Driver,
            Hook::FromVm | Hook::ToVm | Hook::ShieldGeneric => aya::programs::XdpMode::Skb,
        };
        let program = program::xdp(ebpf)?;
        let id = program.attach_to_if_index(to.ifindex, mode).map_err(|error| refused(&error))?;
        let link = program.take_link(id).map_err(|error| refused(&error))?;
        pin(FdLink::try_from(link).map_err(|error| refused(&error))?, &path, &refused)?;
        self.keep_new(to.ifindex, hook);
        Ok(())
    }

    /// Takes every program off an interface; `name` is needed only where filters are attached by name.
    pub(super) fn detach(&mut self, ifindex: u32, name: Option<&str>) -> Result<()> {
        let mut programs = Vec::new();
        for hook in [Hook::ShieldNative, Hook::ShieldGeneric, Hook::FromVm, Hook::ToVm] {
            self.confirmed.remove(&(ifindex, hook));
            for old in self.pinned.remove(&(ifindex, hook)).unwrap_or_default() {
                if let Ok(info) = PinnedLink::from_pin(&old.path).map(FdLink::from).and_then(|link| link.info()) {
                    programs.push((hook, info.program_id()));
                }
                remove_pin(&old.path)?;
            }
        }
        let Some(name) = name else { return Ok(()) };
        if self.method == TcMethod::Clsact {
            for hook in Hook::TC {
                match tc::qdisc_detach_program(name, hook.tc_side(), hook.program()) {
                    Err(tc::TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result.map_err(|error| {
                        let to = Attachment { interface: name.to_owned(), ifindex };
                        to.refused(hook)(&error)
                    })?,
                }
            }
        }
        // The kernel lets go of a link a moment after its pin is gone, and until then the program still looks for
        // its port.
        let to = Attachment { interface: name.to_owned(), ifindex };
        let deadline = Instant::now() + Duration::from_secs(2);
        while programs.iter().any(|(hook, id)| Hook::TC.contains(hook) && is_attached(&to, *hook, *id))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn keep(&mut self, ifindex: u32, hook: Hook, link: PinnedHook) {
        self.pinned.insert((ifindex, hook), vec![link]);
    }

    fn keep_new(&mut self, ifindex: u32, hook: Hook) {
        let link =
            PinnedHook { abi: ipv6_sg_common::abi::ABI_VERSION, ifindex, hook, path: self.pins.link(ifindex, hook) };
        self.keep(ifindex, hook, link);
    }
}

/// The tc hooks of an interface at which a program of ours runs, whichever version; `None` where that cannot be asked.
pub(super) fn running(interface: &str) -> Option<Vec<Hook>> {
    let mut hooks = Vec::new();
    for hook in Hook::TC {
        let (_, programs) = SchedClassifier::query_tcx(interface, hook.tc_side()).ok()?;
        if programs.iter().any(|info| info.name_as_str() == Some(hook.program())) {
            hooks.push(hook);
        }
    }
    Some(hooks)
}

/// Whether the kernel runs this program at a tc hook of the interface.
fn is_attached(to: &Attachment, hook: Hook, program: u32) -> bool {
    SchedClassifier::query_tcx(&to.interface, hook.tc_side())
        .is_ok_and(|(_, programs)| programs.iter().any(|info| info.id() == program))
}

/// Attaches or replaces in one step: the filter is found by its priority and handle.
fn attach_clsact(program: &mut SchedClassifier, to: &Attachment, hook: Hook) -> Result<()> {
    let refused = to.refused(hook);
    match tc::qdisc_add_clsact(&to.interface) {
        Err(error) if !caused_by(&error, libc::EEXIST) && !matches!(error, tc::TcError::AlreadyAttached) => {
            return Err(refused(&error));
        }
        _ => {}
    }
    let options = NlOptions { priority: CLSACT_PRIORITY, handle: CLSACT_HANDLE, classid: None };
    let created = program.attach_with_options(&to.interface, hook.tc_side(), TcAttachOptions::Netlink(options));
    let id = match created {
        Err(error) if caused_by(&error, libc::EEXIST) => {
            let old =
                SchedClassifierLink::attached(&to.interface, hook.tc_side(), CLSACT_PRIORITY, CLSACT_HANDLE, None);
            let old = old.map_err(|error| refused(&error))?;
            program.attach_to_link(old)
        }
        result => result,
    };
    let id = id.map_err(|error: ProgramError| refused(&error))?;
    let link = program.take_link(id).map_err(|error| refused(&error))?;
    // Dropping it would take the filter off.
    std::mem::forget(link);
    Ok(())
}

fn pin(link: FdLink, path: &Path, refused: &impl Fn(&(dyn std::error::Error + 'static)) -> KernelError) -> Result<()> {
    link.pin(path).map(drop).map_err(|error| refused(&error))
}

fn remove_pin(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(KernelError::file("remove", path)(error)),
        _ => Ok(()),
    }
}
