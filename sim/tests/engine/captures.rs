//! A capture has everything that was put on the wire and what became of it, and changes nothing.

use crate::lab::{A, ACCEPTED, B, Do, Lab, OPENED, during, millis};
use machine::Duration;
use sim::capture::{Carried, PipePart};
use sim::causes::Mishap;
use sim::{Chance, Delay, Fault, LinkProfile, NodeIndex};
use std::cell::RefCell;
use std::rc::Rc;

/// A sending without what it lends.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    from: NodeIndex,
    to: NodeIndex,
    /// The payload, and whether it went through a pipe.
    bytes: Vec<u8>,
    is_pipe: bool,
    arrives_after: Option<Duration>,
    mishap: Option<Mishap>,
    damaged: Option<Vec<u8>>,
    is_twice: bool,
}

fn rough(lab_seed: u64) -> Lab {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.seed = lab_seed;
        config.link = LinkProfile {
            delay: Delay::Uniform(millis(1), millis(30)),
            loss: Chance::from_percent(20),
            duplicate: Chance::from_percent(20),
            corrupt: Chance::from_percent(20),
            truncate: Chance::from_percent(10),
            ..LinkProfile::default()
        };
        config.plan = vec![during(40, 80, Fault::Partition { from: vec![A], to: vec![B], one_way: false, flap: None })];
    });
    lab.open(1, "a", 0, "b");
    lab.write(2, "a", OPENED, &vec![7; 20_000]);
    lab.at(3, "a", Do::Finish(OPENED));
    for time in 1..101 {
        lab.send(time, "a", "b", &[time as u8; 50]);
        lab.at(time, "b", Do::SendGroup(vec![time as u8; 60]));
    }
    lab
}

fn kept(lab: &mut Lab) -> Rc<RefCell<Vec<Kept>>> {
    let all = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&all);
    lab.world.capture_to(Box::new(move |sending| {
        let (bytes, is_pipe) = match sending.what {
            Carried::Datagram { bytes, .. } => (bytes, false),
            Carried::Pipe { part: PipePart::Segment { bytes, .. }, .. } => (bytes, true),
            Carried::Pipe { .. } => ([].as_slice(), true),
        };
        sink.borrow_mut().push(Kept {
            from: sending.from,
            to: sending.to,
            bytes: bytes.to_vec(),
            is_pipe,
            arrives_after: sending.course.arrives_after,
            mishap: sending.course.mishap,
            damaged: sending.course.damaged.map(<[u8]>::to_vec),
            is_twice: sending.course.duplicate_after.is_some(),
        });
    }));
    all
}

#[test]
fn a_run_that_is_captured_is_the_same_run() {
    for seed in 0..20 {
        let (mut plain, mut captured) = (rough(seed), rough(seed));
        let all = kept(&mut captured);
        plain.run(600_000);
        captured.run(600_000);
        assert_eq!(plain.world.trace_hash(), captured.world.trace_hash(), "seed {seed}");
        assert!(all.borrow().len() > 200);
        assert_eq!(plain.read("b", ACCEPTED), captured.read("b", ACCEPTED), "seed {seed}");
    }
}

#[test]
fn every_fate_is_told_as_often_as_it_was_met() {
    let mut lab = rough(3);
    let all = kept(&mut lab);
    lab.run(60_000);
    let (all, counts) = (all.borrow(), lab.counts());
    let datagrams = |keep: &dyn Fn(&Kept) -> bool| all.iter().filter(|kept| !kept.is_pipe && keep(kept)).count() as u64;
    assert_eq!(datagrams(&|_| true), 200);
    assert_eq!(datagrams(&|kept| kept.mishap == Some(Mishap::Lost)), counts.lost);
    assert_eq!(datagrams(&|kept| kept.is_twice), counts.duplicated);
    // A partition is counted for segments too, and those it takes are lost to their pipe.
    assert_eq!(all.iter().filter(|kept| kept.mishap == Some(Mishap::Partitioned)).count() as u64, counts.partitioned);
    let damaged = datagrams(&|kept| kept.mishap == Some(Mishap::Damaged));
    assert!(damaged > 10, "{damaged}");
    assert!(damaged <= counts.corrupted + counts.truncated, "{damaged} {counts:?}: one packet may be both");
    for kept in all.iter() {
        assert_eq!(kept.damaged.is_some(), kept.mishap == Some(Mishap::Damaged));
        assert!(kept.damaged.as_ref() != Some(&kept.bytes), "damage shows");
        let is_gone = matches!(kept.mishap, Some(Mishap::Lost | Mishap::Partitioned));
        assert_eq!(kept.arrives_after.is_none(), is_gone, "{kept:?}");
    }
}

#[test]
fn a_segment_is_there_each_time_it_is_sent() {
    let mut lab = rough(5);
    let all = kept(&mut lab);
    lab.run(60_000);
    let (all, counts) = (all.borrow(), lab.counts());
    let sent: usize = all.iter().filter(|kept| kept.is_pipe && kept.from == A).map(|kept| kept.bytes.len()).sum();
    let arrived = all.iter().filter(|kept| kept.is_pipe && kept.from == A && kept.arrives_after.is_some());
    assert_eq!(arrived.map(|kept| kept.bytes.len()).sum::<usize>(), 20_000);
    assert!(sent > 20_000 && counts.segments_lost > 0);
}
