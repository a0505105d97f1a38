//! `ipv6-sg monitor`: drops as they happen.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use ipv6_sg_common::abi::{Direction, DropEvent, Hook};
use ipv6_sg_common::packet::{Bytes, Summary};
use ipv6_sg_common::verdict::Reason;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use serde::Serialize;

use super::context::Context;
use super::interfaces::{self, name_of};
use crate::kernel::{Inspect, Pins};
use crate::state::Settings;

/// Show drops as they happen from now on, with the reason
///
/// The kernel limits how many it reports for each port; `ipv6-sg counters` counts all.
#[derive(Debug, clap::Args)]
pub(super) struct Monitor {
    /// Only this interface
    #[arg(value_name = "IF")]
    interface: Option<String>,
    /// Write the frames into a capture file (pcapng, the reason as a comment)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// End after so many drops
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// Timestamps in the capture count in units of 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;

/// One drop.
#[derive(Debug, Serialize)]
struct Line {
    /// Seconds since the epoch.
    time: f64,
    interface: String,
    direction: &'static str,
    reason: &'static str,
    text: &'static str,
    hook: &'static str,
    length: u32,
    frame: String,
}

impl Monitor {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        follow(&self, &settings, &mut context.out)
    }
}

fn follow(args: &Monitor, settings: &Settings, out: &mut dyn Write) -> Result<()> {
    let inspect = Inspect::open(Pins::new(&settings.pin_dir))?;
    if let Some(interface) = &args.interface {
        let names = interfaces::names();
        if !inspect.ports()?.keys().any(|ifindex| name_of(&names, *ifindex) == *interface) {
            bail!("interface {interface} is not guarded; `ipv6-sg ports` lists those that are");
        }
    }
    let mut events = inspect.events()?;
    let start = monotonic()?;
    let _alone = alone(settings)?;
    let mut capture = args.pcap.as_ref().map(Capture::create).transpose()?;
    let boot = boot_offset()?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = events.next_ready() else {
            // A drop that came between looking and polling would be seen a second later at worst.
            let timeout = PollTimeout::try_from(Duration::from_secs(1))?;
            match poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], timeout) {
                Err(nix::errno::Errno::EINTR) | Ok(_) => continue,
                Err(error) => bail!("cannot wait for events: {error}"),
            }
        };
        // What nobody read stays in the buffer, for hours maybe: it is no drop that happens.
        if Duration::from_nanos(event.at_ns) < start {
            continue;
        }
        let Some(line) = Line::of(&event, boot) else { continue };
        if args.interface.as_ref().is_some_and(|only| *only != line.interface) {
            continue;
        }
        if let Some(capture) = &mut capture {
            capture.write(&event, &line, boot)?;
        }
        if args.json {
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        } else {
            line.print(out)?;
        }
        out.flush()?;
        left -= 1;
    }
    Ok(())
}

/// Whoever reads an event takes it: two monitors would each see half.
fn alone(settings: &Settings) -> Result<Flock<File>> {
    std::fs::create_dir_all(&settings.run_dir)
        .with_context(|| format!("cannot create run_dir {}", settings.run_dir.display()))?;
    let path = settings.run_dir.join("monitor.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| anyhow::anyhow!("another monitor is running: events go to one reader only, end that one first"))
}

/// What to add to the monotonic clock to have the time of day.
fn boot_offset() -> Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_REALTIME)?).saturating_sub(monotonic()?))
}

/// Now, on the clock of the kernel programs.
fn monotonic() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}

impl Line {
    /// `None` for numbers of another ABI, which the pin directory's version rules out.
    fn of(event: &DropEvent, boot: Duration) -> Option<Self> {
        let reason = Reason::from_number(event.reason)?;
        let frame = Bytes { tagged_beside: event.tagged != 0, ..Bytes::new(captured(event)) };
        Some(Self {
            time: (boot + Duration::from_nanos(event.at_ns)).as_secs_f64(),
            interface: name_of(&interfaces::names(), event.ifindex),
            direction: Direction::from_number(event.direction)?.name(),
            reason: reason.name(),
            text: reason.text(),
            hook: Hook::from_number(event.hook)?.name(),
            length: event.frame_length,
            frame: Summary(&frame).to_string(),
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { interface, direction, reason, frame, length, .. } = self;
        let time = humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(self.time));
        let (direction, text) = (direction.replace('_', " "), self.text.trim_end_matches('.'));
        writeln!(out, "{time} {interface} {direction} {reason}: {frame}, {length} bytes ({text})")
    }
}

fn captured(event: &DropEvent) -> &[u8] {
    event.bytes.get(..usize::from(event.captured)).unwrap_or(&event.bytes)
}

/// A capture file; interfaces are described in it when they first appear.
struct Capture {
    writer: PcapNgWriter<File>,
    path: PathBuf,
    interfaces: Vec<u32>,
}

impl Capture {
    fn create(path: &PathBuf) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let writer = PcapNgWriter::new(file).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { writer, path: path.clone(), interfaces: Vec::new() })
    }

    fn write(&mut self, event: &DropEvent, line: &Line, boot: Duration) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        let index = match self.interfaces.iter().position(|known| *known == event.ifindex) {
            Some(index) => index,
            None => {
                self.writer
                    .write_pcapng_block(InterfaceDescriptionBlock {
                        linktype: DataLink::ETHERNET,
                        snaplen: 0,
                        options: vec![
                            InterfaceDescriptionOption::IfName(Cow::Borrowed(&line.interface)),
                            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                        ],
                    })
                    .with_context(failed)?;
                self.interfaces.push(event.ifindex);
                self.interfaces.len() - 1
            }
        };
        let comment = format!("dropped {}: {}", line.direction.replace('_', " "), line.reason);
        self.writer
            .write_pcapng_block(EnhancedPacketBlock {
                interface_id: u32::try_from(index)?,
                timestamp: boot + Duration::from_nanos(event.at_ns),
                original_len: event.frame_length,
                data: Cow::Borrowed(captured(event)),
                options: vec![EnhancedPacketOption::Comment(Cow::Owned(comment))],
            })
            .with_context(failed)?;
        Ok(())
    }
}
