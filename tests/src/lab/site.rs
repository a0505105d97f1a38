//! One installation: its directories, its pins, and its verbs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv6_sg::kernel::{Inspect, Pins};
use ipv6_sg_common::abi::Counters;
use ipv6_sg_common::mac::Mac;
use tempfile::TempDir;

use super::process::{Outcome, Process, outcome, run};
use super::undo::{self, Made, Thing};
use super::{Netns, netns};

/// An installation. Its directories and pins are removed when it is dropped.
pub struct Site {
    directory: PathBuf,
    /// The pin directory.
    pub pins: PathBuf,
    _made: [Made; 2],
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
        let new = || Ok(TempDir::new()?.keep());
        let directory = undo::make(new, |directory| Thing::Directory(directory.clone()));
        let (directory, made) = directory.expect("a place for temporary files");
        // Those without rights may read, so that what they are refused is the kernel.
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("our own directory");
        // The daemon makes it.
        let pins = || Ok(Path::new("/sys/fs/bpf").join(netns::unique()));
        let (pins, pins_made) = undo::make(pins, |pins| Thing::Directory(pins.clone())).expect("a name");
        let site = Self { directory, pins, _made: [made, pins_made] };
        fs::create_dir(site.state_dir()).expect("our own directory");
        site.settings("");
        site.state("00-network.toml", NETWORK);
        site
    }

    /// A path in the installation's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
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
        run(&mut self.verb(netns, words))
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

/// The lines of a table that a verb has printed, their columns apart by two or more spaces.
pub fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect()
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

/// The program under test: built into the directory of this program, or above it where that is a test.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a running program");
    let built = own.ancestors().skip(1).map(|directory| directory.join("ipv6-sg")).find(|path| path.is_file());
    built.unwrap_or_else(|| {
        panic!("no ipv6-sg above {}: `cargo xtask` builds it for its test, demo and bench", own.display())
    })
}
