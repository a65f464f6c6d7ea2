//! Many seeds on all cores. Each run is one thread's; the result is the same for any number of them.

use crate::cli::{Exit, Format, SweepArgs};
use crate::tell::{columns, grouped};
use crate::{is_interrupted, print, say};
use serde_json::{Map, json};
use sim::workload::{Case, Extras, Workload};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// One seed in so many is run twice, and every failure.
const TWICE_EVERY: u64 = 16;
/// How soon an interruption is noticed.
const TICK: Duration = Duration::from_millis(100);
/// Runs between two lines of progress: on a terminal, where a line is written over, and elsewhere.
const TELL_EVERY: [u64; 2] = [100, 10_000];

/// What is kept of a run.
struct Line {
    seed: u64,
    /// The check and what was said of it.
    broken: Option<(String, String)>,
    is_deterministic: bool,
    events: u64,
    struck: Vec<&'static str>,
}

/// What is known of all runs so far.
#[derive(Default)]
struct Tally {
    runs: u64,
    failed: u64,
    events: u64,
    /// By check: how many, and the first seed with what was said.
    ways: BTreeMap<String, (u64, u64, String)>,
    /// The first seed that was not deterministic.
    unsteady: Option<u64>,
    struck: BTreeMap<&'static str, u64>,
}

fn examine(workload: &impl Workload, seed: u64) -> Line {
    let case = Case::of_seed(seed);
    let outcome = case.run(workload, Extras::default());
    let twice = outcome.verdict.is_err() || seed.is_multiple_of(TWICE_EVERY);
    let is_deterministic = !twice || case.run(workload, Extras::default()).trace_hash == outcome.trace_hash;
    Line {
        seed,
        broken: outcome.verdict.err().map(|broken| (broken.check, broken.detail)),
        is_deterministic,
        events: outcome.events,
        struck: outcome.counts.list().into_iter().map(|(name, _)| name).collect(),
    }
}

impl Tally {
    fn add(&mut self, line: Line) {
        self.runs += 1;
        self.events += line.events;
        if let Some((check, detail)) = line.broken {
            self.failed += 1;
            let way = self.ways.entry(check).or_insert((0, line.seed, detail.clone()));
            way.0 += 1;
            if line.seed < way.1 {
                (way.1, way.2) = (line.seed, detail);
            }
        }
        if !line.is_deterministic {
            self.unsteady = Some(self.unsteady.map_or(line.seed, |first| first.min(line.seed)));
        }
        for name in line.struck {
            *self.struck.entry(name).or_default() += 1;
        }
    }

    fn human(&self) -> String {
        let (runs, failed) = (grouped(self.runs), grouped(self.failed));
        let mut text = format!("{runs} runs, {failed} failed, {} events\n", grouped(self.events));
        text.extend(self.ways.iter().map(|(check, (count, seed, detail))| {
            format!("  FAILED {check} in {count}, first under seed {seed}: {detail}\n")
        }));
        let struck: Vec<_> = self.struck.iter().map(|(name, count)| (*name, *count)).collect();
        text + "\nin how many runs it went wrong on purpose\n" + &columns(&struck)
    }

    fn json(&self) -> serde_json::Value {
        let way = |(check, (count, seed, detail)): (&String, &(u64, u64, String))| json!({ "check": check, "runs": count, "first_seed": seed, "detail": detail });
        json!({
            "runs": self.runs,
            "failed": self.failed,
            "events": self.events,
            "failures": self.ways.iter().map(way).collect::<Vec<_>>(),
            "not_deterministic": self.unsteady,
            "struck": self.struck.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect::<Map<_, _>>(),
        })
    }
}

/// `command` starts this program with the same bug planted.
pub(crate) fn sweep<W: Workload>(
    args: &SweepArgs,
    command: &str,
    workload: impl Fn() -> W + Sync,
) -> Result<Exit, Exit> {
    let jobs = args.jobs.map(usize::from).or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let (first, end) = args.seeds;
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let (sender, receiver) = sync_channel(256);
    let mut lines = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(1) {
            let (sender, next, stop, workload) = (sender.clone(), &next, &stop, &workload);
            scope.spawn(move || {
                let workload = workload();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || sender.send(examine(&workload, seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Lines come in in any order; enough is when there are as many failures before the first that is missing.
        let (mut whole, mut failed, mut told) = (first, 0, 0);
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(line) => {
                    lines.insert(line.seed, line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let is_enough = |failed| args.until_failures.is_some_and(|most| failed >= usize::from(most));
            while let Some(line) = lines.get(&whole).filter(|_| !is_enough(failed)) {
                failed += usize::from(line.broken.is_some());
                whole += 1;
            }
            progress(lines.len() as u64, end - first, &mut told);
            if is_enough(failed) || is_interrupted() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        if args.until_failures.is_some_and(|most| failed >= usize::from(most)) {
            lines.split_off(&whole);
        }
    });
    let mut tally = Tally::default();
    for line in lines.into_values() {
        tally.add(line);
    }
    conclude(&tally, args.format, command)
}

fn progress(done: u64, of: u64, told: &mut u64) {
    let is_live = io::stderr().is_terminal();
    if done < *told + TELL_EVERY[usize::from(!is_live)] {
        return;
    }
    *told = done;
    let text = format!("{} of {} runs", grouped(done), grouped(of));
    if is_live {
        let _ = write!(io::stderr().lock(), "\r\x1b[K{text}\r");
    } else {
        say(&text);
    }
}

fn conclude(tally: &Tally, format: Format, command: &str) -> Result<Exit, Exit> {
    match format {
        Format::Human => print(&tally.human())?,
        Format::Json => print(&format!("{}\n", tally.json()))?,
    }
    if let Some(seed) = tally.unsteady {
        say(&format!("\nNOT DETERMINISTIC: seed {seed} had two traces"));
        say(&format!("see where they part  {command} diff --seed {seed}"));
        return Ok(Exit::Nondeterminism);
    }
    for (check, (_, seed, _)) in &tally.ways {
        say(&format!("\n{check}"));
        say(&format!("run it         {command} run --seed {seed}"));
        say(&format!("make it small  {command} shrink --seed {seed}"));
    }
    Ok(match (is_interrupted(), tally.runs, tally.failed) {
        (true, ..) => Exit::Interrupted,
        (_, 0, _) => Exit::Nothing,
        (.., 0) => Exit::Held,
        _ => Exit::Failed,
    })
}
