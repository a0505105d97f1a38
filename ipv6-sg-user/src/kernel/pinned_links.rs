//! The pinned links, which keep programs on the taps: which there are, of every version. Attaches nothing.

use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

use aya::programs::links::{FdLink, LinkError, PinnedLink};

use super::error::{caused_by, one_line};
use super::hook::Hook;
use super::pins::PinnedHook;
use super::{KernelError, Pins, Result};

/// All of them.
pub(super) struct PinnedLinks {
    pins: Pins,
    /// Every pin that is still in the file system, of whichever version: forgotten only when it is gone.
    present: HashMap<(u32, Hook), Vec<PinnedHook>>,
}

impl PinnedLinks {
    /// Those that are there now.
    pub(super) fn read(pins: Pins) -> Result<Self> {
        let mut present: HashMap<_, Vec<_>> = HashMap::new();
        for link in pins.all_links()? {
            present.entry((link.ifindex, link.hook)).or_default().push(link);
        }
        Ok(Self { pins, present })
    }

    /// Interfaces that have one.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.present.keys().map(|(ifindex, _)| *ifindex)
    }

    /// This version's pin of a hook, whether it is there or not.
    pub(super) fn own(&self, ifindex: u32, hook: Hook) -> PinnedHook {
        self.pins.hook(ifindex, hook)
    }

    /// Those of a hook.
    pub(super) fn of(&self, ifindex: u32, hook: Hook) -> Vec<PinnedHook> {
        self.present.get(&(ifindex, hook)).cloned().unwrap_or_default()
    }

    /// Removes all pins of a hook but this one. One that cannot be removed is tried again at the next occasion: what
    /// guards the tap is there already.
    #[must_use = "what could not be removed is to be told"]
    pub(super) fn keep_only(&mut self, own: PinnedHook) -> Vec<KernelError> {
        let pins = self.present.entry((own.ifindex, own.hook)).or_default();
        if !pins.contains(&own) {
            pins.push(own.clone());
        }
        let others = self.of(own.ifindex, own.hook).into_iter().filter(|pin| *pin != own);
        others.filter_map(|pin| self.remove(&pin).err()).collect()
    }

    /// Removes a pin; no failure when it is gone already.
    pub(super) fn remove(&mut self, pin: &PinnedHook) -> Result<()> {
        match fs::remove_file(&pin.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(KernelError::file("remove", &pin.path)(error));
            }
            _ => {}
        }
        if let Some(pins) = self.present.get_mut(&(pin.ifindex, pin.hook)) {
            pins.retain(|kept| kept != pin);
            if pins.is_empty() {
                self.present.remove(&(pin.ifindex, pin.hook));
            }
        }
        Ok(())
    }
}

/// Opens a pinned link; `None` when there is none. What cannot be opened at our own path is an error: it may be the link
/// that guards the tap. At another's path it counts as none, for a link of our own guards as well.
pub(super) fn open(pin: &PinnedHook, own: &PinnedHook) -> Result<Option<FdLink>> {
    match PinnedLink::from_pin(&pin.path) {
        Ok(link) => Ok(Some(link.into())),
        Err(error) if pin != own || caused_by(&error, libc::ENOENT) => Ok(None),
        Err(error) => Err(KernelError::file("open", &pin.path)(io::Error::other(one_line(&error)))),
    }
}

/// Pins a link that runs already.
pub(super) fn pin<L>(
    link: L,
    path: &Path,
    refused: &impl Fn(&(dyn std::error::Error + 'static)) -> KernelError,
) -> Result<()>
where
    FdLink: TryFrom<L, Error = LinkError>,
{
    let link = FdLink::try_from(link).map_err(|error| refused(&error))?;
    link.pin(path).map(drop).map_err(|error| refused(&error))
}
