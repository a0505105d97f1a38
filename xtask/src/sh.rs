//! Running programs, with errors that name the command line.

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The cargo that started this program, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// The same for all packages of user space. Chosen alone, a package has what it depends on built once more, with other features.
pub(crate) fn cargo_for_all(verb: &str) -> Command {
    let mut cargo = cargo();
    cargo.args([verb, "--workspace", "--exclude", "ipv6-sg-ebpf"]);
    cargo
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Runs a command that speaks for itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed, {status}", line(command));
    }
    Ok(())
}

/// Runs a command in this process's place; comes back only when it cannot be started.
pub(crate) fn replace_this_process(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start `{}`", line(command)))
}

/// Runs a command whose output is of interest only when it fails; `remedy` says what to do then.
pub(crate) fn run_quietly(command: &mut Command, remedy: &str) -> Result<()> {
    let out =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`; {remedy}", line(command)))?;
    if !out.status.success() {
        anstream::eprint!("{}", String::from_utf8_lossy(&out.stdout));
        anstream::eprint!("{}", String::from_utf8_lossy(&out.stderr));
        bail!("`{}` failed, {}; {remedy}", line(command), out.status);
    }
    Ok(())
}

/// What a command prints, when it exists and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let out = command.stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
