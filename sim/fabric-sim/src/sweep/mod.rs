//! A sweep: one scenario under many seeds, on all cores.
//!
//! [`examine`] judges one seed; [`pool`] spreads seeds over threads, which is the only place that has any; [`journal`] keeps
//! what is finished, whatever ends the program; [`tally`] brings it all into one order, so that the result does not depend on
//! jobs, interruptions or shards; [`files`] writes and reads results, which say
//! what [`shard`] they are of. What a sweep says is `report::sweep`'s.

mod examine;
mod files;
mod journal;
mod line;
mod pool;
mod progress;
mod regressions;
mod shard;
mod tally;

pub(crate) use files::{Header, read, write};
pub(crate) use journal::{Journal, program};
pub(crate) use line::Line;
#[cfg(test)]
pub(crate) use line::{Failure, Verdict};
pub(crate) use pool::{Batch, Bounds, Ended, Plan, Stopped, run};
pub(crate) use progress::Stopwatch;
pub(crate) use regressions::regressions;
pub(crate) use shard::{Missing, Shard, Shards};
pub(crate) use tally::{Counts, Distinct, Tally};
