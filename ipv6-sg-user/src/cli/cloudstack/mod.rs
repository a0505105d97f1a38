//! `ipv6-sg cloudstack`: what CloudStack calls on this host.

mod agent;

use anyhow::Result;
use clap::Subcommand;

use super::context::Context;

/// Serve CloudStack on this host
#[derive(Debug, clap::Args)]
pub(super) struct Cloudstack {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Agent(agent::Agent),
}

impl Cloudstack {
    /// What CloudStack's agent asks with these arguments.
    pub(super) const fn agent(arguments: Vec<String>) -> Self {
        Self { verb: Verb::Agent(agent::Agent::new(arguments)) }
    }

    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        match self.verb {
            Verb::Agent(verb) => verb.run(context),
        }
    }
}
