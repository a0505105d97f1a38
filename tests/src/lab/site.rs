//! One installation: its directories, its pins, and its verbs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use ipv6_sg::kernel::{Inspect, Pins};
use ipv6_sg_common::abi::Counters;
use ipv6_sg_common::mac::Mac;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Netns, PATIENCE, Process, netns};

/// An installation. Its directories and pins are removed when it is dropped.
pub struct Site {
    directory: TempDir,
    /// The pin directory.
    pub pins: PathBuf,
}

/// What a verb did.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The network of all ports: `2001:db8:100::/64`, without a list of routers.
const NETWORK: &str = "[network.pod]\nprefixes = [\"2001:db8:100::/64\"]\n";

/// A port in the words of a state file; `more` is further keys.
pub fn port(interface: &str, mac: Mac, more: &str) -> String {
    format!(
        "[[port]]\nvm = \"vm-{interface}\"\ninterface = \"{interface}\"\nmac = \"{mac}\"\nnetwork = \"pod\"\n{more}\n"
    )
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An installation with a network and no ports.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a place for temporary files");
        // Those without rights may read, so that what they are refused is the kernel.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("our own directory");
        let pins = Path::new("/sys/fs/bpf").join(netns::unique());
        let site = Self { directory, pins };
        fs::create_dir(site.state_dir()).expect("our own directory");
        site.settings("");
        site.state("00-network.toml", NETWORK);
        site
    }

    /// A path in the installation's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The settings file.
    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// The state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.path("state.d")
    }

    /// Writes the settings: the installation's directories, and `more` keys.
    pub fn settings(&self, more: &str) {
        let text = format!(
            "state_dir = {:?}\nrun_dir = {:?}\ndata_dir = {:?}\npin_dir = {:?}\n{more}\n",
            self.state_dir(),
            self.path("run"),
            self.path("data"),
            self.pins
        );
        fs::write(self.config(), text).expect("our own directory");
    }

    /// Writes a state file as writers should: under another name, then renamed.
    pub fn state(&self, name: &str, text: &str) {
        let written = self.path("new");
        fs::write(&written, text).expect("our own directory");
        fs::rename(&written, self.state_dir().join(name)).expect("our own directory");
    }

    /// Removes a state file.
    pub fn remove_state(&self, name: &str) {
        fs::remove_file(self.state_dir().join(name)).expect("a state file of ours");
    }

    /// A verb, ready to run in a namespace.
    pub fn verb(&self, netns: &Netns, words: &str) -> Command {
        let mut command = netns.command(binary());
        command.args(words.split_whitespace()).arg("--config").arg(self.config());
        command
    }

    /// Runs a verb to its end.
    pub fn try_verb(&self, netns: &Netns, words: &str) -> Outcome {
        outcome(&mut self.verb(netns, words))
    }

    /// Runs a verb that must succeed, and returns what it prints.
    #[track_caller]
    pub fn ask(&self, netns: &Netns, words: &str) -> String {
        netns::run(&mut self.verb(netns, words))
    }

    /// Runs a verb that prints JSON.
    #[track_caller]
    pub fn json(&self, netns: &Netns, words: &str) -> serde_json::Value {
        let text = self.ask(netns, &format!("{words} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words} --json: {error}\n{text}"))
    }

    /// Starts the daemon and waits until it says that it is ready.
    #[track_caller]
    pub fn daemon(&self, netns: &Netns) -> Process {
        let mut daemon = Process::start(self.verb(netns, "daemon"));
        daemon.wait_for(" ready ");
        daemon
    }

    /// The maps, as any other program sees them.
    pub fn inspect(&self) -> Inspect {
        Inspect::open(Pins::new(&self.pins)).expect("pinned maps")
    }

    /// A port's counters; zero when it has none.
    pub fn counters(&self, ifindex: u32) -> Counters {
        self.inspect().counters().expect("readable").get(&ifindex).copied().unwrap_or_default()
    }

    /// Every path below the pin directory, sorted.
    pub fn pinned(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        list(&self.pins, &mut found);
        found.sort();
        found
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.pins);
    }
}

/// Runs a command to its end, whatever that is. One that does not end, because it was not refused, is killed.
#[track_caller]
pub fn outcome(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid is small"));
    let (ended, end) = mpsc::channel();
    let reader = thread::spawn(move || {
        let out = child.wait_with_output().expect("a child of ours");
        // Nobody listens any more when it was killed.
        let _ = ended.send(());
        out
    });
    if end.recv_timeout(PATIENCE).is_err() {
        let _ = kill(pid, Signal::SIGKILL);
    }
    let out = reader.join().expect("the reader");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Outcome { code: out.status.code(), out: text(out.stdout), err: text(out.stderr) }
}

fn list(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            list(&path, found);
        }
        found.push(path);
    }
}

/// The program under test: built into the directory above the one this test program is in.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running program");
    let built = test.ancestors().skip(1).map(|directory| directory.join("ipv6-sg")).find(|path| path.is_file());
    built.unwrap_or_else(|| {
        panic!("no ipv6-sg above {}: run `cargo xtask test`, or `cargo build -p ipv6-sg-user --bins`", test.display())
    })
}
