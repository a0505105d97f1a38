//! `ipv6-sg flows`: what each port remembers of the flows that its rules allowed.

mod count;
mod ends;
mod filter;
mod flush;
mod row;
mod tracked;

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

use self::count::CountRow;
use self::filter::Filter;
use self::flush::Flush;
pub(super) use self::row::FlowRow;
use super::context::Context;
use super::output::{self, Format};
use crate::kernel::{Inspect, Pins};

/// Show the flows that the rules allowed, or forget them
///
/// Flows that are over are not shown. RULES is `due` where the rules have changed since the flow was last put to them: its
/// next packet is. It is `cut` where they no longer allow it: until it is over, only a SYN begins another between the same
/// ends. Idle times are up to about a second too long. An interface that is itself called
/// flush is shown by `flows -- flush`; the order comes first, what it is about behind it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(super) struct Flows {
    #[command(subcommand)]
    order: Option<Order>,
    /// Only this interface's
    #[arg(value_name = "IF")]
    interface: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// How many, by interface and state, instead of each
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    format: Format,
}

/// What to do to flows.
#[derive(Debug, clap::Subcommand)]
enum Order {
    Flush(Flush),
}

/// A flow of a port.
#[derive(Debug, Serialize)]
struct Row {
    interface: String,
    ifindex: u32,
    #[serde(flatten)]
    flow: FlowRow,
}

impl Flows {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        match self.order {
            Some(Order::Flush(flush)) => return flush.run(context),
            None if self.count => return self.count(context),
            None => {}
        }
        let inspect = Inspect::open(Pins::new(&context.settings()?.pin_dir))?;
        let generation = inspect.generation()?;
        let (mut rows, mut without) = (Vec::new(), Vec::new());
        tracked::each(&inspect, self.interface.as_deref(), &self.filter, |port| {
            let Some(flows) = port.flows else {
                without.push(port.interface);
                return Ok(());
            };
            rows.extend(flows.live.iter().map(|(key, flow)| Row {
                interface: port.interface.clone(),
                ifindex: port.ifindex,
                flow: FlowRow::new(key, flow, flows.now_ns, generation),
            }));
            Ok(())
        })?;
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        let [protocol, vm, peer, opened, state, idle, rules] = row::HEADINGS;
        let headings = ["INTERFACE", protocol, vm, peer, opened, state, idle, rules];
        let cells = rows.iter().map(|row| {
            let [protocol, vm, peer, opened, state, idle, rules] = row.flow.cells();
            [row.interface.clone(), protocol, vm, peer, opened, state, idle, rules]
        });
        output::table(&mut context.out, Some(headings), cells)?;
        Ok(without_rules(&mut context.out, &without)?)
    }

    fn count(self, context: &mut Context) -> Result<()> {
        let inspect = Inspect::open(Pins::new(&context.settings()?.pin_dir))?;
        let (mut rows, mut without) = (Vec::new(), Vec::new());
        tracked::each(&inspect, self.interface.as_deref(), &self.filter, |port| {
            rows.push(CountRow::new(&port));
            without.extend(port.flows.is_none().then_some(port.interface));
            Ok(())
        })?;
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        let cells = rows.iter().filter(|row| row.has_rules()).map(CountRow::cells);
        output::table(&mut context.out, Some(count::HEADINGS), cells)?;
        Ok(without_rules(&mut context.out, &without)?)
    }
}

fn without_rules(out: &mut dyn Write, interfaces: &[String]) -> io::Result<()> {
    for interface in interfaces {
        writeln!(out, "{interface}: no rules apply, so no flows are tracked")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flows: Flows,
    }

    fn parsed(words: &[&str]) -> Result<Flows, clap::Error> {
        Line::try_parse_from([&["flows"], words].concat()).map(|line| line.flows)
    }

    #[test]
    fn an_interface_may_be_called_as_the_order_is() {
        let shown = |words: &[&str]| {
            let flows = parsed(words).unwrap();
            assert!(flows.order.is_none(), "{words:?}");
            flows.interface
        };
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&["vnet1"]).as_deref(), Some("vnet1"));
        assert_eq!(shown(&["--", "flush"]).as_deref(), Some("flush"));
        assert_eq!(shown(&["help"]).as_deref(), Some("help"));
        let flushed = |words: &[&str]| match parsed(words).unwrap().order {
            Some(Order::Flush(_)) => {}
            None => panic!("{words:?}"),
        };
        flushed(&["flush"]);
        flushed(&["flush", "vnet1", "--port", "22"]);
        flushed(&["flush", "flush"]);
        // Behind anything else it is an interface: an order that did not hear the filter before it would forget too
        // much.
        assert_eq!(shown(&["--port", "22", "flush"]).as_deref(), Some("flush"));
        assert!(parsed(&["vnet1", "flush"]).is_err());
    }
}
