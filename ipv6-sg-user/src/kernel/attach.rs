//! Putting programs on taps and taking them off, such that there is never a moment without one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, SchedClassifier};

use super::error::caused_by;
use super::hook::{Attachment, Hook, TcMethod, XdpMode};
use super::pins::PinnedHook;
use super::program::{self, Identity};
use super::{KernelError, Pins, Result, clsact};

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

    /// Believes nothing of what is attached to this interface.
    pub(super) fn doubt_one(&mut self, ifindex: u32) {
        self.confirmed.retain(|(confirmed, _)| *confirmed != ifindex);
    }

    /// Looks at everything anew from now on: somebody else may have changed it.
    pub(super) fn doubt(&mut self) {
        self.confirmed.clear();
    }

    /// Makes sure that this object's program is at a tc hook.
    pub(super) fn attach_tc(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        // A link is asked each time whether it still runs: an interface can come back under its index, without it.
        if self.method == TcMethod::Clsact && self.confirmed.contains(&(to.ifindex, hook)) {
            return Ok(());
        }
        to.still_there()?;
        match self.method {
            TcMethod::Tcx => self.attach_tcx(ebpf, to, hook)?,
            TcMethod::Clsact => clsact::attach(program::tc(ebpf, hook)?, to, hook)?,
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
        let to = Attachment { interface: name.to_owned(), ifindex };
        if self.method == TcMethod::Clsact {
            for hook in Hook::TC {
                clsact::detach(&to, hook)?;
            }
        }
        // The kernel lets go of a link a moment after its pin is gone, and until then the program still looks for
        // its port.
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

fn pin(link: FdLink, path: &Path, refused: &impl Fn(&(dyn std::error::Error + 'static)) -> KernelError) -> Result<()> {
    link.pin(path).map(drop).map_err(|error| refused(&error))
}

fn remove_pin(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(KernelError::file("remove", path)(error)),
        _ => Ok(()),
    }
}
