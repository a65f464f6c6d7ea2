//! Every decision has an address, can be recorded, and can be overridden alone.

use crate::lab::{A, B, Lab, OPENED};
use crate::runs::{rough, work};
use machine::Duration;
use sim::ledger::{Address, Decision, Entry, Ledger};
use sim::{Begin, Fault, PacketFate, Planned, StoreFate, Time};
use std::collections::BTreeMap;

fn recorded(overrides: Vec<(Address, Decision)>) -> (Vec<Entry>, Vec<String>) {
    let mut lab = Lab::new(&["a", "b"], |config| {
        rough(4)(config);
        config.ledger = Ledger::overriding(overrides).recording();
    });
    work(&mut lab);
    lab.run(5_000);
    (lab.world.ledger().recorded().to_vec(), lab.trace())
}

fn datagram(number: u64) -> Address {
    Address::Datagram { from: A, to: B, number }
}

fn by_address(entries: &[Entry]) -> BTreeMap<Address, Decision> {
    entries.iter().map(|entry| (entry.address, entry.decision)).collect()
}

#[test]
fn recording_changes_nothing() {
    let mut lab = Lab::new(&["a", "b"], rough(4));
    work(&mut lab);
    lab.run(5_000);
    assert_eq!(recorded(Vec::new()).1, lab.trace());
}

#[test]
fn what_was_recorded_replays_to_the_same_trace() {
    let (entries, lines) = recorded(Vec::new());
    assert!(entries.len() > 500);
    let overrides = entries.iter().map(|entry| (entry.address, entry.decision)).collect();
    assert_eq!(recorded(overrides), (entries, lines));
}

#[test]
fn no_address_is_given_twice() {
    let (entries, _) = recorded(Vec::new());
    assert_eq!(by_address(&entries).len(), entries.len());
}

#[test]
fn an_override_changes_that_decision_and_no_other() {
    let (before, _) = recorded(Vec::new());
    let dropped = PacketFate { lost: true, ..PacketFate::default() };
    let kept = before.iter().filter(|entry| matches!(entry.address, Address::Datagram { from: A, .. }));
    let kept = kept.filter(|entry| matches!(entry.decision, Decision::Packet(fate) if !fate.lost));
    for entry in kept.step_by(10) {
        let (after, _) = recorded(vec![(entry.address, Decision::Packet(dropped))]);
        // A probe sends on command only, so that both runs decide about the same packets.
        let (one, other) = (by_address(&before), by_address(&after));
        assert!(one.keys().eq(other.keys()));
        let changed: Vec<_> = one.keys().filter(|address| one[*address] != other[*address]).collect();
        assert_eq!(changed, [&entry.address]);
    }
}

#[test]
fn an_override_is_what_happens() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        let copy = Some(Duration::from_millis(50));
        let fates = [
            (datagram(0), PacketFate { lost: true, ..PacketFate::default() }),
            (datagram(1), PacketFate { delay: Duration::from_millis(3), ..PacketFate::default() }),
            (datagram(2), PacketFate { duplicate: copy, ..PacketFate::default() }),
            (datagram(3), PacketFate { flipped_bit: Some(1), ..PacketFate::default() }),
            (datagram(4), PacketFate { truncated_to: Some(1), ..PacketFate::default() }),
        ];
        let packets = fates.map(|(address, fate)| (address, Decision::Packet(fate)));
        let store = Address::Store { node: A, number: 0 };
        let failed = StoreFate { delay: Duration::from_millis(7), failed: true };
        let segment = Address::Segment { dialler: A, acceptor: B, dial: 0, forward: true, number: 0, attempt: 0 };
        config.ledger = Ledger::overriding(
            packets.into_iter().chain([(store, Decision::Store(failed)), (segment, Decision::Segment(None))]),
        );
    });
    lab.at(1, "a", crate::lab::Do::Store("key", vec![1]));
    lab.open(1, "a", 0, "b");
    for at in [100, 200, 300, 400, 500] {
        lab.send(at, "a", "b", b"hi");
    }
    lab.write(1_000, "a", OPENED, b"late");
    lab.run(2_000);
    let arrivals: Vec<_> = lab.saw_at("b").into_iter().map(|(at, _)| at).collect();
    assert_eq!(arrivals, [11, 203, 300, 350, 400, 500, 1_210]);
    assert_eq!(lab.got("b"), [&b"hi"[..], b"hi", b"hi", b"ji", b"h"]);
    assert_eq!(lab.saw_at("a")[0], (8, crate::lab::Saw::Stored("key".into(), false)));
}

#[test]
fn an_override_of_another_kind_is_ignored() {
    let (before, lines) = recorded(Vec::new());
    assert_eq!(recorded(vec![(datagram(0), Decision::Segment(None))]), (before, lines));
}

#[test]
fn an_entry_says_when_and_about_what() {
    let (entries, _) = recorded(Vec::new());
    let first = entries.iter().find(|entry| entry.address == Address::Datagram { from: B, to: A, number: 0 }).unwrap();
    assert_eq!(first.length, 40);
    assert_eq!(first.digest, sim::digest(&[7; 40]));
    // A late drain adds up to a millisecond.
    assert!(first.at >= Time::from_millis(20) && first.at <= Time::from_millis(21), "{}", first.at);
}

/// A run in which pipes are dialled, carry bytes and are interrupted while `a` stores, without chance.
fn dialled(overrides: Vec<(Address, Decision)>) -> Lab {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.nodes[0].disk.delay = sim::Delay::Fixed(Duration::from_millis(100));
        let kept = Address::Interrupted { node: A, number: 1 };
        let known = [(kept, Decision::Interrupted(sim::CrashFate::Kept))];
        config.ledger = Ledger::overriding(known.into_iter().chain(overrides)).recording();
        let crash = Fault::Crash { node: A, kind: sim::CrashKind::Power };
        let lasts = Some(Duration::from_millis(500));
        config.plan = vec![Planned { begin: Begin::At(Time::from_millis(250)), lasts, fault: crash }];
    });
    lab.at(1, "a", crate::lab::Do::Store("key", vec![1, 1]));
    lab.at(200, "a", crate::lab::Do::Store("key", vec![2, 2]));
    lab.open(10, "a", 0, "b");
    lab.write(20, "a", OPENED, b"hello");
    lab.run(2_000);
    lab
}

/// All that `node` saw, and what it had stored at each of its starts.
fn saw(lab: &Lab, node: &str) -> String {
    format!("{:?} {:?}", lab.saw(node), lab.boots(node))
}

#[test]
fn refusals_silence_resets_and_damage_can_be_overridden() {
    let dial = |strike: bool| Decision::Strike(strike);
    let (dialler, acceptor) = (A, B);
    let refuse = Address::Refuse { dialler, acceptor, dial: 0 };
    let silent = Address::Silent { dialler, acceptor, dial: 0 };
    let reset = Address::Reset { dialler, acceptor, dial: 0, forward: true, number: 0, attempt: 0 };
    let calm = |node| saw(&dialled(Vec::new()), node);
    assert!(calm("a").contains("Opened") && calm("b").contains("Bytes") && calm("a").contains("[2, 2]"));
    let with = |address, decision, node| saw(&dialled(vec![(address, decision)]), node);
    assert!(with(refuse, dial(true), "a").contains("Refused"));
    assert!(!with(silent, dial(true), "a").contains("Opened"));
    assert!(with(reset, dial(true), "b").contains("Reset") && !with(reset, dial(true), "b").contains("Bytes"));
    let interrupted = Address::Interrupted { node: A, number: 1 };
    let torn = with(interrupted, Decision::Interrupted(sim::CrashFate::Torn(1)), "a");
    assert!(torn.contains("\"key\": [2, 1]"), "{torn}");
    let key = sim::fate::NameHash::of("key").as_u64();
    let rotten = with(Address::Rot { node: A, incarnation: 1, key }, Decision::Rot(Some(0)), "a");
    assert!(rotten.contains("\"key\": [3, 2]"), "{rotten}");
}

#[test]
fn a_realigned_ledger_replays_the_run_that_it_is_of() {
    let (entries, lines) = recorded(Vec::new());
    let mut lab = Lab::new(&["a", "b"], |config| {
        rough(4)(config);
        config.ledger = Ledger::realigning(entries.clone());
    });
    work(&mut lab);
    lab.run(5_000);
    assert_eq!((lab.trace(), lab.world.ledger().placed()), (lines, entries.len()));
}
