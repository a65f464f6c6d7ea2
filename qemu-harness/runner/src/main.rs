//! The command: runs a folder of parts as virtual machines, and says how it went.

use clap::{Parser, Subcommand};
use machine::Duration as Delay;
use qemu_runner::{
    Failure, Kind, Outcome, Plan, Replayed, Speed, build_image, check_qemu, find_guest, replay, run_vms,
};
use scenario_actor::Part;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const QEMU: &str = "qemu-system-x86_64";
/// The longest part that is read.
const PART_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Runs a scenario's nodes as bare-metal guests in QEMU.
#[derive(Debug, Parser)]
#[command(
    name = "qemu-runner",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes:
  0    all that had to be seen was
  1    a node failed
  2    the arguments or the parts are wrong
  4    a replay differed
  70   QEMU or this computer is to blame"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one virtual machine for each part in a folder
    Run {
        /// Holds the nodes' parts, a JSON file each
        parts: PathBuf,
        /// Where summary, captures and serial logs go
        #[arg(long, default_value = "target/qemu-runner")]
        out: PathBuf,
        /// Seconds of wall time until the run is given up
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
        /// Decides the links' fates
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Milliseconds that every frame takes
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
        delay_ms: u64,
        /// Percent of frames that are lost
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
        loss_percent: u64,
        /// MiB that go by plain TCP first, from the first node that has work to the node of that work
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1024))]
        plain_mib: u64,
        /// The image that virtual machines boot; it is built from the checkout around unless said
        #[arg(long, value_name = "FILE")]
        guest_image: Option<PathBuf>,
        /// Log what comes into each machine (`NODE-0.rr`), for `replay`
        #[arg(long)]
        record: bool,
    },
    /// Do a recorded machine again, alone, and compare its serial log to the byte
    Replay {
        /// What `run --record` left: `OUT/NODE-0.rr`, beside the other files of its folder
        log: PathBuf,
        /// Seconds of wall time until it is given up
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Say whether this computer can run guests
    Doctor,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Doctor => check_qemu(Path::new(QEMU)).map(|()| None),
        Command::Replay { log, timeout } => {
            return match replay(Path::new(QEMU), &log, Duration::from_secs(timeout)) {
                Ok(replayed) => tell_replay(replayed),
                Err(failure) => refuse(&failure),
            };
        }
        Command::Run { parts, out, timeout, seed, delay_ms, loss_percent, plain_mib, guest_image, record } => {
            run(&parts, guest_image, out, |plan| {
                plan.timeout = Duration::from_secs(timeout);
                plan.seed = seed;
                plan.record = record;
                plan.plain_bytes = (plain_mib > 0).then_some(plain_mib * 1024 * 1024);
                plan.link.delay = sim::Delay::Fixed(Delay::from_millis(delay_ms));
                plan.link.loss = sim::Chance::from_percent(loss_percent);
            })
            .map(Some)
        }
    };
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(outcome)) => tell(&outcome),
        Err(failure) => refuse(&failure),
    }
}

fn refuse(failure: &Failure) -> ExitCode {
    eprintln!("qemu-runner: {failure}");
    ExitCode::from(if failure.kind == Kind::Harness { 70 } else { 2 })
}

fn tell_replay(replayed: Replayed) -> ExitCode {
    match replayed {
        Replayed::Same(bytes) => {
            println!("same  {bytes} bytes of serial log");
            ExitCode::SUCCESS
        }
        Replayed::Differs(at) => {
            println!("differs  from byte {at} of the serial log on");
            ExitCode::from(4)
        }
    }
}

fn run(parts: &Path, image: Option<PathBuf>, out: PathBuf, change: impl FnOnce(&mut Plan)) -> Result<Outcome, Failure> {
    let parts = read_parts(parts)?;
    check_qemu(Path::new(QEMU))?;
    let image = image.map_or_else(|| build_image(&find_guest()?), Ok)?;
    let mut plan = Plan::new(parts, image, out);
    change(&mut plan);
    run_vms(&plan)
}

/// The parts in `folder`, in the order of their files' names.
fn read_parts(folder: &Path) -> Result<Vec<Part>, Failure> {
    let wrong = |path: &Path, what: &dyn std::fmt::Display| Failure {
        kind: Kind::Boot,
        node: None,
        detail: format!("{}: {what}", path.display()),
    };
    let entries = std::fs::read_dir(folder).map_err(|error| wrong(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    if paths.is_empty() {
        return Err(wrong(folder, &"no .json file is in it"));
    }
    let read = |path: &PathBuf| {
        if std::fs::metadata(path).map_err(|error| wrong(path, &error))?.len() > PART_BYTES_MAX {
            return Err(wrong(path, &"too long"));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(path, &error))
    };
    paths.iter().map(read).collect()
}

fn tell(outcome: &Outcome) -> ExitCode {
    for node in &outcome.nodes {
        for seen in node.seen.iter().filter(|seen| seen.what.is_stable()) {
            let millis = seen.at_nanos / 1_000_000;
            println!("{:>6} ms  {} ({}): {}", millis, node.name, seen.incarnation, seen.what);
        }
    }
    for node in &outcome.nodes {
        if let Some(speed) = node.speed() {
            let Speed { plain, fabric } = speed;
            let ratio = fabric.saturating_mul(100) / plain.max(1);
            println!("{}: {plain} KiB/s by plain TCP, {fabric} KiB/s by the fabric: {ratio} %", node.name);
        }
    }
    for failure in &outcome.failures {
        eprintln!("{failure}");
    }
    let verdict = if outcome.passed() { "passed" } else { "failed" };
    eprintln!("{verdict} in {} ms; {} frames delivered", outcome.wall_millis, outcome.frames.delivered);
    let is_harness = outcome.failures.iter().any(|failure| failure.kind == Kind::Harness);
    match (outcome.passed(), is_harness) {
        (true, _) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
        (false, true) => ExitCode::from(70),
    }
}
