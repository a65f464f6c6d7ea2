//! A start of a machine done again, to the byte: QEMU's log of what came into it, and what it was started with.

use crate::plan::Plan;
use crate::qemu::{Launch, Log, check_qemu};
use crate::run::Folder;
use crate::{Failure, Kind};
use guest_contract::Hex;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// The longest machine file and serial log that are read.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The only format so far.
const SCHEMA: u32 = 1;
/// The guest as it was built then, in the same folder.
const IMAGE: &str = "guest";

/// Where the recording of one start goes, beside its serial log.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// QEMU's log.
    pub(crate) log: PathBuf,
    machine: PathBuf,
}

/// How the machine was started. It holds the secrets of the start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    schema: u32,
    cpu: String,
    memory_mib: u32,
    host: u16,
    start: Hex,
}

impl Recording {
    pub(crate) fn new(out: &Path, node: &str, incarnation: u64) -> Self {
        let file = |kind: &str| out.join(format!("{node}-{incarnation}.{kind}"));
        Self { log: file("rr"), machine: file("machine.json") }
    }

    /// Keeps what QEMU's log does not hold.
    pub(crate) fn begin(&self, plan: &Plan, host: u16, start: Vec<u8>) -> io::Result<()> {
        fs::copy(&plan.image, self.log.with_file_name(IMAGE))?;
        let (cpu, memory_mib) = (plan.cpu.clone(), plan.memory_mib);
        let machine = Machine { schema: SCHEMA, cpu, memory_mib, host, start: Hex(start) };
        let mut file = secret(&self.machine)?;
        serde_json::to_writer(&mut file, &machine)?;
        file.flush()
    }
}

/// A new file for its owner alone, in the place of any old one.
fn secret(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It said the same, so many bytes.
    Same(u64),
    /// Its serial line differs from this byte on, counted from 0: the place where one ends and the other goes on, too.
    Differs(u64),
}

/// Does a recorded start of a machine again: `log` is what QEMU wrote, a `.rr` file, and what else is needed lies beside it.
///
/// # Errors
/// When a file is missing, too long or makes no sense, QEMU is missing or too old, or the replay is not over in `timeout`.
pub fn replay(qemu: &Path, log: &Path, timeout: Duration) -> Result<Replayed, Failure> {
    check_qemu(qemu)?;
    let recorded = read(&log.with_extension("log"))?;
    let machine = read_machine(&log.with_extension("machine.json"))?;
    let image = &log.with_file_name(IMAGE);
    if let Some(missing) = [log, image].into_iter().find(|path| !path.is_file()) {
        return Err(failure(missing, &"it is missing: keep the whole folder of the run"));
    }
    let folder = Folder::new()?;
    let start = folder.file(0, "start");
    fs::write(&start, &machine.start.0).map_err(|error| failure(&start, &error))?;
    let nowhere = Path::new("");
    let launch = Launch {
        qemu,
        image,
        cpu: &machine.cpu,
        memory_mib: machine.memory_mib,
        host: machine.host,
        start: &start,
        card: nowhere,
        hub: nowhere,
        capture: None,
        log: Some(Log::Replay(log)),
    };
    let said = run(launch.command(), recorded.len() as u64 + 1, timeout)?;
    let differs = said.iter().zip(&recorded).position(|(said, recorded)| said != recorded);
    let shorter = said.len().min(recorded.len());
    Ok(match differs.or_else(|| (said.len() != recorded.len()).then_some(shorter)) {
        Some(at) => Replayed::Differs(at as u64),
        None => Replayed::Same(said.len() as u64),
    })
}

fn read_machine(path: &Path) -> Result<Machine, Failure> {
    let machine: Machine = serde_json::from_slice(&read(path)?).map_err(|error| failure(path, &error))?;
    if machine.schema != SCHEMA {
        return Err(failure(path, &format!("of format {}, and this program knows {SCHEMA}", machine.schema)));
    }
    Ok(machine)
}

/// A whole file, if it is not too long.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failure(path, &error))?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failure(path, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failure(path, &"too long"));
    }
    Ok(bytes)
}

/// The files are to blame, not this computer.
fn failure(path: &Path, what: &dyn Display) -> Failure {
    Failure { kind: Kind::Boot, node: None, detail: format!("{}: {what}", path.display()) }
}

/// What the machine says until it ends, or until that is as much as is worth reading.
fn run(mut command: Command, bytes_max: u64, timeout: Duration) -> Result<Vec<u8>, Failure> {
    let harness = |error: io::Error| Failure::harness(format!("QEMU does not start: {error}"));
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(harness)?;
    let output = process.stdout.take();
    let (tell, told) = sync_channel(1);
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        let read = output.map_or(Ok(0), |output| output.take(bytes_max).read_to_end(&mut said));
        // Nobody listens any more when it has taken too long.
        let _ = tell.send(read.map(|_| said));
    });
    let said = told.recv_timeout(timeout);
    // It may be gone already; either way nothing is left.
    let _ = (process.kill(), process.wait(), reader.join());
    match said {
        Ok(said) => said.map_err(|error| Failure::harness(format!("QEMU's output: {error}"))),
        Err(RecvTimeoutError::Timeout) => Err(Failure::harness(format!("the replay is not over after {timeout:?}"))),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::harness("QEMU has no output")),
    }
}
