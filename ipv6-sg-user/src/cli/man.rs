//! `ipv6-sg man`: the whole manual as one page.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Command, CommandFactory as _};

use super::context::Context;
use crate::state::settings::DEFAULT_PATH;

/// Print the manual page; `ipv6-sg man | man -l -` shows it
#[derive(Debug, clap::Args)]
pub(super) struct Man {}

impl Man {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let mut command = super::Cli::command().disable_help_subcommand(true);
        command.build();
        page(&command, &mut context.out)?;
        Ok(())
    }
}

fn page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let main = clap_mangen::Man::new(command.clone()).section("8").date("").manual("System administration");
    main.render_title(out)?;
    main.render_name_section(out)?;
    main.render_synopsis_section(out)?;
    main.render_description_section(out)?;
    main.render_options_section(out)?;
    writeln!(out, ".SH VERBS")?;
    for verb in command.get_subcommands() {
        section(verb, verb.get_name(), out)?;
        for order in verb.get_subcommands() {
            section(order, &format!("{} {}", verb.get_name(), order.get_name()), out)?;
        }
    }
    write!(
        out,
        ".SH FILES\n.TP\n{config}\nthe settings\n.TP\n/etc/ipv6\\-sg/state.d/*.toml\nthe desired state, read in the order of \
         the names\n.SH ENVIRONMENT\n.TP\nIPV6_SG_CONFIG\nthe settings file, unless \\-\\-config names one\n.TP\n\
         NO_COLOR\nno colours, even on a terminal\n.SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nrefused or failed; one line on \
         standard error says what, and how to mend it\n.TP\n2\nwrong usage\n",
        config = DEFAULT_PATH.replace('-', "\\-")
    )
}

/// The section of a verb, or of one of the orders that it takes.
fn section(verb: &Command, name: &str, out: &mut dyn Write) -> io::Result<()> {
    // What every verb takes is said once, above; what a verb can be told has a section of its own.
    let own = verb
        .clone()
        .mut_args(|arg| if matches!(arg.get_id().as_str(), "config" | "help") { arg.hide(true) } else { arg });
    let page = clap_mangen::Man::new(own);
    writeln!(out, ".SS {name}")?;
    let mut text = Vec::new();
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    out.write_all(&without_headings(&text))
}

/// The sections of a verb become paragraphs of its own section.
fn without_headings(sections: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in sections.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(if line.starts_with(b".SH ") { b".PP\n" } else { line });
    }
    text
}
