//! One virtual machine: its process, which never outlives its owner, and its serial line. Judges nothing.

use crate::Failure;
use crate::plan::{Plan, host};
use crate::qemu::{Launch, Log};
use crate::replay::Recording;
use guest_contract::{Exit, Hex, LINE_BYTES_MAX, Line, STOP};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A guest that was told to end, and QEMU after its serial line has closed, get so long.
const EXIT_MAX: Duration = Duration::from_secs(3);

/// The files of one start of one node.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// What the guest is told; it has secrets.
    pub(crate) start: PathBuf,
    /// The socket of the guest's card.
    pub(crate) card: PathBuf,
    /// The socket that the card sends to.
    pub(crate) hub: PathBuf,
    /// Its frames.
    pub(crate) capture: PathBuf,
    /// Its serial output.
    pub(crate) serial: PathBuf,
    /// What a replay needs, if there shall be one.
    pub(crate) recording: Option<Recording>,
}

/// Something came from a serial line.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) place: usize,
    pub(crate) incarnation: u64,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Line(Line),
    /// What no guest says: QEMU's own words, or half a line of a guest that died.
    Noise,
    Closed,
}

/// A running machine.
#[derive(Debug)]
pub(crate) struct Vm {
    process: Child,
    reader: Option<JoinHandle<()>>,
}

impl Vm {
    /// Starts the node at `place`, whose news go to `news`.
    pub(crate) fn start(
        plan: &Plan,
        place: usize,
        incarnation: u64,
        stored: BTreeMap<String, Hex>,
        files: &Files,
        news: SyncSender<News>,
    ) -> Result<Self, Failure> {
        let name = &plan.parts[place].name;
        let fail = |what: &str, error: std::io::Error| Failure::harness(format!("{name}: {what}: {error}"));
        let start = serde_json::to_vec(&plan.start(place, incarnation, stored));
        let start = start.map_err(|error| Failure::harness(error.to_string()))?;
        std::fs::write(&files.start, &start).map_err(|error| fail("its start cannot be written", error))?;
        if let Some(recording) = &files.recording {
            recording.begin(plan, host(place), start).map_err(|error| fail("it cannot be recorded", error))?;
        }
        remove_if_there(&files.card);
        let log = File::create(&files.serial).map_err(|error| fail("no serial log", error))?;
        let errors = log.try_clone().map_err(|error| fail("no serial log", error))?;
        let launch = Launch {
            qemu: &plan.qemu,
            image: &plan.image,
            cpu: &plan.cpu,
            memory_mib: plan.memory_mib,
            host: host(place),
            start: &files.start,
            card: &files.card,
            hub: &files.hub,
            capture: Some(&files.capture),
            log: files.recording.as_ref().map(|recording| Log::Record(&recording.log)),
        };
        let mut command = launch.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut process = command.spawn().map_err(|error| fail("QEMU does not start", error))?;
        let output = process.stdout.take();
        let mut vm = Self { process, reader: None };
        let Some(output) = output else { return Err(Failure::harness("QEMU has no output")) };
        vm.reader = Some(thread::spawn(move || {
            listen(output, log, |what| news.send(News { place, incarnation, what }).is_ok());
        }));
        Ok(vm)
    }

    /// Asks the guest to end.
    pub(crate) fn ask_to_end(&mut self) {
        if let Some(input) = &mut self.process.stdin {
            // A guest that is gone cannot be asked.
            let _ = input.write_all(&[STOP]).and_then(|()| input.flush());
        }
    }

    /// How it ended; it is killed if it does not. For a guest that has been asked, or whose serial line is closed.
    pub(crate) fn wait(mut self) -> Option<Exit> {
        let until = Instant::now() + EXIT_MAX;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return status.code().and_then(Exit::from_status),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Takes its power.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // It may be gone already; either way nothing is left.
        let _ = self.process.kill();
        let _ = self.process.wait();
        drop(self.reader.take());
    }
}

fn remove_if_there(path: &Path) {
    // QEMU says so if it could not be removed.
    let _ = std::fs::remove_file(path);
}

/// Reads lines to the end, as long as somebody wants them.
fn listen(output: ChildStdout, mut log: File, mut tell: impl FnMut(What) -> bool) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = output.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            break;
        }
        // The log is for people; a full disk does not end the run.
        let _ = log.write_all(&line);
        let text = line.trim_ascii();
        if !text.is_empty() && !tell(parse(text)) {
            return;
        }
    }
    tell(What::Closed);
}

fn parse(line: &[u8]) -> What {
    serde_json::from_slice(line).map_or(What::Noise, What::Line)
}
