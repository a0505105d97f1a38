//! What all sources of the desired state want together: the operator's files, CloudStack's agent, its management server.
//!
//! Each keeps what it last said where it can be read again by anybody, so that nobody has to say it twice. What a source says
//! is laid beside what the others do; nothing here decides between them.

mod agent;
mod taps;

use std::collections::BTreeSet;

use crate::cloudstack::Taps;
use crate::cloudstack::agent::{Networks, Registry, Store, declare};
use crate::cloudstack::api::{self, Inventory};
use crate::state::{Declarations, Error, Model, Settings, directory};

pub use agent::{Agent, Place, Refusal};
pub use taps::taps;

/// What each source says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The operator, in files.
    pub files: &'a [Declarations],
    /// CloudStack's agent on this host.
    pub agent: &'a Registry,
    /// CloudStack's management server.
    pub api: Option<&'a Inventory>,
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
    let said = Said { files: &files, agent: &agent, api: asked.as_ref(), taps: &taps::present()? };
    Ok(said.as_far_as_possible(&BTreeSet::new())?.0)
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

impl Said<'_> {
    /// What all want together, without those of CloudStack's ports that contradict the files, or each other. Of two that do,
    /// one of a VM in `doubted` is left out.
    ///
    /// # Errors
    /// The files contradict each other.
    pub fn as_far_as_possible(&self, doubted: &BTreeSet<String>) -> Result<(Model, Vec<LeftOut>), Error> {
        let assemble = |declared: &Declarations| Model::assemble(self.files.iter().cloned().chain([declared.clone()]));
        let mut all = self.declared();
        if let Ok(model) = assemble(&all) {
            return Ok((model, Vec::new()));
        }
        all.ports.sort_by_key(|port| doubted.contains(&port.vm));
        // Groups name each other, and none contradicts another: all of them stay.
        let mut sound = Declarations { networks: all.networks, groups: all.groups, ports: Vec::new() };
        let (mut model, mut left_out) = (assemble(&sound)?, Vec::new());
        // By halves: those that are sound are many, and come together.
        let mut parts = vec![all.ports];
        while let Some(mut ports) = parts.pop() {
            let mut more = sound.clone();
            more.ports.extend(ports.iter().cloned());
            match assemble(&more) {
                Ok(with_them) => (model, sound) = (with_them, more),
                Err(error) if ports.len() == 1 => {
                    left_out.extend(ports.pop().map(|port| LeftOut { vm: port.vm, error }))
                }
                Err(_) => {
                    let later = ports.split_off(ports.len() / 2);
                    parts.extend([later, ports]);
                }
            }
        }
        Ok((model, left_out))
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
        Said { files, agent, api: None, taps }
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
        let (model, left_out) = said(&file, &registry, &taps).as_far_as_possible(&BTreeSet::new()).unwrap();
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
            let (model, left_out) = said(&[], &registry, &taps).as_far_as_possible(&doubted).unwrap();
            assert_eq!((model.ports().len(), left_out.len()), (2, 1));
            assert!(!model.ports().contains_key(left), "{left}");
        }
    }
}
