//! The guard by hand: state in words is compiled and written into maps of its own, where no interface is.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ipv6_sg::compile::{Image, compile};
use ipv6_sg::kernel::{Guard, Pins, PortEntry, TcMethod};
use ipv6_sg::state::{Model, Settings, file};
use ipv6_sg_tests::lab::Site;

/// What the network of all ports is called in [`Site`]'s state, and here.
const NETWORK: &str = "[network.pod]\nprefixes = [\"2001:db8:100::/64\"]\n";

/// Reads state and checks it.
///
/// # Errors
/// It is not sound.
pub fn read(text: &str) -> Result<Model> {
    let declarations = file::parse(Path::new("bench.toml"), &format!("{NETWORK}{text}"))?;
    Ok(Model::assemble([declarations])?)
}

/// What the maps should hold for it.
///
/// # Errors
/// It is too large.
pub fn image(model: &Model) -> Result<Image> {
    Ok(compile(model, &Settings::default())?)
}

/// The maps, and who writes them.
pub struct Enforced {
    guard: Guard,
    site: Site,
}

impl Enforced {
    /// Maps without ports.
    ///
    /// # Errors
    /// The kernel refuses them.
    pub fn open() -> Result<Self> {
        let site = Site::new();
        let mut enforced = Self { guard: Guard::open(Pins::new(&site.pins), TcMethod::of_this_kernel())?, site };
        enforced.tidy()?;
        Ok(enforced)
    }

    /// Where the maps are pinned.
    pub fn pins(&self) -> Pins {
        Pins::new(&self.site.pins)
    }

    /// Writes the image's only port and its rules, as that of an interface with this index; how long it takes until every
    /// packet is judged by them. What is put off until nobody waits is done too, and not counted.
    ///
    /// # Errors
    /// The maps have no room.
    pub fn write(&mut self, ifindex: u32, image: &Image) -> Result<Duration> {
        let port = image.ports.values().next().context("one port")?;
        let mut entry = PortEntry { port: port.port, sources: port.sources.clone(), routers: port.routers.clone() };
        let began = Instant::now();
        self.guard.load_rules(&mut [(ifindex, &mut entry, port.rules.as_ref())])?;
        self.guard.write(ifindex, &entry)?;
        self.guard.apply_rules()?;
        let took = began.elapsed();
        self.tidy()?;
        Ok(took)
    }

    /// Forgets a port, its rules included.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn forget(&mut self, ifindex: u32) -> Result<()> {
        self.guard.release(ifindex, None)?;
        self.guard.load_rules(&mut [])?;
        self.guard.apply_rules()?;
        self.tidy()
    }

    fn tidy(&mut self) -> Result<()> {
        while self.guard.tidy()? {}
        Ok(())
    }
}
