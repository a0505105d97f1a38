//! Settings that are read again while the daemon runs: those that it can follow, and those that have to wait.

use crate::state::Settings;

/// The settings from now on. Directories, sockets and sources stay as they are while the daemon runs; the log says which have
/// changed.
pub(super) fn reloaded(old: &Settings, new: Settings) -> Settings {
    let fixed: [(&str, bool); 7] = [
        ("state_dir", old.state_dir != new.state_dir),
        ("run_dir", old.run_dir != new.run_dir),
        ("data_dir", old.data_dir != new.data_dir),
        ("pin_dir", old.pin_dir != new.pin_dir),
        ("metrics", old.metrics != new.metrics),
        ("cloudstack.libvirt_dir", old.cloudstack.libvirt_dir != new.cloudstack.libvirt_dir),
        ("source", old.source != new.source),
    ];
    for (key, _) in fixed.iter().filter(|(_, differs)| *differs) {
        tracing::warn!("{key} has changed and takes effect when the daemon is restarted");
    }
    Settings {
        state_dir: old.state_dir.clone(),
        run_dir: old.run_dir.clone(),
        data_dir: old.data_dir.clone(),
        pin_dir: old.pin_dir.clone(),
        metrics: old.metrics,
        cloudstack: old.cloudstack.clone(),
        source: old.source.clone(),
        ..new
    }
}
