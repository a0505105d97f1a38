//! What runs in a real guest, as root: takes orders on a serial line, one a line, and answers each.
//!
//! An answer is any number of lines that begin with a space, and then `ok` or `error: ` with what went wrong. Knows nothing
//! of tests: what a guest should say is theirs to decide.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ipv6_sg_tests::lab::tap::{NEEDS_CSUM, VnetHdr};
use ipv6_sg_tests::lab::{VnetSocket, packet_socket};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("which serial line?")?;
    let line = OpenOptions::new().read(true).write(true).open(&path).with_context(|| path.clone())?;
    let mut settings = tcgetattr(&line)?;
    cfmakeraw(&mut settings);
    tcsetattr(&line, SetArg::TCSANOW, &settings)?;
    let mut answers = line.try_clone()?;
    writeln!(answers, "ready")?;
    for order in BufReader::new(line).lines() {
        match obey(&order?) {
            Ok(said) => {
                for line in said.lines() {
                    writeln!(answers, " {line}")?;
                }
                writeln!(answers, "ok")?;
            }
            Err(error) => writeln!(answers, "error: {}", format!("{error:#}").replace('\n', "; "))?,
        }
    }
    Ok(())
}

fn obey(order: &str) -> Result<String> {
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    match (verb, &words[..]) {
        ("run", _) => run(rest),
        ("frame", [interface, frame]) => send(interface, None, frame),
        ("unfinished", [interface, start, offset, frame]) => {
            let (csum_start, csum_offset) = (start.parse()?, offset.parse()?);
            let header = VnetHdr { flags: NEEDS_CSUM, csum_start, csum_offset, ..VnetHdr::default() };
            send(interface, Some(header), frame)
        }
        ("upload", [to, bytes]) => upload(to, bytes.parse()?),
        ("download", [port]) => download(port.parse()?),
        ("datagrams", [to, count, size]) => datagrams(to, count.parse()?, size.parse()?),
        _ => bail!("no such order: {order}"),
    }
}

fn run(line: &str) -> Result<String> {
    let out = Command::new("sh").args(["-c", line]).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.success(), "{}: {}{text}", out.status, String::from_utf8_lossy(&out.stderr));
    Ok(text)
}

/// Sends a frame as it is, past the guest's own network stack.
fn send(interface: &str, header: Option<VnetHdr>, frame: &str) -> Result<String> {
    ensure!(frame.len().is_multiple_of(2), "half a byte");
    let octet = |at| u8::from_str_radix(frame.get(at..at + 2).unwrap_or_default(), 16);
    let frame = (0..frame.len()).step_by(2).map(octet).collect::<Result<Vec<_>, _>>()?;
    match header {
        Some(header) => VnetSocket::open_here(interface)?.send(&header, &frame)?,
        None => {
            let socket = packet_socket()?;
            ipv6_sg_tests::lab::bind(&socket, interface, 0)?;
            File::from(socket).write_all(&frame)?;
        }
    }
    Ok(String::new())
}

fn upload(to: &str, bytes: usize) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&to.parse()?, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&vec![0x5a; bytes])?;
    Ok(String::new())
}

/// Says how many bytes came.
fn download(port: u16) -> Result<String> {
    let (mut stream, _) = TcpListener::bind(("::", port))?.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    ensure!(all.iter().all(|byte| *byte == 0x5a), "other bytes than were sent");
    Ok(all.len().to_string())
}

/// Sends datagrams to one who sends each back.
fn datagrams(to: &str, count: usize, size: usize) -> Result<String> {
    let socket = UdpSocket::bind("[::]:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let data = vec![0x5a; size];
    let mut back = vec![0; 65_536];
    for number in 0..count {
        socket.send_to(&data, to)?;
        let length = socket.recv(&mut back).with_context(|| format!("datagram {number} of {size} bytes"))?;
        ensure!(back[..length] == data, "datagram {number} came back otherwise");
    }
    Ok(String::new())
}
