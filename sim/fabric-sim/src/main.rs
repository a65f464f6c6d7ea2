//! Runs the device fabric in a seeded, simulated world: one seed, one trace.

fn main() {}
