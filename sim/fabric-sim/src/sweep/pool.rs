//! Spreads runs over threads. Each run is one thread's; threads share nothing but the number of the next run, and what they
//! finish is put back in order. What the runs are is said by a [`Batch`].

use super::examine::{Task, examine};
use super::journal::Journal;
use super::line::Line;
use super::progress::{Progress, Stopwatch};
use super::shard::Shard;
use super::tally::Tally;
use crate::nemesis::Mode;
use crate::scenario::Loaded;
use crate::terminal::Terminal;
use crate::worlds::{SuiteKind, World, catch};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Finished runs that wait to be written down.
const FINISHED_MAX: usize = 256;
/// How soon an interruption is noticed.
const TICK: Duration = Duration::from_millis(50);

/// A number of runs, in an order of their own.
pub(crate) trait Batch: Sync {
    /// The mode and the seed that the line of the `index`-th run has; `None` after the last one.
    fn key(&self, index: u64) -> Option<(String, u64)>;

    /// How many runs there are, where that is known.
    fn total(&self) -> Option<u64>;

    /// Makes the `index`-th run. The error is that of values that do not fit together.
    fn make(&self, index: u64) -> Result<Line, String>;
}

/// How many runs at a time, and when there are enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) jobs: usize,
    pub(crate) millis_max: Option<u64>,
    pub(crate) failures_max: Option<u64>,
    /// Somebody else tells how far it has come.
    pub(crate) is_quiet: bool,
}

/// The seeds of a sweep.
pub(crate) struct Plan<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) suite: SuiteKind,
    /// One that is simulated.
    pub(crate) world: World,
    pub(crate) mode: Mode,
    /// Nothing but failures is run again.
    pub(crate) once: bool,
    /// Run before all others.
    pub(crate) regressions: Vec<Task>,
    /// From the first to just before the second.
    pub(crate) seeds: (u64, u64),
    /// Which of the seeds.
    pub(crate) shard: Shard,
    pub(crate) bounds: Bounds,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All that was asked for is there.
    Complete,
    /// Somebody asked it to stop.
    Interrupted,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The swarm draws values that do not fit together.
    Refused(String),
    /// A fault of the program itself, or of the computer.
    Internal(String),
}

impl Plan<'_> {
    /// The `index`-th run.
    fn task(&self, index: u64) -> Option<Task> {
        if let Some(task) = usize::try_from(index).ok().and_then(|index| self.regressions.get(index)) {
            return Some(*task);
        }
        let (from, until) = self.seeds;
        let Shard { of: shards, rest } = self.shard;
        let first = from.checked_add((rest + shards - from % shards) % shards)?;
        let seed = (index - self.regressions.len() as u64).checked_mul(shards).and_then(|more| first.checked_add(more));
        seed.filter(|seed| *seed < until).map(|seed| Task { mode: self.mode, seed })
    }

    fn count(&self) -> u64 {
        let (from, until) = self.seeds;
        let Shard { of: shards, rest } = self.shard;
        let first = from.saturating_add((rest + shards - from % shards) % shards);
        until.saturating_sub(first).div_ceil(shards) + self.regressions.len() as u64
    }
}

impl Batch for Plan<'_> {
    fn key(&self, index: u64) -> Option<(String, u64)> {
        self.task(index).map(|task| (task.mode.to_string(), task.seed))
    }

    fn total(&self) -> Option<u64> {
        (self.seeds.1 != u64::MAX).then(|| self.count())
    }

    fn make(&self, index: u64) -> Result<Line, String> {
        let task = self.task(index).ok_or("there is no such run")?;
        examine(self, task)
    }
}

/// What a thread has to say of one run.
type Finished = (u64, Result<Line, Stopped>);

/// What is known before the sweep begins, by mode and seed.
type Known = BTreeMap<(String, u64), Line>;

/// Makes the runs. Those whose lines are `known` are not made again; each other one goes to the journal and then to `told`.
pub(crate) fn run(
    batch: &dyn Batch,
    bounds: Bounds,
    known: Vec<Line>,
    journal: Option<&mut Journal>,
    interrupted: &AtomicBool,
    terminal: &Terminal,
    told: &mut dyn FnMut(&Line),
) -> Result<(Tally, Ended), Stopped> {
    let known: Known = known.into_iter().map(|line| ((line.mode.clone(), line.seed), line)).collect();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sender, receiver) = sync_channel(FINISHED_MAX);
    std::thread::scope(|scope| {
        for _ in 0..bounds.jobs {
            let sender = sender.clone();
            let (known, next, stop) = (&known, &next, &stop);
            scope.spawn(move || work(batch, known, next, stop, &sender));
        }
        drop(sender);
        let mut collector = Collector::new(batch, bounds, journal, terminal);
        collector.collect(&receiver, &known, interrupted, &stop, told)
    })
}

fn work(batch: &dyn Batch, known: &Known, next: &AtomicU64, stop: &AtomicBool, sender: &SyncSender<Finished>) {
    while !stop.load(Ordering::Relaxed) {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(key) = batch.key(index) else { return };
        let line = match known.get(&key) {
            Some(line) => Ok(line.clone()),
            None => match catch(|| batch.make(index)) {
                Ok(Ok(line)) => Ok(line),
                Ok(Err(refused)) => Err(Stopped::Refused(format!("seed {}: {refused}", key.1))),
                Err(panic) => Err(Stopped::Internal(format!("seed {}: {panic}", key.1))),
            },
        };
        // Nobody listens any more once something has gone wrong.
        if sender.send((index, line)).is_err() {
            return;
        }
    }
}

/// Puts what comes in back into order.
struct Collector<'a> {
    batch: &'a dyn Batch,
    bounds: Bounds,
    journal: Option<&'a mut Journal>,
    watch: Stopwatch,
    progress: Progress<'a>,
    lines: BTreeMap<u64, Line>,
    fresh: u64,
    failed: u64,
    /// Every run before this one is there.
    whole: u64,
    failed_of_whole: u64,
}

impl<'a> Collector<'a> {
    fn new(batch: &'a dyn Batch, bounds: Bounds, journal: Option<&'a mut Journal>, terminal: &'a Terminal) -> Self {
        Self {
            batch,
            bounds,
            journal,
            watch: Stopwatch::start(),
            progress: Progress::new(terminal, batch.total(), bounds.millis_max),
            lines: BTreeMap::new(),
            fresh: 0,
            failed: 0,
            whole: 0,
            failed_of_whole: 0,
        }
    }

    fn collect(
        &mut self,
        receiver: &Receiver<Finished>,
        known: &Known,
        interrupted: &AtomicBool,
        stop: &AtomicBool,
        told: &mut dyn FnMut(&Line),
    ) -> Result<(Tally, Ended), Stopped> {
        let mut first_error = None;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok((index, Ok(line))) => {
                    if let Err(error) = self.take(index, line, known, told) {
                        first_error.get_or_insert(error);
                    }
                }
                Ok((_, Err(stopped))) => {
                    first_error.get_or_insert(stopped);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.bounds.is_quiet {
                self.progress.tell(self.watch.millis(), self.lines.len() as u64, self.fresh, self.failed);
            }
            let out_of_time = self.bounds.millis_max.is_some_and(|most| self.watch.millis() >= most);
            let asked = interrupted.load(Ordering::Relaxed);
            if first_error.is_some() || out_of_time || asked || self.has_enough() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        self.progress.clear();
        match first_error {
            Some(error) => Err(error),
            None => Ok(self.conclude(interrupted.load(Ordering::Relaxed))),
        }
    }

    fn take(&mut self, index: u64, line: Line, known: &Known, told: &mut dyn FnMut(&Line)) -> Result<(), Stopped> {
        if !known.contains_key(&(line.mode.clone(), line.seed)) {
            self.fresh += 1;
            if let Some(journal) = self.journal.as_deref_mut() {
                let written = journal.append(&line);
                written.map_err(|error| Stopped::Internal(format!("the journal cannot be written: {error}")))?;
            }
        }
        if line.is_failure() {
            self.failed += 1;
            self.progress.clear();
            told(&line);
        }
        self.lines.insert(index, line);
        while let Some(line) = self.lines.get(&self.whole).filter(|_| !self.has_enough()) {
            self.failed_of_whole += u64::from(line.is_failure());
            self.whole += 1;
        }
        Ok(())
    }

    /// Counted in the order of seeds, so that the result does not depend on which thread was faster.
    fn has_enough(&self) -> bool {
        self.bounds.failures_max.is_some_and(|most| self.failed_of_whole >= most)
    }

    fn conclude(&mut self, interrupted: bool) -> (Tally, Ended) {
        let mut lines = core::mem::take(&mut self.lines);
        let has_enough = self.has_enough();
        if has_enough {
            lines.split_off(&self.whole);
        }
        let mut tally = Tally::default();
        for line in lines.into_values() {
            tally.add(line);
        }
        let all_done = self.batch.key(self.whole).is_none();
        let ended = if interrupted && !has_enough && !all_done { Ended::Interrupted } else { Ended::Complete };
        (tally, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn seeds(from: u64, until: u64, shard: Shard) -> Vec<u64> {
        let loaded = crate::scenario::open(Path::new("tests/scenarios/bench.toml"), &[]).unwrap();
        let plan = Plan {
            loaded: &loaded,
            suite: SuiteKind::Model,
            world: World::Sim,
            mode: Mode::default(),
            once: false,
            regressions: Vec::new(),
            seeds: (from, until),
            shard,
            bounds: Bounds { jobs: 1, millis_max: None, failures_max: None, is_quiet: false },
        };
        let all: Vec<_> = (0..).map_while(|index| plan.task(index)).map(|task| task.seed).collect();
        assert_eq!(all.len() as u64, plan.count());
        all
    }

    #[test]
    fn shards_have_every_seed_once() {
        for (from, until) in [(0, 10), (3, 40), (7, 8), (5, 5), (u64::MAX - 9, u64::MAX)] {
            for shards in 1..6 {
                let mut all: Vec<_> =
                    (0..shards).flat_map(|rest| seeds(from, until, Shard { of: shards, rest })).collect();
                all.sort_unstable();
                assert_eq!(all, (from..until).collect::<Vec<_>>(), "{from}..{until} in {shards}");
            }
        }
        assert_eq!(seeds(3, 10, Shard { of: 4, rest: 1 }), [5, 9]);
    }
}
