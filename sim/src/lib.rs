//! A deterministic discrete-event world for sans-IO machines, with faults, oracles and a trace hash.
//!
//! A [`World`] runs any [`machine::Machine`]s on simulated links, pipes, clocks and disks. One seed decides everything:
//! equal machines, [`Config`]s and seeds give equal traces on every computer, in debug and release.
//!
//! # Architecture invariants
//!
//! - The engine knows no protocol. What a run promises is said by a [`Watch`], what goes wrong by a plan of [`Fault`]s.
//! - Chance is a function of names and numbers ([`fate`]), so that taking one event away re-rolls no other. Each decision
//!   has an [`Address`](ledger::Address) in a [`Ledger`](ledger::Ledger) that can override it.
//! - No wall clock, no thread, no floating point, no iteration over randomly hashed maps.

pub mod capture;
pub mod causes;
mod clock;
mod diff;
mod disk;
pub mod fate;
mod fault;
pub mod ledger;
mod link;
mod numbers;
mod pipe;
pub mod schedule;
mod segments;
mod tap;
mod time;
mod trace;
mod watch;
mod world;

pub use clock::Clock;
pub use diff::{Contender, Difference, Side, first_difference};
pub use disk::{CrashFate, DiskProfile, StoreFate};
pub use fate::{Chance, Delay};
pub use fault::{Begin, Counts, CrashKind, Fault, Partitions, Planned};
pub use link::{Burst, Directions, LinkProfile, PacketFate};
pub use pipe::{PipeProfile, retransmission_after};
pub use segments::Segments;
pub use tap::{Flow, Injection, Tap};
pub use time::Time;
pub use trace::{Checkpoint, Kind, Record, Sink, digest};
pub use watch::{Control, Violation, Watch};
pub use world::{BootFn, Config, NodeConfig, NodeIndex, Perturb, Stop, World};
