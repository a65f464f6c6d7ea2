//! A thousand seeds of every misfortune: nothing wrong happens, and once the faults have healed all work gets done.

use machine::{Addr, Host};
use sim::{Config, Counts, Dice, Nemesis, Time};
use toys::{echo, stop_wait};

use crate::worlds::{EchoToy, Outcome, StopWaitToy, Toy, run};

const SEEDS: u64 = 1_000;
/// Two minutes after the last fault, even the longest back-off on the slowest clock has had its turn.
pub(crate) const DEADLINE: Time = Time::from_secs(130);

pub(crate) fn stop_wait_of(seed: u64) -> StopWaitToy {
    let mut dice = Dice::new(seed, "work");
    let flows = (0..dice.within(1, 4)).map(|id| stop_wait::Flow {
        id: id as u32,
        count: dice.within(1, 20) as u32,
        bytes_max: dice.within(0, 300) as u16,
    });
    StopWaitToy(flows.collect())
}

pub(crate) fn echo_of(seed: u64) -> EchoToy {
    let mut dice = Dice::new(seed, "work");
    let nobody = Addr::new(Host::new([0; 16]), 0);
    let clients = (0..dice.within(1, 3)).map(|client| echo::Config {
        bytes_max: *dice.pick(&[0, 1, 16, 64, 256]).unwrap(),
        window: dice.within(1, 8) as u32,
        dial_timeout: dice.millis(500, 5_000),
        stall_timeout: dice.millis(2_000, 10_000),
        ping_every: dice.millis(100, 1_000),
        ..echo::Config::new(nobody, client as u32, dice.within(1, 12) as u32)
    });
    EchoToy(clients.collect())
}

/// A world for `toy`, in which whatever can go wrong may; what its hub stores must not rot.
pub(crate) fn config_of<T: Toy>(seed: u64, toy: &T) -> Config {
    Nemesis { hub: Some(T::HUB.to_owned()), rot: true, ..Nemesis::default() }.config(seed, &toy.names())
}

pub(crate) fn run_swarm<T: Toy>(seed: u64, toy: &T) -> Outcome<T::Event> {
    run(toy, config_of(seed, toy), DEADLINE, |_, _, node| node)
}

/// Runs every seed; the misfortunes of all of them.
fn sweep<T: Toy>(toy_of: impl Fn(u64) -> T) -> Vec<Counts> {
    let outcomes: Vec<_> = (0..SEEDS).map(|seed| (seed, run_swarm(seed, &toy_of(seed)))).collect();
    let failed: Vec<_> =
        outcomes.iter().filter_map(|(seed, outcome)| Some((seed, outcome.verdict.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{} seeds failed, the first: {:#?}", failed.len(), &failed[..failed.len().min(5)]);
    outcomes.into_iter().map(|(_, outcome)| outcome.counts).collect()
}

/// A fault that never struck was not survived.
fn assert_each_struck(counts: &[Counts], misfortunes: &[&str]) {
    for misfortune in misfortunes {
        let seeds = counts.iter().filter(|counts| counts.list().iter().any(|(name, _)| name == misfortune)).count();
        assert!(seeds >= 10, "{misfortune} struck in {seeds} seeds only");
    }
}

const STRIKE_BOTH: [&str; 13] = [
    "packets-lost",
    "packets-duplicated",
    "packets-reordered",
    "packets-corrupted",
    "packets-truncated",
    "packets-queue-full",
    "packets-partitioned",
    "packets-unreachable",
    "crashes",
    "restarts",
    "pauses",
    "clock-changes",
    "link-changes",
];

#[test]
fn stop_and_wait_keeps_its_promises_in_a_thousand_worlds() {
    let counts = sweep(stop_wait_of);
    assert_each_struck(&counts, &STRIKE_BOTH);
    assert_each_struck(&counts, &["packets-too-long"]);
}

#[test]
fn echo_keeps_its_promises_in_a_thousand_worlds() {
    let counts = sweep(echo_of);
    assert_each_struck(&counts, &STRIKE_BOTH);
    let pipes = ["segments-lost", "pipes-refused", "pipes-reset", "pipes-timed-out"];
    let disks = ["stores-failed", "stores-lost", "stores-torn"];
    assert_each_struck(&counts, &pipes);
    assert_each_struck(&counts, &disks);
}

#[test]
fn a_seed_of_the_swarm_runs_twice_the_same() {
    for seed in 0..20 {
        let (once, twice) = (run_swarm(seed, &echo_of(seed)), run_swarm(seed, &echo_of(seed)));
        assert_eq!(once.trace_hash, twice.trace_hash, "seed {seed}");
        assert_ne!(once.trace_hash, run_swarm(seed + 1, &echo_of(seed)).trace_hash, "seed {seed}");
    }
}
