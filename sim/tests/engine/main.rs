//! The engine at its outermost seam: small machines in a [`sim::World`], and what they see.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod captures;
mod causes;
mod clocks;
mod diffs;
mod disks;
mod faults;
mod lab;

mod ledgers;
mod packets;
mod pauses;
mod pipes;
mod runs;
mod taps;
