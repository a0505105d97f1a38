//! The script that filters IPv4: CloudStack's own, called as its agent would call it.
//!
//! It also has bridged IPv6 pass through ip6tables, where its rules would judge packets that are judged already: that is
//! switched off again after each call.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Whether what crosses a bridge passes through ip6tables; not there while br_netfilter is not loaded.
const SWITCH: &str = "/proc/sys/net/bridge/bridge-nf-call-ip6tables";

/// A script that has done its work.
#[derive(Debug)]
pub struct Script {
    /// What it printed.
    pub output: String,
}

impl Script {
    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be run or fails, with its last words; or it leaves bridged IPv6 in ip6tables.
    pub fn run(path: &Path, arguments: &[String]) -> Result<Self> {
        let ran = Command::new(path).args(arguments).stdin(Stdio::null()).output();
        let switched = keep_ipv6_out(Path::new(SWITCH));
        let ran = ran.with_context(|| format!("cannot run {}, cloudstack.ipv4_script", path.display()))?;
        let (output, words) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        if !ran.status.success() {
            let last = words.lines().chain(output.lines()).rfind(|line| !line.trim().is_empty());
            let said = last.map(|line| format!(": {line}")).unwrap_or_default();
            bail!("{} failed, {}{said}", path.display(), ran.status);
        }
        switched?;
        Ok(Self { output: output.into_owned() })
    }
}

fn keep_ipv6_out(switch: &Path) -> Result<()> {
    match OpenOptions::new().write(true).truncate(true).open(switch).and_then(|mut file| file.write_all(b"0\n")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot switch {} off: run as root", switch.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (directory, path)
    }

    #[test]
    fn its_last_words_tell_why() {
        let (_directory, path) = script("echo out; echo why >&2; exit 3");
        let error = format!("{:#}", Script::run(&path, &[]).unwrap_err());
        assert!(error.contains("exit status: 3") && error.ends_with(": out"), "{error}");
        let error = format!("{:#}", Script::run(Path::new("/nowhere"), &[]).unwrap_err());
        assert!(error.starts_with("cannot run /nowhere, cloudstack.ipv4_script"), "{error}");
    }

    #[test]
    fn the_switch_is_off_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let switch = directory.path().join("switch");
        // Where there is none, there is nothing to switch off.
        keep_ipv6_out(&switch).unwrap();
        assert!(!switch.exists());
        fs::write(&switch, "1\n").unwrap();
        keep_ipv6_out(&switch).unwrap();
        assert_eq!(fs::read_to_string(&switch).unwrap(), "0\n");
    }
}
