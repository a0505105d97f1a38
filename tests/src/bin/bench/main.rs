//! `cargo xtask bench`: what a packet costs, and what a port carries, with the guard and without in one run.

mod cost;
mod kernel;
mod rate;
mod sender;
mod table;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

/// Where the figures go with `--write`: what follows this line is replaced.
const MARK: &str = "<!-- figures of `cargo xtask bench --write` -->\n";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let page = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["--write", page] => Some((*page).to_owned()),
        other => bail!("unknown: {other:?}; nothing or --write FILE is wanted"),
    };
    let (cost, cheap) = cost::measure()?;
    anstream::println!("Cost of one packet: best of several rounds, in nanoseconds and in runs of an empty program\n");
    anstream::println!("{}", cost.text());
    let (rate, fast) = rate::measure()?;
    anstream::println!(
        "64-byte packets through a port, and through its unguarded twin on the same bridge, for each second of processor time\n"
    );
    anstream::println!("{}", rate.text());
    // Said, not made an error: machines differ, and busy ones measure themselves.
    for (aim, kept) in
        [("an honest packet costs at most 4 empty programs", cheap), ("a port carries 0.95 of what it would", fast)]
    {
        anstream::println!("{}  {aim}", if kept { "kept  " } else { "MISSED" });
    }
    if let Some(page) = page {
        let text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {page}"))?;
        let (head, _) = text.split_once(MARK).with_context(|| format!("{page} has no line `{}`", MARK.trim()))?;
        let kernel = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
        let (cost, rate) = (cost.markdown(), rate.markdown());
        let text = format!("{head}{MARK}\n## One packet\n{cost}\n## One port\n{rate}\nMeasured on Linux {kernel}.\n");
        std::fs::write(&page, text).with_context(|| format!("cannot write {page}"))?;
    }
    Ok(())
}
