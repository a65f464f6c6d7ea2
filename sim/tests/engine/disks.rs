//! Storage keeps what it acknowledged, and what else it does is within the contract.

use crate::lab::{A, Do, Lab, Saw, during, millis};
use sim::{Chance, Config, CrashKind, Delay, DiskProfile, Fault};
use std::collections::BTreeSet;

fn power_failure(from: u64, to: u64) -> sim::Planned {
    during(from, to, Fault::Crash { node: A, kind: CrashKind::Power })
}

/// Stores eight 1s, and later eight 2s whose write is under way when the power fails; what the next start finds.
fn stored_after_a_crash(seed: u64, disk: DiskProfile) -> Vec<u8> {
    let mut lab = Lab::new(&["a"], |config| {
        config.seed = seed;
        config.nodes[0].disk = DiskProfile { delay: Delay::Fixed(millis(50)), ..disk };
        config.plan = vec![power_failure(220, 300)];
    });
    lab.at(100, "a", Do::Store("key", vec![1; 8]));
    lab.at(200, "a", Do::Store("key", vec![2; 8]));
    lab.run(1_000);
    assert_eq!(lab.saw_at("a"), [(150, Saw::Stored("key".into(), true))], "no answer comes after the crash");
    lab.boots("a")[1]["key"].clone()
}

fn outcomes(disk: DiskProfile) -> BTreeSet<Vec<u8>> {
    (0..40).map(|seed| stored_after_a_crash(seed, disk)).collect()
}

#[test]
fn an_interrupted_write_is_old_or_new() {
    let both = BTreeSet::from([vec![1; 8], vec![2; 8]]);
    assert_eq!(outcomes(DiskProfile::default()), both);
}

#[test]
fn a_torn_write_begins_new_and_ends_old() {
    let torn = outcomes(DiskProfile { torn: Chance::ALWAYS, ..DiskProfile::default() });
    assert!(torn.len() > 5);
    assert!(torn.iter().all(|value| value.len() == 8 && value.is_sorted_by(|one, next| one >= next)), "{torn:?}");
}

#[test]
fn rot_flips_one_bit_of_a_value_at_a_restart() {
    let mut lab = Lab::new(&["a"], |config| {
        config.nodes[0].disk.rot = Chance::ALWAYS;
        config.plan = vec![power_failure(200, 300)];
    });
    lab.at(100, "a", Do::Store("key", vec![0; 8]));
    lab.run(1_000);
    assert_eq!(lab.boots("a")[1]["key"].iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    assert_eq!(lab.counts().stores_rotten, 1);
}

#[test]
fn what_is_acknowledged_survives_every_crash_unchanged() {
    let mut lab = Lab::new(&["a"], |config| {
        config.nodes[0].disk.torn = Chance::ALWAYS;
        config.plan = vec![power_failure(200, 300), power_failure(400, 500)];
    });
    lab.at(100, "a", Do::Store("key", vec![1]));
    lab.at(101, "a", Do::Store("other", vec![2]));
    lab.run(1_000);
    let boots = lab.boots("a");
    assert!(boots[0].is_empty());
    assert_eq!((&boots[1]["key"], &boots[1]["other"]), (&vec![1], &vec![2]));
    assert_eq!(boots[1], boots[2]);
}

#[test]
fn a_failed_write_leaves_the_old_value() {
    let fail = |config: &mut Config| {
        let full = DiskProfile { fail: Chance::ALWAYS, ..DiskProfile::default() };
        config.plan = vec![during(150, 250, Fault::Disk(A, full)), power_failure(300, 400)];
    };
    let mut lab = Lab::new(&["a"], fail);
    lab.at(100, "a", Do::Store("key", vec![1]));
    lab.at(200, "a", Do::Store("key", vec![2]));
    lab.run(1_000);
    assert_eq!(lab.saw("a"), [Saw::Stored("key".into(), true), Saw::Stored("key".into(), false)]);
    assert_eq!(lab.boots("a")[1]["key"], [1]);
}

#[test]
fn answers_come_in_order_whatever_each_write_takes() {
    let mut lab = Lab::new(&["a"], |config| config.nodes[0].disk.delay = Delay::Uniform(millis(1), millis(500)));
    let keys = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
    for (at, key) in (1..).zip(keys) {
        lab.at(at, "a", Do::Store(key, vec![1]));
    }
    lab.run(2_000);
    assert_eq!(lab.saw("a"), keys.map(|key| Saw::Stored(key.into(), true)));
}
