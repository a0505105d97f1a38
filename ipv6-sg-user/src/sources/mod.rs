//! What all sources of the desired state want together: the operator's files, CloudStack's agent, its management server, and
//! the database of the DHCPv6 server.
//!
//! Each keeps what it last said where it can be read again by anybody, so that nobody has to say it twice. What a source says
//! is laid beside what the others do; nothing here decides between them.

mod admit;
mod agent;
mod delegated;
mod taps;

use std::collections::BTreeSet;

use crate::cloudstack::Taps;
use crate::cloudstack::agent::{Networks, Registry, Store, declare};
use crate::cloudstack::api::{self, Inventory};
use crate::kea::Delegations;
use crate::poll;
use crate::state::{Declarations, Error, Model, Settings, directory};
use admit::admit;
use delegated::Given;

pub use agent::{Agent, Place, Refusal};
pub use delegated::NotGiven;
pub use taps::{taps, tell_apart};

/// What each source says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The operator, in files.
    pub files: &'a [Declarations],
    /// CloudStack's agent on this host.
    pub agent: &'a Registry,
    /// CloudStack's management server.
    pub api: Option<&'a Inventory>,
    /// The database of the DHCPv6 server.
    pub kea: Option<&'a Delegations>,
    /// Where it is to be: the taps of this host.
    pub taps: &'a Taps,
}

/// What all sources want, each as it left it, for those who look.
///
/// # Errors
/// What they say cannot be read, or does not go together.
pub fn look(settings: &Settings) -> anyhow::Result<Model> {
    let files = directory::declarations(&settings.state_dir)?;
    let agent = match Store::look(&settings.data_dir) {
        // Only root reads what others than the operator have said; the files are for whoever may read them.
        Err(error) if error.is_not_permitted() => Registry::default(),
        other => other?,
    };
    let asked = settings.source.cloudstack.as_ref().and_then(|_| api::Store::look(&settings.data_dir));
    let reserved = settings.source.kea.as_ref().and_then(|_| poll::Store::look(&settings.data_dir));
    let (api, kea) = (asked.as_ref(), reserved.as_ref());
    let mut taps = taps::present()?;
    // Whose they are that libvirt does not tell is not known to whoever looks either.
    let _ = tell_apart(&mut taps, &agent, api, &settings.cloudstack.libvirt_dir);
    let said = Said { files: &files, agent: &agent, api, kea, taps: &taps };
    Ok(said.as_far_as_possible(&BTreeSet::new())?.model)
}

/// A port that is wanted, and cannot be beside the others.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct LeftOut {
    /// Its VM.
    pub vm: String,
    /// Why.
    pub error: Error,
}

/// What all want together, and what of it cannot be.
#[derive(Debug)]
pub struct Together {
    /// What can be.
    pub model: Model,
    /// Ports of CloudStack's that cannot.
    pub left_out: Vec<LeftOut>,
    /// Prefixes of Kea's that cannot.
    pub not_given: Vec<NotGiven>,
}

impl Said<'_> {
    /// What all want together, without those of CloudStack's ports that contradict the files, or each other, and without those
    /// of Kea's prefixes that then still contradict something. Of two ports that do, one of a VM in `doubted` is left out; of
    /// two prefixes, the one that was reserved later.
    ///
    /// # Errors
    /// The files contradict each other.
    pub fn as_far_as_possible(&self, doubted: &BTreeSet<String>) -> Result<Together, Error> {
        let mut declared = self.declared();
        let mut left_out = Vec::new();
        // The files are to be told apart from what contradicts them.
        let mut model = match self.assemble(&declared, &[]) {
            Ok(model) => model,
            Err(_) => {
                let mut ports = std::mem::take(&mut declared.ports);
                ports.sort_by_key(|port| doubted.contains(&port.vm));
                // Groups name each other, and none contradicts another: all of them stay.
                let mut model = self.assemble(&declared, &[])?;
                let (admitted, refused) = admit(ports, |ports| {
                    let with_them = Declarations { ports: ports.to_vec(), ..declared.clone() };
                    model = self.assemble(&with_them, &[])?;
                    Ok::<_, Error>(())
                });
                left_out.extend(refused.into_iter().map(|(port, error)| LeftOut { vm: port.vm, error }));
                declared.ports = admitted;
                model
            }
        };
        let Some(kea) = self.kea else { return Ok(Together { model, left_out, not_given: Vec::new() }) };
        let (given, mut not_given) = delegated::to_ports(model.ports().values(), kea);
        let (_, refused) = admit(given, |given| {
            model = self.assemble(&declared, given)?;
            Ok::<_, Error>(())
        });
        not_given.extend(refused.into_iter().map(|(given, error)| NotGiven::taken(given, error)));
        Ok(Together { model, left_out, not_given })
    }

    /// The files, what CloudStack wants, and prefixes for the ports of both.
    fn assemble(&self, declared: &Declarations, given: &[Given]) -> Result<Model, Error> {
        let mut all: Vec<_> = self.files.iter().chain([declared]).cloned().collect();
        delegated::give(&mut all, given);
        Model::assemble(all)
    }

    /// What CloudStack wants, by both of its ways.
    fn declared(&self) -> Declarations {
        let mut declared = declare(self.agent, self.taps, &networks(self.files));
        if let Some(inventory) = self.api {
            let asked = api::declare(inventory, self.taps);
            declared.networks.extend(asked.networks);
            declared.ports.extend(asked.ports);
            declared.groups.extend(asked.groups);
        }
        declared
    }
}

/// The networks that the files define, by announced prefix.
fn networks(files: &[Declarations]) -> Networks {
    let networks = files.iter().flat_map(|file| &file.networks);
    networks.flat_map(|network| network.prefixes.iter().map(|prefix| (*prefix, network.name.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;
    use crate::cloudstack::agent::Command;
    use crate::kea::Delegation;
    use crate::state::file;

    fn registry(vms: &[(&str, &str)]) -> Registry {
        let mut registry = Registry::default();
        for (number, address) in vms {
            let words = format!(
                "default_network_rules --vmname i-2-{number}-VM --vmid {number} --vmmac 06:7a:88:00:00:0{number} --vif vnet{number} --nicsecips {address};"
            );
            let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
            let _ = registry.apply(&Command::parse(&words).unwrap(), SystemTime::UNIX_EPOCH).unwrap();
        }
        registry
    }

    fn said<'a>(files: &'a [Declarations], agent: &'a Registry, taps: &'a Taps) -> Said<'a> {
        Said { files, agent, api: None, kea: None, taps }
    }

    fn files(text: &str) -> Vec<Declarations> {
        vec![file::parse(Path::new("a.toml"), text).unwrap()]
    }

    /// An operator gave an address away that the agent had given to a VM.
    #[test]
    fn what_contradicts_the_files_is_left_out() {
        let file = files(
            "[network.a]\nprefixes = []\n[[port]]\nvm = \"a\"\ninterface = \"vnet9\"\nmac = \"06:00:00:00:00:09\"\nnetwork = \"a\"\naddresses = [\"2001:db8::1\"]",
        );
        let registry = registry(&[("1", "2001:db8::1"), ("2", "2001:db8::2"), ("3", "2001:db8::3")]);
        let taps = Taps::default();
        let Together { model, left_out, .. } =
            said(&file, &registry, &taps).as_far_as_possible(&BTreeSet::new()).unwrap();
        assert_eq!(model.ports().keys().collect::<Vec<_>>(), ["vnet2", "vnet3", "vnet9"]);
        let left_out: Vec<_> = left_out.iter().map(ToString::to_string).collect();
        assert_eq!(left_out.len(), 1);
        assert!(left_out[0].contains("i-2-1-VM") && left_out[0].contains("a.toml"), "{left_out:?}");
        // What the files say is not the agent's to mend.
        let twice = [&file[..], &file].concat();
        assert!(said(&twice, &registry, &taps).as_far_as_possible(&BTreeSet::new()).is_err());
    }

    #[test]
    fn of_two_the_one_in_doubt_is_left_out() {
        let registry = registry(&[("1", "2001:db8::1"), ("2", "2001:db8::1"), ("3", "2001:db8::3")]);
        for (doubted, left) in [("1", "vnet1"), ("2", "vnet2"), ("3", "vnet2")] {
            let doubted = BTreeSet::from([format!("i-2-{doubted}-VM")]);
            let taps = ["1", "2", "3"].map(|n| (format!("vnet{n}"), format!("fe:7a:88:00:00:0{n}").parse().unwrap()));
            let taps = Taps::new(taps);
            let Together { model, left_out, .. } = said(&[], &registry, &taps).as_far_as_possible(&doubted).unwrap();
            assert_eq!((model.ports().len(), left_out.len()), (2, 1));
            assert!(!model.ports().contains_key(left), "{left}");
        }
    }

    /// Ports of the agent's and of files get theirs; what is somebody else's, or could be, is nobody's.
    #[test]
    fn prefixes_that_are_reserved() {
        let file = files(
            "[network.a]\nprefixes = [\"2001:db8:9::/64\"]\n[[port]]\nvm = \"a\"\ninterface = \"vnet9\"\nmac = \"06:00:00:00:00:09\"\nnetwork = \"a\"\ndelegated = [\"2001:db8:f000:90::/60\"]\n[[port]]\nvm = \"b\"\ninterface = \"vnet8\"\nmac = \"06:7a:88:00:00:02\"\nnetwork = \"a\"",
        );
        let registry = registry(&[("1", "2001:db8::1"), ("2", "2001:db8::2")]);
        let delegation = |mac: &str, prefix: &str| Delegation {
            mac: mac.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            vm: None,
        };
        let (one, two, nine) = ("06:7a:88:00:00:01", "06:7a:88:00:00:02", "06:00:00:00:00:09");
        let delegations = [
            (one, "2001:db8:f000:10::/60"),
            (nine, "2001:db8:f000:20::/60"),
            // It has that.
            (nine, "2001:db8:f000:90::/60"),
            ("06:00:00:00:00:77", "2001:db8:f000:70::/60"),
            // Two VMs have the MAC.
            (two, "2001:db8:f000:30::/60"),
            // Part of what another has: by the files, by Kea, and by its network.
            (one, "2001:db8:f000:98::/61"),
            (nine, "2001:db8:f000:18::/61"),
            (one, "2001:db8:9::/60"),
            (one, "2001:db8:f000:40::/60"),
        ];
        let kea = Delegations {
            delegations: delegations.iter().map(|(mac, prefix)| delegation(mac, prefix)).collect(),
            malformed: vec!["x".to_owned()],
        };
        let taps = Taps::default();
        let said = Said { kea: Some(&kea), ..said(&file, &registry, &taps) };
        let Together { model, left_out, not_given } = said.as_far_as_possible(&BTreeSet::new()).unwrap();
        assert_eq!(left_out.len(), 0);
        let has =
            |interface: &str| model.ports()[interface].delegated.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(has("vnet1"), ["2001:db8:f000:10::/60", "2001:db8:f000:40::/60"]);
        assert_eq!(has("vnet9"), ["2001:db8:f000:90::/60", "2001:db8:f000:20::/60"]);
        assert_eq!((has("vnet2"), has("vnet8")), (vec![], vec![]));
        let not_given: Vec<_> = not_given.iter().map(ToString::to_string).collect();
        let starts = [
            "Kea's database: x; ",
            "2001:db8:f000:30::/60 is reserved for 06:7a:88:00:00:02, which is of i-2-2-VM and of b: ",
            "2001:db8:f000:98::/61 is reserved for 06:7a:88:00:00:01, and cannot be: ",
            "2001:db8:f000:18::/61 is reserved for 06:00:00:00:00:09, and cannot be: ",
            "2001:db8:9::/60 is reserved for 06:7a:88:00:00:01, and cannot be: ",
        ];
        assert_eq!(not_given.len(), starts.len(), "{not_given:#?}");
        for (text, start) in not_given.iter().zip(starts) {
            assert!(text.starts_with(start), "{text}");
        }
    }
}
