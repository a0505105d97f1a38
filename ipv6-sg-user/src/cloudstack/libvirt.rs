//! Which VMs run on this host, as libvirt keeps it in files while they do: one live description (XML) for each.
//!
//! Only reads, and only what says whose tap an interface is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ipv6_sg_common::mac::Mac;
use serde::Deserialize;

/// A VM that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// libvirt's number of it.
    pub id: Option<String>,
    /// Its taps, each with the MAC of its NIC.
    pub taps: Vec<(String, Mac)>,
}

/// What keeps from knowing what runs.
#[derive(Debug, thiserror::Error)]
pub enum LibvirtError {
    /// The directory or a file in it.
    #[error("cannot read {}, where libvirt describes what runs: {source}; is libvirt running, and cloudstack.libvirt_dir right?", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no description.
    #[error("{} is no description of a VM that runs: {reason}", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What runs now, by name, out of libvirt's directory.
///
/// # Errors
/// The directory, or a description in it, cannot be read: what runs is not known then, not even in part.
pub fn domains(directory: &Path) -> Result<BTreeMap<String, Domain>, LibvirtError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LibvirtError::Read { path, source }
    };
    let mut domains = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        if path.extension().is_none_or(|kind| kind != "xml") {
            continue;
        }
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // It has ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&path)(error)),
        };
        let domain = described(&text).map_err(|reason| LibvirtError::Form { path: path.clone(), reason })?;
        domains.insert(domain.name.clone(), domain);
    }
    Ok(domains)
}

/// A description: of a VM that runs, inside what libvirt knows of it beside; or as `virsh dumpxml` prints it.
#[derive(Deserialize)]
struct Description {
    domain: Option<Box<Description>>,
    #[serde(rename = "@id")]
    id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    devices: Devices,
}

#[derive(Default, Deserialize)]
struct Devices {
    #[serde(default)]
    interface: Vec<Interface>,
}

#[derive(Deserialize)]
struct Interface {
    mac: Option<MacElement>,
    target: Option<TargetElement>,
}

#[derive(Deserialize)]
struct MacElement {
    #[serde(rename = "@address")]
    address: String,
}

#[derive(Deserialize)]
struct TargetElement {
    #[serde(rename = "@dev")]
    dev: Option<String>,
}

/// A VM out of its description, live or as `virsh dumpxml` prints it.
///
/// # Errors
/// It is none; the text says why.
pub fn described(text: &str) -> Result<Domain, String> {
    let mut description: Description = quick_xml::de::from_str(text).map_err(|error| error.to_string())?;
    if let Some(domain) = description.domain {
        description = *domain;
    }
    let Description { id, name, devices, .. } = description;
    if name.is_empty() {
        return Err("it names no domain".to_owned());
    }
    // One without a tap (a device that is passed through) has nothing to guard.
    let tap = |interface: Interface| Some((interface.target?.dev?, interface.mac?.address.parse().ok()?));
    Ok(Domain { name, id, taps: devices.interface.into_iter().filter_map(tap).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n
        <domstatus state='running' reason='booted' pid='4711'>
          <monitor path='/run/monitor' type='unix'/>
          <domain type='kvm' id='3'>
            <name>i-2-55-VM</name>
            <metadata><name>another</name></metadata>
            <devices>
              <interface type='bridge'>
                <mac address='06:7a:88:00:00:8b'/>
                <source bridge='cloudbr0'/>
                <target dev='vnet11'/>
                <model type='virtio'/>
              </interface>
              <interface type='hostdev'><mac address='06:7a:88:00:00:8c'/><source><address/></source></interface>
              <interface type='bridge'><target dev='vnet12'/><mac address='06:7a:88:00:00:8d'></mac></interface>
              <disk><target dev='vda'/></disk>
            </devices>
          </domain>
        </domstatus>";

    #[test]
    fn a_live_description() {
        let mac = |text: &str| text.parse().unwrap();
        let taps =
            vec![("vnet11".to_owned(), mac("06:7a:88:00:00:8b")), ("vnet12".to_owned(), mac("06:7a:88:00:00:8d"))];
        let wanted = Domain { name: "i-2-55-VM".to_owned(), id: Some("3".to_owned()), taps };
        assert_eq!(described(LIVE), Ok(wanted.clone()));
        // As `virsh dumpxml` prints it.
        let dumped = &LIVE[LIVE.find("<domain").unwrap()..LIVE.find("</domstatus").unwrap()];
        assert_eq!(described(dumped), Ok(wanted));
    }

    #[test]
    fn what_is_no_description() {
        for text in ["", "<domstatus>", "<domain><name>a</nam></domain>", "<network/>", "<domain><name>a</name>"] {
            assert!(described(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_directory_is_known_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        fs::create_dir(directory.path().join("channel")).unwrap();
        write("i-2-55-VM.pid", "4711");
        assert_eq!(domains(directory.path()).unwrap(), BTreeMap::new());
        write("i-2-55-VM.xml", LIVE);
        assert_eq!(domains(directory.path()).unwrap().into_keys().collect::<Vec<_>>(), ["i-2-55-VM"]);
        write("i-2-56-VM.xml", "<domstatus>");
        let error = domains(directory.path()).unwrap_err().to_string();
        assert!(error.contains("i-2-56-VM.xml is no description"), "{error}");
        let error = domains(&directory.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("is libvirt running"), "{error}");
    }
}
