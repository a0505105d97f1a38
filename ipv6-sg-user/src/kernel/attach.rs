//! Putting programs on taps and taking them off, such that there is never a moment without one.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::programs::LinkOrder;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;

use super::error::caused_by;
use super::hook::{Attachment, Hook, TcMethod, XdpMode};
use super::pinned_links::{PinnedLinks, open, pin};
use super::pins::PinnedHook;
use super::program::{self, Identity};
use super::tcx::{self, Ahead, Order};
use super::{Pins, Result, clsact};

/// What is attached where.
pub(super) struct Attacher {
    links: PinnedLinks,
    method: TcMethod,
    /// Programs that were in the kernel when this one came.
    found: HashMap<u32, Identity>,
    /// What has been seen to run and is believed until [`Self::doubt`].
    confirmed: HashSet<(u32, Hook)>,
    /// What the log has been told of each interface: once is enough, and everything is looked at again and again.
    told: HashMap<u32, HashSet<String>>,
}

impl Attacher {
    pub(super) fn new(pins: Pins, method: TcMethod) -> Result<Self> {
        let links = PinnedLinks::read(pins)?;
        let (found, confirmed, told) = (program::loaded(), HashSet::new(), HashMap::new());
        Ok(Self { links, method, found, confirmed, told })
    }

    /// Interfaces with a pinned link of any version.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.links.interfaces()
    }

    /// Believes nothing of what is attached to this interface.
    pub(super) fn doubt_one(&mut self, ifindex: u32) {
        self.confirmed.retain(|(confirmed, _)| *confirmed != ifindex);
    }

    /// Looks at everything anew from now on: somebody else may have changed it.
    pub(super) fn doubt(&mut self) {
        self.confirmed.clear();
    }

    /// Asks links from now on whether they still run: an interface can come back under its index, without its link.
    pub(super) fn doubt_links(&mut self) {
        if self.method == TcMethod::Tcx {
            self.confirmed.retain(|(_, hook)| !Hook::TC.contains(hook));
        }
    }

    /// Whether a program has been seen to run at a hook, and nobody doubts it.
    pub(super) fn is_confirmed(&self, to: &Attachment, hook: Hook) -> bool {
        self.confirmed.contains(&(to.ifindex, hook))
    }

    /// Makes sure that this object's program is at a tc hook.
    pub(super) fn attach_tc(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        if self.is_confirmed(to, hook) {
            return Ok(());
        }
        to.still_there()?;
        let attached = match self.method {
            TcMethod::Tcx => self.attach_tcx(ebpf, to, hook),
            TcMethod::Clsact => program::tc(ebpf, hook).and_then(|program| clsact::attach(program, to, hook)),
        };
        if attached.is_err() {
            // What goes meanwhile is refused, and no error.
            to.still_there()?;
        }
        attached?;
        self.confirmed.insert((to.ifindex, hook));
        Ok(())
    }

    fn attach_tcx(&mut self, ebpf: &mut Ebpf, to: &Attachment, hook: Hook) -> Result<()> {
        let own = self.links.own(to.ifindex, hook);
        if self.adopt(ebpf, to, &own)? {
            return Ok(());
        }
        let refused = to.refused(hook);
        let program = program::tc(ebpf, hook)?;
        let first = TcAttachOptions::TcxOrder(LinkOrder::first());
        let id = program.attach_with_options(&to.interface, hook.tc_side(), first).map_err(|error| refused(&error))?;
        let link = program.take_link(id).map_err(|error| refused(&error))?;
        // Attaching goes by name. Whoever took the name meanwhile got the program, and not being in the port map would
        // lose every packet: it goes again with the link, which nothing keeps yet.
        to.still_there()?;
        pin(link, &own.path, &refused)?;
        self.keep_only(own);
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
            self.confirmed.remove(&(to.ifindex, *hook));
            for pin in self.links.of(to.ifindex, *hook) {
                self.links.remove(&pin)?;
            }
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
        let own = self.links.own(to.ifindex, hook);
        if self.confirmed.contains(&(to.ifindex, hook)) || self.adopt(ebpf, to, &own)? {
            return Ok(());
        }
        let refused = to.refused(hook);
        let mode = match hook {
            Hook::ShieldNative => aya::programs::XdpMode::Driver,
            Hook::FromVm | Hook::ToVm | Hook::ShieldGeneric => aya::programs::XdpMode::Skb,
        };
        let program = program::xdp(ebpf)?;
        let id = program.attach_to_if_index(to.ifindex, mode).map_err(|error| refused(&error))?;
        let link = program.take_link(id).map_err(|error| refused(&error))?;
        pin(link, &own.path, &refused)?;
        self.keep_only(own);
        Ok(())
    }

    /// Has a link that is pinned already run this object's program, under our own pin and no other; `false` when none
    /// is alive. Our own path is free then.
    fn adopt(&mut self, ebpf: &mut Ebpf, to: &Attachment, own: &PinnedHook) -> Result<bool> {
        let mut pins = self.links.of(to.ifindex, own.hook);
        pins.retain(|pin| pin != own);
        // Whoever died between making this pin and removing the other left both. Whether ours is there the file system
        // knows best.
        if own.path.exists() {
            pins.insert(0, own.clone());
        }
        for old in pins {
            let alive = match own.hook {
                Hook::FromVm | Hook::ToVm => self.switch_tcx(ebpf, to, &old, own)?,
                Hook::ShieldNative | Hook::ShieldGeneric => self.switch_shield(ebpf, to, &old, own)?,
            };
            if alive {
                self.keep_only(own.clone());
                return Ok(true);
            }
            if old == *own {
                self.links.remove(own)?;
            }
        }
        Ok(false)
    }

    /// Has a pinned tc link run this object's program, and pins it as our own; `false` when it is dead.
    fn switch_tcx(&mut self, ebpf: &mut Ebpf, to: &Attachment, old: &PinnedHook, own: &PinnedHook) -> Result<bool> {
        let refused = to.refused(own.hook);
        let Some(link) = open(old, own)? else { return Ok(false) };
        let ours = Identity::of(&program::info(ebpf, own.hook)?);
        // Something else than a link runs nothing.
        let runs = link.info().map_or(0, |info| info.program_id());
        let same = ours.is_some() && self.found.get(&runs) == ours.as_ref();
        if same
            && old == own
            && let Some(order) = Order::at(&to.interface, own.hook)
            && order.runs(runs)
        {
            self.warn_of_those_ahead(to, own.hook, &order, runs);
            return Ok(true);
        }
        let Ok(link) = SchedClassifierLink::try_from(link) else { return Ok(false) };
        let program = program::tc(ebpf, own.hook)?;
        match program.attach_to_link(link) {
            Ok(id) => {
                let link = program.take_link(id).map_err(|error| refused(&error))?;
                if old != own {
                    pin(link, &own.path, &refused)?;
                }
                let runs = program::info(ebpf, own.hook)?.id();
                if let Some(order) = Order::at(&to.interface, own.hook) {
                    self.warn_of_those_ahead(to, own.hook, &order, runs);
                }
                Ok(true)
            }
            // The interface it was on is gone, or somebody detached it: the link is dead for good.
            Err(error) if caused_by(&error, libc::ENOLINK) => Ok(false),
            Err(error) => Err(refused(&error)),
        }
    }

    /// The same for the shield. One that cannot be switched counts as dead: tc guards while there is none.
    fn switch_shield(&self, ebpf: &mut Ebpf, to: &Attachment, old: &PinnedHook, own: &PinnedHook) -> Result<bool> {
        let refused = to.refused(own.hook);
        let program = program::xdp(ebpf)?;
        if let Some(link) = open(old, own)?
            && let Ok(link) = XdpLink::try_from(link)
            && let Ok(id) = program.attach_to_link(link)
        {
            let link = program.take_link(id).map_err(|error| refused(&error))?;
            if old != own {
                pin(link, &own.path, &refused)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn warn_of_those_ahead(&mut self, to: &Attachment, hook: Hook, order: &Order, ours: u32) {
        for Ahead { program, id, .. } in order.ahead_of(ours, hook) {
            let (interface, name, guard) = (&to.interface, hook.name(), hook.program());
            let text = format!(
                "the program {program:?} (id {id}) comes before the guard on interface {interface}, {name}: what it \
                 accepts is not judged; take it off, or attach it behind {guard}"
            );
            self.warn_once(to.ifindex, text);
        }
    }

    fn warn_once(&mut self, ifindex: u32, text: String) {
        if self.told.entry(ifindex).or_default().insert(text.clone()) {
            tracing::warn!("{text}");
        }
    }

    /// Takes every program off an interface; `name` is needed only where filters are attached by name.
    pub(super) fn detach(&mut self, ifindex: u32, name: Option<&str>) -> Result<()> {
        self.told.remove(&ifindex);
        self.doubt_one(ifindex);
        let mut programs = Vec::new();
        for hook in Hook::ALL {
            for pin in self.links.of(ifindex, hook) {
                if let Ok(info) = PinnedLink::from_pin(&pin.path).map(FdLink::from).and_then(|link| link.info()) {
                    programs.push((hook, info.program_id()));
                }
                self.links.remove(&pin)?;
            }
        }
        let Some(name) = name else { return Ok(()) };
        let from = Attachment { interface: name.to_owned(), ifindex };
        if self.method == TcMethod::Clsact {
            for hook in Hook::TC {
                clsact::detach(&from, hook)?;
            }
        }
        // The kernel lets go of a link a moment after its pin is gone, and until then the program still looks for
        // its port.
        let deadline = Instant::now() + Duration::from_secs(2);
        while programs.iter().any(|(hook, id)| Hook::TC.contains(hook) && tcx::runs(name, *hook, *id))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn keep_only(&mut self, own: PinnedHook) {
        let ifindex = own.ifindex;
        for error in self.links.keep_only(own) {
            self.warn_once(ifindex, error.to_string());
        }
    }
}
