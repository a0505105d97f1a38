//! The virtual machine: boots a kernel and tells what comes over its serial line, until it is off.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A machine that is to be.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    /// The kernel.
    pub(super) image: &'a Path,
    pub(super) initramfs: &'a Path,
    /// Where the kernel's own words go.
    pub(super) console: PathBuf,
}

/// The kernel's command line. An oops ends the machine, and a machine that ends by itself is not started again.
const COMMAND_LINE: &str = "console=ttyS0 mitigations=off oops=panic panic=-1";

/// Killed when dropped: nothing may outlive the verb, and a machine that is off does not mind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine<'_> {
    /// Boots it and passes on each line until it is off; an error when it is not off after `limit`.
    pub(super) fn run(&self, limit: Duration, mut line: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let end = Instant::now() + limit;
        let mut running = self.start()?;
        let stdout = running.0.stdout.take().context("the machine's serial line is not piped")?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for bytes in BufReader::new(stdout).split(b'\n').map_while(std::io::Result::ok) {
                if send.send(String::from_utf8_lossy(&bytes).trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(text) => line(&text)?,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the machine is not off after {limit:?}; its console: {}", self.console.display())
                }
            }
        }
        let status = running.0.wait().context("the machine does not end")?;
        if !status.success() {
            bail!("qemu failed, {status}; the console: {}", self.console.display());
        }
        Ok(())
    }

    fn start(&self) -> Result<Running> {
        let mut qemu = Command::new("qemu-system-x86_64");
        // Emulated, so that it is the same machine everywhere. The plainest processor is the fastest to emulate.
        qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64"]);
        qemu.args(["-smp", "2", "-m", "4096", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(self.image).arg("-initrd").arg(self.initramfs).args(["-append", COMMAND_LINE]);
        qemu.arg("-serial").arg(format!("file:{}", self.console.display())).args(["-serial", "stdio"]);
        let child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Running(child.context("cannot start `qemu-system-x86_64`")?))
    }
}
