//! Planned faults begin, end, overlap, and leave nothing behind.

use crate::lab::{A, ACCEPTED, B, C, Do, Lab, OPENED, Saw, during, millis};
use machine::{Instant, PipeEnd};
use sim::{Begin, Chance, CrashKind, DiskProfile, Fault, LinkProfile, NodeIndex, Planned, Time};

fn partition(from: &[NodeIndex], to: &[NodeIndex]) -> Fault {
    Fault::Partition { from: from.to_vec(), to: to.to_vec(), one_way: false, flap: None }
}

/// Sends a datagram from each node to the next one at `millis`; who got one.
fn who_hears_at(lab: &mut Lab, millis: u64) -> String {
    let before = lab.log.all.len();
    for (from, to) in [("a", "b"), ("b", "a"), ("a", "c"), ("b", "c")] {
        lab.send(millis, from, to, from.as_bytes());
    }
    lab.run(millis + 30);
    let heard = lab.log.all[before..].iter().filter_map(|(_, node, saw)| match saw {
        Saw::Datagram(_, from) => Some(format!("{}{} ", from[0] as char, lab.world.names()[node.as_usize()])),
        _ => None,
    });
    let mut heard: Vec<_> = heard.collect();
    heard.sort();
    heard.concat()
}

#[test]
fn a_partition_cuts_both_ways_and_nothing_else_and_heals() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.plan = vec![during(100, 200, partition(&[A], &[B]))]);
    assert_eq!(who_hears_at(&mut lab, 50), "ab ac ba bc ");
    assert_eq!(who_hears_at(&mut lab, 110), "ac bc ");
    assert_eq!(lab.counts().partitioned, 2);
    assert_eq!(who_hears_at(&mut lab, 200), "ab ac ba bc ");
}

#[test]
fn a_one_way_partition_lets_the_other_way_through() {
    let fault = Fault::Partition { from: vec![A], to: vec![B, C], one_way: true, flap: None };
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.plan = vec![during(100, 200, fault)]);
    assert_eq!(who_hears_at(&mut lab, 110), "ba bc ");
    assert_eq!(who_hears_at(&mut lab, 210), "ab ac ba bc ");
}

#[test]
fn a_flapping_partition_closes_opens_and_heals_for_good() {
    let fault = Fault::Partition { from: vec![A], to: vec![B, C], one_way: false, flap: Some(millis(100)) };
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.plan = vec![during(100, 450, fault)]);
    let heard: Vec<_> = [110, 210, 310, 410, 510, 610].map(|at| who_hears_at(&mut lab, at)).into();
    let (open, closed) = ("ab ac ba bc ", "bc ");
    assert_eq!(heard, [closed, open, closed, open, open, open]);
}

#[test]
fn overlapping_partitions_heal_one_by_one() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| {
        config.plan = vec![during(100, 200, partition(&[A], &[B])), during(150, 300, partition(&[A], &[B]))];
    });
    assert_eq!(who_hears_at(&mut lab, 210), "ac bc ");
    assert_eq!(who_hears_at(&mut lab, 310), "ab ac ba bc ");
}

#[test]
fn what_is_under_way_gets_through_a_partition() {
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(105, 200, partition(&[A], &[B]))]);
    lab.send(100, "a", "b", b"under way");
    lab.run(200);
    assert_eq!(lab.got("b"), [b"under way"]);
}

fn slow(delay: u64) -> Fault {
    let profile = LinkProfile { delay: sim::Delay::Fixed(millis(delay)), ..LinkProfile::default() };
    Fault::Link { from: A, to: B, profile }
}

#[test]
fn overlapping_link_changes_end_in_any_order_and_leave_the_first_profile() {
    for (first_end, second_end) in [(300, 500), (500, 300)] {
        let mut lab = Lab::new(&["a", "b"], |config| {
            config.plan = vec![during(100, first_end, slow(20)), during(200, second_end, slow(30))];
        });
        for at in [50, 150, 250, 350, 550] {
            lab.send(at, "a", "b", b"");
        }
        lab.run(1_000);
        let between = if first_end == 300 { 380 } else { 370 };
        let arrivals: Vec<_> = lab.saw_at("b").into_iter().map(|(at, _)| at).collect();
        assert_eq!(arrivals, [60, 170, 280, between, 560]);
    }
}

#[test]
fn overlapping_disk_and_clock_changes_leave_nothing_behind() {
    let fail = |percent| Fault::Disk(A, DiskProfile { fail: Chance::from_percent(percent), ..DiskProfile::default() });
    let mut lab = Lab::new(&["a"], |config| {
        config.plan = vec![
            during(100, 300, fail(100)),
            during(200, 500, fail(100)),
            during(100, 300, Fault::ClockRate(A, 500_000_000)),
            during(200, 500, Fault::ClockRate(A, -500_000_000)),
        ];
    });
    for at in [50, 250, 400, 600] {
        lab.at(at, "a", Do::Store("key", vec![1]));
    }
    lab.run(600);
    let stored: Vec<_> = [true, false, false, true].map(|durable| Saw::Stored("key".into(), durable)).into();
    assert_eq!(lab.saw("a"), stored);
    let shown = lab.world.clock(A);
    lab.run(700);
    assert_eq!(lab.world.clock(A).saturating_since(shown), millis(100), "the rate is the first one again");
}

#[test]
fn a_trigger_begins_its_faults_at_once_and_once() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        let fault = Fault::Crash { node: B, kind: CrashKind::Power };
        config.plan = vec![Planned { begin: Begin::Trigger(7), lasts: Some(millis(100)), fault }];
    });
    lab.log.fire = Some((A, Saw::Command, 7));
    lab.at(100, "a", Do::Nothing);
    lab.at(400, "a", Do::Nothing); // fires it again, in vain
    lab.send(150, "a", "b", b"while it is down");
    lab.send(250, "a", "b", b"after");
    lab.send(450, "a", "b", b"later");
    lab.run(1_000);
    assert_eq!(lab.got("b"), [b"after".to_vec(), b"later".to_vec()]);
    assert_eq!(lab.counts().crashes, 1);
}

#[test]
fn a_trigger_that_nobody_waits_for_is_nothing() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan = vec![Planned { begin: Begin::Trigger(7), lasts: None, fault: Fault::Pause(B) }];
    });
    lab.log.fire = Some((A, Saw::Command, 8));
    lab.at(100, "a", Do::Nothing);
    lab.run(1_000);
    assert_eq!(lab.counts().pauses, 0);
}

#[test]
fn a_crash_loses_timers_and_what_a_node_was_told() {
    let mut lab = Lab::new(&["a"], |config| {
        config.plan = vec![during(100, 300, Fault::Crash { node: A, kind: CrashKind::Process })];
    });
    lab.at(50, "a", Do::WakeAt(Instant::from_nanos(400_000_000)));
    lab.at(200, "a", Do::Nothing); // to a node that is down
    lab.run(1_000);
    assert!(lab.saw("a").is_empty());
    assert_eq!(lab.boots("a").len(), 2);
}

#[test]
fn a_crash_for_good_and_a_crash_of_a_dead_node() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        let fault = Fault::Crash { node: B, kind: CrashKind::Power };
        config.plan = vec![
            Planned { begin: Begin::At(Time::from_millis(100)), lasts: None, fault: fault.clone() },
            during(200, 300, fault),
        ];
    });
    lab.send(400, "a", "b", b"hello?");
    lab.run(1_000);
    assert!(lab.got("b").is_empty());
    assert!(lab.world.machine(B).is_none());
    assert_eq!((lab.counts().crashes, lab.counts().restarts), (1, 0));
}

#[test]
fn each_start_has_a_seed_of_its_own() {
    let mut lab = Lab::new(&["a"], |config| {
        config.plan = vec![during(100, 200, Fault::Crash { node: A, kind: CrashKind::Power })];
    });
    lab.run(50);
    let first = lab.world.machine(A).unwrap().seed;
    lab.run(300);
    assert_ne!(lab.world.machine(A).unwrap().seed, first);
}

#[test]
fn reset_pipes_ends_those_between_the_two_and_no_others() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| {
        config.plan = vec![during(200, 200, Fault::ResetPipes(A, B))];
    });
    lab.open(1, "a", 0, "b");
    lab.open(1, "b", 0, "a");
    lab.open(1, "a", 1, "c");
    lab.open(195, "a", 2, "b"); // not yet accepted
    lab.run(1_000);
    let third = machine::PipeId::opened(2);
    let mut ends = lab.ends("a");
    ends.sort_by_key(|(pipe, _)| *pipe);
    assert_eq!(ends, [(OPENED, PipeEnd::Reset), (ACCEPTED, PipeEnd::Reset), (third, PipeEnd::Reset)]);
    let mut ends = lab.ends("b");
    ends.sort_by_key(|(pipe, _)| *pipe);
    assert_eq!(ends, [(OPENED, PipeEnd::Reset), (ACCEPTED, PipeEnd::Reset)]);
    assert!(lab.ends("c").is_empty());
}
