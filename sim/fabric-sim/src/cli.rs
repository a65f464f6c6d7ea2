//! The command line: what can be asked, and what the exit codes mean.

use crate::nemesis::{Mode, Profile};
use crate::scenario::units::{Nanos, Unit};
use crate::sweep::Shard;
use crate::worlds::{GuestFault, SuiteKind, World};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every check held.
    Held = 0,
    /// A check failed.
    Failed = 1,
    /// The arguments or the scenario are wrong.
    Usage = 2,
    /// Nothing ran that a check could have failed on.
    Nothing = 3,
    /// The same run came out differently.
    Nondeterminism = 4,
    /// A fault of the program or the computer, not of what it tests.
    Internal = 70,
    /// Somebody asked it to stop; what was done until then is kept.
    Interrupted = 130,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    every check held
  1    a check failed
  2    the arguments or the scenario are wrong
  3    nothing ran that a check could have failed on
  4    the same run came out differently: something is not deterministic
  70   a fault of fabric-sim itself, or of the computer
  130  interrupted";

/// Version and, where it was known at build time, commit.
pub(crate) const BUILD: &str = env!("FABRIC_SIM_BUILD");

/// Runs the device fabric in a simulated world. One seed decides everything: the same build, scenario and seed give the
/// same trace on every machine.
#[derive(Debug, Parser)]
#[command(name = "fabric-sim", version = BUILD, arg_required_else_help = true, after_help = format!("\
Examples:
  fabric-sim run scenarios/flaky-hub.toml --seed 1
  fabric-sim sweep scenarios/flaky-hub.toml --seeds 0..1000
  fabric-sim shrink scenarios/flaky-hub.toml --seed 7
  fabric-sim check scenarios/*.toml
  fabric-sim new my-scenario

{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario under one seed and judge it
    #[command(after_help = format!("\
Examples:
  fabric-sim run scenarios/flaky-hub.toml --seed 1
  fabric-sim run scenarios/flaky-hub.toml --set links.default.loss=5% --set nodes.phone.count=4
  fabric-sim run scenarios/flaky-hub.toml --set 'links.\"hub <-> phone-2\".rate=\"1Mbit/s\"'
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --format json | jq .verdict
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --trace trace.jsonl
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --pcap hub.pcapng --keylog hub.keys     see docs/captures.md
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --swarm --nemesis rough
  fabric-sim run scenarios/flaky-hub-stack.toml --world stack

A run that fails is run a second time; if that comes out differently, the exit code is 4.

{EXIT_CODES}"))]
    Run(RunArgs),
    /// Run a scenario under many seeds, on all cores
    #[command(after_help = format!("\
Examples:
  fabric-sim sweep scenarios/flaky-hub.toml --seeds 0..1000
  fabric-sim sweep scenarios/flaky-hub.toml --nemesis rough --for 10m --until-failures 1
  fabric-sim sweep scenarios/flaky-hub.toml --seeds 0..100000 --out target/sweep      goes on where it was stopped
  fabric-sim sweep scenarios/flaky-hub.toml --seeds 0..100000 --shard 2/8 --out shard-2
  fabric-sim sweep scenarios/flaky-hub-stack.toml --world stack --seeds 0..200
  fabric-sim sweep scenarios/flaky-hub.toml --guided --seeds 0..20000 --out target/guided

Keys of [swarm] are drawn for every seed; seeds in regressions/*.toml next to the scenario run first. One seed in sixteen
and every failure are run twice, and one in ten with both suites.

{EXIT_CODES}"))]
    Sweep(SweepArgs),
    /// Bring the results of several sweeps together, in any order
    #[command(after_help = format!("\
Examples:
  fabric-sim merge shard-*/results.jsonl --out results.jsonl
  fabric-sim merge shard-*/results.jsonl --format junit > report.xml

Where a shard of a sweep is missing, nothing is merged and the exit code is 2, unless --partial takes what is there.
One run with two results is not deterministic: exit code 4.

{EXIT_CODES}"))]
    Merge(MergeArgs),
    /// Run a failure again from its capsule, or a node from its log, by this build or a later one
    #[command(after_help = format!("\
Examples:
  fabric-sim replay scenarios/regressions/flaky-hub-work-done-7.capsule.json
  fabric-sim replay target/out/failure.capsule.json --format json | jq -r .replayed
  fabric-sim replay node.log                        what `fabric-node run --record node.log` wrote
  fabric-sim replay target/vms/hub-0.log            what `run --world qemu --record --out target/vms` wrote

Of a capsule says same, moved, gone or not-applicable. Where the run has changed, what chance did when the capsule was written is done
again to the events that resemble those of then. `gone` exits with 0, `same` and `moved` with 1, `not-applicable` with 3.
Of a node's log says whether the node does the same to the byte (0), or where it does not (4).

{EXIT_CODES}"))]
    Replay(ReplayArgs),
    /// Make a failing run as small as it gets, and write it as a scenario
    #[command(after_help = format!("\
Examples:
  fabric-sim shrink scenarios/flaky-hub.toml --seed 7
  fabric-sim shrink scenarios/flaky-hub.toml --seed 7 --swarm --nemesis rough --limit 10m
  fabric-sim shrink target/out/failure.capsule.json --out .

Writes a scenario and a capsule. The failure stays the same throughout: same check, same place, same subject. Ctrl-C and
the limit keep the smallest run found so far. Without them the result is the same every time.

{EXIT_CODES}"))]
    Shrink(ShrinkArgs),
    /// Say why a run failed: the few events that explain it
    #[command(after_help = format!("\
Examples:
  fabric-sim slice scenarios/flaky-hub.toml --seed 7
  fabric-sim slice target/out/failure.capsule.json
  fabric-sim slice target/out/failure.capsule.json --format json | jq '.events[] | [.id, .what, .parents]'

From the broken promise back through sends, deliveries, timers and faults, among the nodes that it is about. What runs as
it should in between is counted. A run that fails exits with 1, one that holds with 3.

{EXIT_CODES}"))]
    Slice(SliceArgs),
    /// Say when a failure became inevitable: fork its run at many points and draw chance anew
    #[command(after_help = format!("\
Examples:
  fabric-sim fork scenarios/flaky-hub.toml --seed 7
  fabric-sim fork target/out/failure.capsule.json --points 40 --forks 100
  fabric-sim fork target/out/failure.capsule.json --out target/out/forks.json && fabric-sim report target/out

A fork is the same run until its point; the scenario's own faults stay. A run that fails exits with 1, one that holds with 3.

{EXIT_CODES}"))]
    Fork(ForkArgs),
    /// Try every single fault at every event of a run that passes, and pairs of them
    #[command(after_help = format!("\
Examples:
  fabric-sim exhaust scenarios/first-contact.toml
  fabric-sim exhaust scenarios/first-contact.toml --seed 7 --pairs 10000 --out target/exhaust      goes on where it was stopped

Each packet is lost or late, each segment resets its pipe, each dial is refused or not answered, each write fails, each node
loses power after each thing that happens to it: one at a time, then as many pairs as said. Promises that must come true are
due later than the scenario says, so that nothing fails by slowness alone.

{EXIT_CODES}"))]
    Exhaust(ExhaustArgs),
    /// Find the first event in which two runs differ, or one run from itself
    #[command(after_help = format!("\
Examples:
  fabric-sim diff scenarios/flaky-hub.toml --seed 7
  fabric-sim diff scenarios/flaky-hub.toml --seed 7 --with-seed 8
  fabric-sim diff scenarios/flaky-hub.toml --seed 7 --with mine.toml
  fabric-sim diff scenarios/flaky-hub.toml --seed 7 --with-set links.default.loss=0%

Shows that event, the one before it, and what both nodes were then. Runs that differ exit with 4.

{EXIT_CODES}"))]
    Diff(DiffArgs),
    /// Run a scenario in several worlds and compare what applications saw
    #[command(after_help = format!("\
Examples:
  fabric-sim conform scenarios/first-contact.toml
  fabric-sim conform scenarios/first-contact.toml --worlds sim,stack --seed 7
  fabric-sim conform scenarios/first-contact.toml --worlds sim,tcp,qemu
  fabric-sim conform scenarios/first-contact.toml --format json | jq .differences

Worlds agree when each node saw the same of every peer and of every piece of work, whatever the order in between; 1 says
that they differ, 4 that the simulator itself is not deterministic.

{EXIT_CODES}"))]
    Conform(ConformArgs),
    /// Make a page of a run or a sweep, to look at in a browser
    #[command(after_help = format!("\
Examples:
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --out target/out
  fabric-sim report target/out
  fabric-sim report target/out --from 5s --until 9s --out nine.html
  fabric-sim report target/sweep/results.jsonl

One file, which needs no network. Of a run: who sent what to whom and what became of it, faults, checks, what each node was
at any time, and latency. Of a sweep: distinct failures, and which drawn values they go with.

{EXIT_CODES}"))]
    Report(ReportArgs),
    /// Check scenario files without running them
    #[command(after_help = format!("\
Examples:
  fabric-sim check scenarios/*.toml
  fabric-sim check my-scenario.toml --set stop_at=5s

{EXIT_CODES}"))]
    Check(CheckArgs),
    /// List the scenarios in a directory and below
    #[command(after_help = format!("\
Examples:
  fabric-sim list
  fabric-sim list scenarios/regressions

{EXIT_CODES}"))]
    List {
        /// Where to look
        #[arg(default_value = "scenarios")]
        dir: PathBuf,
    },
    /// Write a scenario to start from; never overwrites a file
    #[command(after_help = format!("\
Examples:
  fabric-sim new my-scenario          writes scenarios/my-scenario.toml, or my-scenario.toml without that directory
  fabric-sim new tests/my-case.toml   writes that file

{EXIT_CODES}"))]
    New {
        /// A name, or a file that ends in .toml
        name: String,
    },
    /// Print the JSON Schema of scenario files, for editors
    #[command(after_help = format!("\
Examples:
  fabric-sim schema > scenarios/schema.json

With the Even Better TOML extension, a scenario that begins with this line is checked as you type:
  #:schema schema.json

{EXIT_CODES}"))]
    Schema,
    /// One node of a run over real sockets
    #[command(hide = true)]
    NodeProcess,
    /// Removes what a run over real sockets leaves, when it is over
    #[command(hide = true)]
    JanitorProcess,
    /// Print completions for a shell
    #[command(after_help = format!("\
Examples:
  fabric-sim completions bash > ~/.local/share/bash-completion/completions/fabric-sim
  fabric-sim completions zsh > ~/.zfunc/_fabric-sim
  fabric-sim completions fish > ~/.config/fish/completions/fabric-sim.fish

{EXIT_CODES}"))]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// Decides everything that is left to chance; decimal or 0x...
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw the keys of the scenario's swarm table from the seed
    #[arg(long)]
    pub(crate) swarm: bool,
    /// Draw faults and narrower limits from the seed
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) nemesis: Option<Profile>,
    /// Where the nodes live: in the simulator, there over TCP/IP on Ethernet, as processes with real sockets, or as virtual
    /// machines
    #[arg(long, value_enum, default_value_t = World::Sim)]
    pub(crate) world: World,
    /// The cryptography that nodes get
    #[arg(long, value_enum, default_value_t = SuiteKind::Real)]
    pub(crate) suite: SuiteKind,
    /// What to print: a summary to stderr, or one JSON object to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Write every event to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write all that nodes send to this file (pcapng, for Wireshark)
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Write the keys of all sessions to this file, so that the capture can be read
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// Write result.json and trace.jsonl to this directory; of virtual machines their frames and serial logs
    #[arg(long, value_name = "DIR", conflicts_with = "trace")]
    pub(crate) out: Option<PathBuf>,
    /// The image that virtual machines boot; it is built from the checkout around unless said
    #[arg(long, value_name = "FILE")]
    pub(crate) guest_image: Option<PathBuf>,
    /// Let virtual machines write all that their nodes are told to their serial logs, for `replay`; these then hold secrets
    #[arg(long, requires = "out")]
    pub(crate) record: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConformArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// Which worlds; those that the scenario names unless said
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WORLD,WORLD")]
    pub(crate) worlds: Option<Vec<World>>,
    /// Decides everything that is left to chance; decimal or 0x...
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// What to print: a comparison to stderr, or one JSON object to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// The image that virtual machines boot; it is built from the checkout around unless said
    #[arg(long, value_name = "FILE")]
    pub(crate) guest_image: Option<PathBuf>,
    /// What every virtual machine's guest does wrong: for tests of the comparison
    #[arg(long, value_enum, hide = true)]
    pub(crate) guest_fault: Option<GuestFault>,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// Which seeds: from the first to just before the second; 0..1000 unless said, without end with --for
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub(crate) seeds: Option<(u64, u64)>,
    /// Stop after so long, such as 90s or 10m
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Nanos>,
    /// Stop after so many failing seeds, counted in the order of seeds
    #[arg(long, value_name = "N")]
    pub(crate) until_failures: Option<NonZeroU64>,
    /// How many runs at a time; as many as there are cores unless said. The result does not depend on it
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Only the k-th of n equal parts of the seeds
    #[arg(long, value_name = "k/n")]
    pub(crate) shard: Option<Shard>,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw faults and narrower limits from every seed
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) nemesis: Option<Profile>,
    /// Leave the keys of the swarm table as the scenario has them
    #[arg(long)]
    pub(crate) no_swarm: bool,
    /// Where the nodes live: sim or stack
    #[arg(long, value_enum, default_value_t = World::Sim)]
    pub(crate) world: World,
    /// Run every seed that passes once only: nothing is compared with a second run or the real suite
    #[arg(long)]
    pub(crate) once: bool,
    /// Make runs from those that reached something new, by changing a few of the fates in them
    #[arg(long, conflicts_with_all = ["shard", "once"])]
    pub(crate) guided: bool,
    /// The cryptography that nodes get
    #[arg(long, value_enum, default_value_t = SuiteKind::Model)]
    pub(crate) suite: SuiteKind,
    /// What to print to stdout; a summary for people goes to stderr in any case
    #[arg(long, value_enum, default_value_t = SweepFormat::Human)]
    pub(crate) format: SweepFormat,
    /// Keep every finished run in this directory, and go on from there; results.jsonl is there once all is done
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The capsule, or the log of a node or of a virtual machine
    pub(crate) capsule: PathBuf,
    /// What to print: a line for people to stderr, or one JSON object to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// A run that fails: a scenario under a seed, or a capsule.
#[derive(Debug, Args)]
pub(crate) struct FailingArgs {
    /// A scenario file or a capsule
    pub(crate) file: PathBuf,
    /// The seed under which the scenario fails, 1 unless said; a capsule has its own
    #[arg(long, value_parser = seed)]
    pub(crate) seed: Option<u64>,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw the keys of the scenario's table `swarm` from the seed
    #[arg(long)]
    pub(crate) swarm: bool,
    /// Draw faults and narrower limits from the seed
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) nemesis: Option<Profile>,
    /// The cryptography that nodes get, if not what the capsule had; for a scenario, `shrink` and `fork` take the model unless
    /// said, and `slice` the real one
    #[arg(long, value_enum)]
    pub(crate) suite: Option<SuiteKind>,
}

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    #[command(flatten)]
    pub(crate) failing: FailingArgs,
    /// Where to write the result
    #[arg(long, value_name = "DIR", default_value = "scenarios/regressions")]
    pub(crate) out: PathBuf,
    /// Stop after so long with the smallest run found by then
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    pub(crate) limit: Nanos,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The directory that `run --out` or `sweep --out` wrote, or a file of a sweep's results
    pub(crate) path: PathBuf,
    /// Where to write the page; beside what it is of unless said
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Leave out what happened before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Nanos>,
    /// Leave out what happened after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Nanos>,
}

#[derive(Debug, Args)]
pub(crate) struct SliceArgs {
    #[command(flatten)]
    pub(crate) failing: FailingArgs,
    /// What to print to stdout: lines for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    #[command(flatten)]
    pub(crate) failing: FailingArgs,
    /// At how many points of its time the run is forked
    #[arg(long, value_name = "N", default_value = "24", value_parser = clap::value_parser!(u64).range(2..=10_000))]
    pub(crate) points: u64,
    /// How many forks there are at each point
    #[arg(long, value_name = "N", default_value = "40", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) forks: u64,
    /// How many runs at a time; as many as there are cores unless said. The result does not depend on it
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// What to print to stdout: lines for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Write the JSON object to this file too; `report` shows it where it is called forks.json and beside its run
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExhaustArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// The seed of the run that faults are added to; decimal or 0x...
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// How many pairs of faults to try after the single ones
    #[arg(long, value_name = "K", default_value = "0", value_parser = pairs)]
    pub(crate) pairs: u64,
    /// How many runs at a time; as many as there are cores unless said. The result does not depend on it
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// The cryptography that nodes get
    #[arg(long, value_enum, default_value_t = SuiteKind::Model)]
    pub(crate) suite: SuiteKind,
    /// What to print: a summary to stderr, or one JSON object to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Keep every finished run in this directory, and go on from there; each failure gets a capsule there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// The seed of both runs
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Another scenario for the second run
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Option<PathBuf>,
    /// Another seed for the second run
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub(crate) with_seed: Option<u64>,
    /// Override a value in both runs; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Override a value in the second run; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) with_set: Vec<String>,
    /// Draw the keys of the table `swarm` from the seed
    #[arg(long)]
    pub(crate) swarm: bool,
    /// Draw faults and narrower limits from the seed
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) nemesis: Option<Profile>,
    /// The cryptography that nodes get
    #[arg(long, value_enum, default_value_t = SuiteKind::Real)]
    pub(crate) suite: SuiteKind,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Results of sweeps of one scenario by one build
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Go on where shards are missing; the result then says that it is partial
    #[arg(long)]
    pub(crate) partial: bool,
    /// What to print to stdout; a summary for people goes to stderr in any case
    #[arg(long, value_enum, default_value_t = SweepFormat::Human)]
    pub(crate) format: SweepFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SweepFormat {
    Human,
    Json,
    Junit,
    Github,
}

impl RunArgs {
    pub(crate) const fn mode(&self) -> Mode {
        Mode { swarm: self.swarm, nemesis: self.nemesis }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The scenario files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Override a value of every one; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "a seed is a number from 0 to 18446744073709551615, or 0x and hex digits".into())
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (from, until) = text.split_once("..").ok_or("write the first seed and the one after the last: 0..1000")?;
    let (from, until) = (seed(from)?, seed(until)?);
    if from >= until {
        return Err("the first seed is below the end".into());
    }
    Ok((from, until))
}

fn time(text: &str) -> Result<Nanos, String> {
    Nanos::parse(text).map_err(|wrong| format!("{wrong}; expected {}", Nanos::EXPECTED))
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    /// More threads than this are no help anywhere.
    const JOBS_MAX: usize = 1_024;
    let jobs = text.parse().ok().and_then(NonZeroUsize::new).filter(|jobs| jobs.get() <= JOBS_MAX);
    jobs.ok_or_else(|| format!("a number from 1 to {JOBS_MAX}"))
}

fn pairs(text: &str) -> Result<u64, String> {
    /// More than anybody waits for.
    const PAIRS_MAX: u64 = 1_000_000_000;
    let pairs = text.parse().ok().filter(|pairs| *pairs <= PAIRS_MAX);
    pairs.ok_or_else(|| format!("a number from 0 to {PAIRS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert_eq!((seed("0xff"), seed("255")), (Ok(255), Ok(255)));
        assert!(seed("-1").is_err() && seed("").is_err() && seed("0x").is_err());
        assert_eq!((seeds("0..5"), seeds("0x10..0x11")), (Ok((0, 5)), Ok((16, 17))));
        for wrong in ["", "..", "5..5", "6..5", "1..=2", "5"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
        assert!(jobs("0").is_err() && jobs("99999").is_err() && time("5").is_err());
    }
}
