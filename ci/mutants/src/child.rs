//! One run of the copy's `fabric-sim`, bounded in CPU time, and what came of it.

use serde::Deserialize;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A run of a few hundredths of a second that takes so many CPU-seconds never ends.
const CPU_SECONDS_MAX: u32 = 30;
/// What `fabric-sim` says of its own CPU time, in microseconds: see `harness/edits.toml`.
const CPU: &str = "cpu ";

/// Which seed of which scenario under which nemesis, and where which mutant is on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) scenario: &'a Path,
    pub(crate) nemesis: Option<&'a str>,
    pub(crate) seed: u64,
    /// A mutant's number, and `all`, `first` or `rest`.
    pub(crate) mutant: Option<(usize, &'a str)>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Held,
    /// A check failed: which, and in what mode which seed was drawn.
    Caught {
        check: String,
        mode: String,
        /// The one that was asked for, or a regression seed of the scenario: those run first.
        seed: u64,
        detail: String,
    },
    /// It did not end.
    Hung,
    /// The program itself failed: what it said.
    Broke(String),
}

#[derive(Deserialize)]
struct Sweep {
    nothing_ran: u64,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    check: String,
    mode: String,
    seed: u64,
    detail: Option<String>,
}

/// Makes one run, and says how many microseconds of CPU time it took.
pub(crate) fn run(program: &Path, task: Task<'_>) -> Result<(Outcome, u64), String> {
    let seeds = format!("{}..{}", task.seed, task.seed + 1);
    let mut words = vec!["sweep", "--seeds", &seeds, "--jobs", "1", "--format", "json"];
    words.extend(task.nemesis.into_iter().flat_map(|profile| ["--nemesis", profile]));
    let output = start(program, &words, task.scenario, task.mutant)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let cpu = said.lines().rev().find_map(|line| line.strip_prefix(CPU)?.parse().ok());
    let outcome = match output.status.code() {
        Some(0) => Outcome::Held,
        Some(1 | 3 | 4) => caught(&output.stdout, task.seed)?,
        None => Outcome::Hung,
        Some(_) => Outcome::Broke(said),
    };
    Ok((outcome, cpu.unwrap_or(u64::from(CPU_SECONDS_MAX) * 1_000_000)))
}

/// A sweep of one run may fail for no run at all: it names probes that some run must reach, and one run need not.
fn caught(json: &[u8], seed: u64) -> Result<Outcome, String> {
    let sweep: Sweep = serde_json::from_slice(json).map_err(|error| format!("a sweep's result: {error}"))?;
    let nothing = Failure { check: "nothing ran".into(), mode: String::new(), seed, detail: None };
    let first = sweep.failures.into_iter().next().or((sweep.nothing_ran > 0).then_some(nothing));
    let Some(Failure { check, mode, seed, detail }) = first else { return Ok(Outcome::Held) };
    Ok(Outcome::Caught { check, mode, seed, detail: detail.unwrap_or_default() })
}

/// Starts the program and waits for its end; the shell's limit ends one that does not.
pub(crate) fn start(
    program: &Path,
    words: &[&str],
    scenario: &Path,
    mutant: Option<(usize, &str)>,
) -> Result<Output, String> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -t {CPU_SECONDS_MAX}; exec \"$0\" \"$@\""));
    command.arg(program).arg(words[0]).arg(scenario).args(&words[1..]).stdin(Stdio::null());
    match mutant {
        Some((number, whom)) => command.env("FABRIC_MUTANT", format!("{number}:{whom}")),
        None => command.env_remove("FABRIC_MUTANT"),
    };
    command.output().map_err(|error| format!("{}: {error}", program.display()))
}
