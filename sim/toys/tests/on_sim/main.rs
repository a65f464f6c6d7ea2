//! Both toys, unchanged, on the simulator: under every fault it has, driven awkwardly, and with faults planted in them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod habits;
mod planted;
mod swarm;
mod worlds;
