//! `ipv6-sg cloudstack agent`, also called as `security_group.py`: takes the place of the script that CloudStack's agent calls.
//!
//! The daemon does what is asked, for IPv6. Where the settings name a script for IPv4, it is called as it is, after that; done
//! is what both have done.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::cli::client::Client;
use crate::cli::context::Context;
use crate::cloudstack::agent::RuleLogs;
use crate::cloudstack::ipv4_script::Script;
use crate::daemon::{AgentCall, Answer, SOCKET};
use crate::state::Settings;

/// The one call whose answer is read.
const RULE_LOGS: &str = "get_rule_logs_for_vms";

/// Do what CloudStack's agent asks of its script security_group.py
///
/// Comes back when it is enforced. A link to this program of that name, in /etc/cloudstack/agent, has the agent call it; options
/// of this program are read from the environment then.
#[derive(Debug, clap::Args)]
pub(super) struct Agent {
    /// A subcommand of the script, and its flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SUBCOMMAND")]
    arguments: Vec<String>,
}

impl Agent {
    /// The verb with these arguments, behind the name of a program that has nothing else to do.
    pub(super) const fn new(arguments: Vec<String>) -> Self {
        Self { arguments }
    }

    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let Some(path) = &settings.cloudstack.ipv4_script else {
            let answer = self.ask(&settings)?;
            return Ok(context.out.write_all(answer.output.as_bytes())?);
        };
        // Neither waits for the other's success: what each can do is done, and the agent tries again. The daemon comes first: it
        // takes no time, while the script leaves the tap of a VM that runs already open for most of a second.
        let answer = self.ask(&settings);
        let script = Script::run(path, &self.arguments);
        let (script, answer) = match (script, answer) {
            (Ok(script), Ok(answer)) => (script, answer),
            (Err(ipv4), Err(ipv6)) => bail!("IPv4: {ipv4:#}; IPv6: {ipv6:#}"),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        if self.arguments.first().is_some_and(|name| name == RULE_LOGS) {
            let both = RuleLogs::parse(&answer.output).both(RuleLogs::parse(&script.output));
            return Ok(writeln!(context.out, "{both}")?);
        }
        context.out.write_all(script.output.as_bytes())?;
        Ok(context.out.write_all(answer.output.as_bytes())?)
    }

    /// Has the daemon do it.
    fn ask(&self, settings: &Settings) -> Result<Answer> {
        let client = Client::connect(&settings.run_dir)?.with_context(|| {
            let socket = settings.run_dir.join(SOCKET);
            format!("no daemon answers on {}: start ipv6-sg", socket.display())
        })?;
        client.post("/v1/cloudstack/agent", &AgentCall { arguments: self.arguments.clone() })
    }
}
