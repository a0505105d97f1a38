//! `ipv6-sg pd release`: a VM's prefixes become nobody's.

use std::io::Write as _;

use anyhow::{Context as _, Result};

use super::super::context::Context;
use super::super::output::{self, Format};
use crate::pd::release::Whose;
use crate::state::value;

/// Take a VM's prefixes back, and print them
///
/// At its next Renew the VM hears that they are its no more, and hypervisors stop them at once. They rest as long as [pd] of the
/// settings says before anybody else has them: write more than Kea's valid-lifetime there.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).multiple(true))]
pub(in crate::cli) struct Release {
    /// Of this MAC
    #[arg(long, group = "whose")]
    mac: Option<String>,
    /// Of this VM, of all of its MACs
    #[arg(long, group = "whose")]
    vm: Option<String>,
    /// Only this prefix
    #[arg(long)]
    prefix: Option<String>,
    #[command(flatten)]
    format: Format,
}

impl Release {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        let mac = self.mac.as_deref().map(super::mac).transpose()?;
        let vm = self.vm.as_deref().map(super::vm).transpose()?;
        let whose = match (mac, vm) {
            (Some(mac), Some(vm)) => Whose::Both(mac, vm),
            (Some(mac), None) => Whose::Mac(mac),
            (None, vm) => Whose::Vm(vm.context("neither --mac nor --vm")?),
        };
        let prefix = |text: &String| value::any_prefix(text).with_context(|| format!("prefix {text:?}"));
        let prefix = self.prefix.as_ref().map(prefix).transpose()?;
        let released = super::with_pool(&settings, async |pool| pool.release(&whose, prefix).await)?;
        if self.format.json {
            return output::json(&mut context.out, &released);
        }
        for released in &released {
            writeln!(context.out, "{}", released.prefix)?;
        }
        Ok(())
    }
}
