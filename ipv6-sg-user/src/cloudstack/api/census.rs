//! All VMs of a cloud by name and MAC, on whichever host, running or not: who is to have a prefix.

use super::client::{EVERYBODYS, Round, VMS};
use super::pages;
use super::words::VmItem;
use super::{ApiError, Client};
use crate::pd::sync::Resident;

/// States of VMs that are as good as gone, or never came to be.
const GONE: [&str; 2] = ["Expunging", "Error"];

/// The state of a VM that can be brought back.
const DESTROYED: &str = "Destroyed";

impl Client {
    /// The NICs that are on networks with security groups and IPv6, of all VMs, whole or not at all.
    ///
    /// # Errors
    /// The server cannot be asked, does not answer well, or its answers do not fit together.
    pub fn census(&self) -> Result<Vec<Resident>, ApiError> {
        let round = self.round()?;
        round.check_release()?;
        pages::again(VMS.command, self.pause(), || round.census())
    }
}

impl Round<'_> {
    fn census(&self) -> Result<Result<Vec<Resident>, String>, ApiError> {
        let details = [EVERYBODYS[0], EVERYBODYS[1], ("details", "nics")];
        let items: Vec<VmItem> = self.list(VMS, &details)?;
        let items = items.into_iter().filter(|item| !GONE.contains(&item.state.as_str()));
        let vms = items.map(|item| (item.state == DESTROYED, item.keep()));
        let vms = vms.map(|(destroyed, vm)| vm.map(|vm| (destroyed, vm)));
        let (destroyed, vms): (Vec<_>, Vec<_>) =
            vms.collect::<Result<Vec<_>, _>>().map_err(|problem| self.no_answer(VMS, &problem))?.into_iter().unzip();
        let networks = match self.networks(&vms)? {
            Ok(networks) => networks,
            Err(problem) => return Ok(Err(problem)),
        };
        let has_prefixes = |id: &str| {
            networks.iter().any(|network| network.id == id && network.security_groups && network.cidr.is_some())
        };
        let mut residents = Vec::new();
        for (vm, destroyed) in vms.iter().zip(destroyed) {
            let nics = vm.nics.iter().filter(|nic| has_prefixes(&nic.network));
            residents.extend(nics.map(|nic| Resident { vm: vm.name.clone(), mac: nic.mac, destroyed }));
        }
        Ok(Ok(residents))
    }
}
