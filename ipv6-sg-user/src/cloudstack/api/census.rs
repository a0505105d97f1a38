//! All VMs of a cloud by name and MAC, on whichever host, running or not: who is to have a prefix.

use ipv6_sg_common::mac::Mac;

use super::client::{EVERYBODYS, Round, VMS};
use super::pages;
use super::words::VmItem;
use super::{ApiError, Client};

/// States of VMs that are as good as gone, or never came to be.
const GONE: [&str; 2] = ["Expunging", "Error"];

/// The state of a VM that can be brought back.
const DESTROYED: &str = "Destroyed";

/// A NIC of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhabitant {
    /// The VM, as its host calls it.
    pub vm: String,
    /// The VM's MAC.
    pub mac: Mac,
    /// It was destroyed, and can be brought back.
    pub destroyed: bool,
}

impl Client {
    /// The NICs that are on networks with security groups and IPv6, of all VMs of the zone with this name or id, or of all zones;
    /// whole or not at all.
    ///
    /// # Errors
    /// The server cannot be asked, does not answer well, or its answers do not fit together.
    pub fn census(&self, zone: Option<&str>) -> Result<Vec<Inhabitant>, ApiError> {
        let round = self.round()?;
        round.check_release()?;
        pages::again(VMS.command, self.pause(), || round.census(zone))
    }
}

impl Round<'_> {
    fn census(&self, zone: Option<&str>) -> Result<Result<Vec<Inhabitant>, String>, ApiError> {
        let details = [EVERYBODYS[0], EVERYBODYS[1], ("details", "nics")];
        let items: Vec<VmItem> = self.list(VMS, &details)?;
        let items = items.into_iter().filter(|item| !GONE.contains(&item.state.as_str()) && item.is_in(zone));
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
            residents.extend(nics.map(|nic| Inhabitant { vm: vm.name.clone(), mac: nic.mac, destroyed }));
        }
        Ok(Ok(residents))
    }
}
