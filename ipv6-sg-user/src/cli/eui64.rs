//! `ipv6-sg eui64`: the address a VM will use.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use serde_json::json;

use super::context::Context;
use super::output::{self, Format};
use crate::state::{Problem, value};

/// Print the address that a VM with this MAC forms from an announced prefix
#[derive(Debug, clap::Args)]
pub(super) struct Eui64 {
    /// The announced /64, like 2001:db8:1::/64; fe80::/64 gives the link-local address
    prefix: String,

    /// The VM's MAC, like 06:7a:88:00:00:8b
    mac: String,

    #[command(flatten)]
    format: Format,
}

impl Eui64 {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let prefix = announced(&self.prefix).with_context(|| format!("prefix {:?}", self.prefix))?;
        let mac = value::mac(&self.mac).with_context(|| format!("MAC {:?}", self.mac))?;
        let address = eui64::slaac(Address::from_ip(prefix.addr()), mac);
        if self.format.json {
            return output::json(&mut context.out, &json!({ "address": address.to_string() }));
        }
        writeln!(context.out, "{address}")?;
        Ok(())
    }
}

/// Whatever a VM forms an address from, link-local included.
fn announced(text: &str) -> Result<Ipv6Net, Problem> {
    let prefix = value::any_prefix(text)?;
    if prefix.prefix_len() == 64 { Ok(prefix) } else { Err(Problem::Not64(prefix.prefix_len())) }
}
