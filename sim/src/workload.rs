//! A protocol, its world and its promises, as something that can be run again and again: by seed, in part, side by side.
//!
//! A [`Workload`] says once what there is to test; a [`Case`] says which run of it. What searches, shrinks and compares runs
//! needs nothing else.

use crate::diff::{Contender, Difference, first_difference};
use crate::ledger::{Entry, Ledger};
use crate::trace::Sink;
use crate::watch::{Violation, Watch};
use crate::{Config, Counts, Stop, Time, World};
use core::any::Any;
use core::fmt::Debug;
use machine::Machine;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The check that a run fails in which a machine, or who looks on, panics.
pub const NO_PANIC: &str = "no-panic";

/// What is tested.
pub trait Workload {
    /// What runs on every node.
    type Machine: Machine<Command: Debug, Event: Debug> + Debug;
    /// Who looks on.
    type Judge: Judge<Self::Machine>;

    /// The nodes, the network and the faults of a seed. Its ledger is not used.
    fn config(&self, seed: u64) -> Config;

    /// The world of that, with what its nodes are commanded. What it draws for itself, it draws from `config.seed`.
    fn world(&self, config: Config) -> World<Self::Machine>;

    /// A judge of a run under this seed, who has seen nothing yet.
    fn judge(&self, seed: u64, world: &World<Self::Machine>) -> Self::Judge;

    /// When a run is over.
    fn until(&self) -> Time;
}

/// Says whether a run kept its promises.
pub trait Judge<M: Machine>: Watch<M> {
    /// Asked at the end of a run in which no promise was broken: whether all has come about that should have.
    ///
    /// # Errors
    /// What has not.
    fn finish(&mut self, world: &World<M>) -> Result<(), Violation>;
}

/// One run of a workload: a seed, and what is left out of all that the seed does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Decides everything else.
    pub seed: u64,
    /// Which entries of the plan happen, by their places in it; `None` for all.
    pub faults: Option<Vec<usize>>,
    /// All that chance does to a network and disks that are calm but for their delays; `None` for what the seed does.
    pub misfortunes: Option<Vec<Entry>>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was broken, if anything was.
    pub verdict: Result<(), Violation>,
    /// When it ended.
    pub ended: Time,
    /// The hash over all that happened.
    pub trace_hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How often each misfortune struck.
    pub counts: Counts,
    /// The names of the nodes, in order.
    pub names: Vec<String>,
    /// What was decided, where it was recorded.
    pub decisions: Vec<Entry>,
}

/// What is wanted of a run besides its outcome.
#[derive(Default)]
pub struct Extras {
    /// Gets every event as a line of JSON.
    pub trace: Option<Sink>,
    /// Whether to fill [`Outcome::decisions`].
    pub records: bool,
}

impl core::fmt::Debug for Extras {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Extras").field("records", &self.records).finish_non_exhaustive()
    }
}

impl Case {
    /// All that a seed does.
    pub const fn of_seed(seed: u64) -> Self {
        Self { seed, faults: None, misfortunes: None }
    }

    /// What a world is made from to run it.
    pub fn config(&self, workload: &impl Workload) -> Config {
        let mut config = workload.config(self.seed);
        if let Some(kept) = &self.faults {
            let plan = core::mem::take(&mut config.plan);
            config.plan =
                plan.into_iter().enumerate().filter(|(place, _)| kept.contains(place)).map(|(_, it)| it).collect();
        }
        if let Some(misfortunes) = &self.misfortunes {
            config = config.calm();
            config.ledger = Ledger::overriding(misfortunes.iter().map(|entry| (entry.address, entry.decision)));
        }
        config
    }

    /// Runs it once.
    pub fn run<W: Workload>(&self, workload: &W, extras: Extras) -> Outcome {
        let mut config = self.config(workload);
        if extras.records {
            config.ledger = config.ledger.recording();
        }
        let mut world = workload.world(config);
        if let Some(sink) = extras.trace {
            world.trace_to(sink);
        }
        let mut judge = workload.judge(self.seed, &world);
        let until = workload.until();
        // What a panic left half done is looked at and not run again.
        let verdict = catch_unwind(AssertUnwindSafe(|| match world.run(until, &mut judge) {
            Stop::Violated(violation) => Err(violation),
            Stop::Reached | Stop::Idle | Stop::Asked => judge.finish(&world),
        }));
        let panicked = |payload: Box<dyn Any + Send>| {
            Err(Violation { check: NO_PANIC.to_owned(), detail: text_of(payload.as_ref()).to_owned() })
        };
        Outcome {
            verdict: verdict.unwrap_or_else(panicked),
            ended: world.now(),
            trace_hash: world.trace_hash(),
            events: world.events(),
            counts: world.counts(),
            names: world.names().to_vec(),
            decisions: world.ledger().recorded().to_vec(),
        }
    }

    /// Where two runs of it part; `None` for a protocol that is deterministic.
    pub fn difference<W: Workload>(&self, workload: &W) -> Option<Difference> {
        let contender = || {
            let world = workload.world(self.config(workload));
            let watch = workload.judge(self.seed, &world);
            Contender { world, watch }
        };
        first_difference(contender(), contender(), workload.until())
    }
}

/// What a panic said.
fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic that says nothing")
}
