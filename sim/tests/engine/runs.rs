//! One seed is one run: equal seeds give equal traces, and what is asked of a run ends it.

use crate::lab::{A, B, Do, Lab, OPENED, Saw, during, millis};
use machine::{Instant, PipeId};
use sim::{Chance, Config, CrashKind, Delay, Fault, Perturb, PipeProfile, Stop, Time};

/// A world in which everything is left to chance.
pub(crate) fn rough(seed: u64) -> impl Fn(&mut Config) {
    move |config| {
        config.seed = seed;
        config.link.delay = Delay::Exponential { min: millis(1), mean: millis(20) };
        config.link.loss = Chance::from_percent(10);
        config.link.duplicate = Chance::from_percent(10);
        config.link.reorder = Chance::from_percent(10);
        config.link.corrupt = Chance::from_percent(10);
        config.link.truncate = Chance::from_percent(10);
        config.pipes = PipeProfile { segment: 200, chunk_max: Some(50), room_max: 300, ..PipeProfile::default() };
        config.perturb = Perturb { spurious_timeout: Chance::from_percent(10), late_drain: Chance::from_percent(10) };
        for node in &mut config.nodes {
            node.disk.delay = Delay::Uniform(millis(1), millis(50));
            node.disk.fail = Chance::from_percent(30);
        }
    }
}

/// Work of every kind between "a" and "b", for two seconds.
pub(crate) fn work(lab: &mut Lab) {
    lab.open(10, "a", 0, "b");
    for at in (20..2_000).step_by(20) {
        lab.send(at, "a", "b", &at.to_be_bytes());
        lab.send(at, "b", "a", &[7; 40]);
        lab.write(at, "a", OPENED, &[1; 300]);
        lab.at(at, "b", Do::Store("key", vec![at as u8]));
        lab.at(at, "a", Do::SendGroup(vec![at as u8; 3]));
    }
}

fn trace_of(names: &[&str], change: impl Fn(&mut Config)) -> (u64, Vec<String>) {
    let mut lab = Lab::new(names, change);
    work(&mut lab);
    lab.run(5_000);
    (lab.world.trace_hash(), lab.trace())
}

#[test]
fn equal_seeds_give_equal_traces_to_the_byte_and_others_differ() {
    let (hash, lines) = trace_of(&["a", "b"], rough(4));
    assert!(lines.len() > 1_000);
    assert_eq!(trace_of(&["a", "b"], rough(4)), (hash, lines.clone()));
    for seed in 5..20 {
        assert_ne!(trace_of(&["a", "b"], rough(seed)).0, hash, "seed {seed}");
    }
}

#[test]
fn the_hash_is_the_same_whether_or_not_anyone_reads_the_trace() {
    let (hash, lines) = trace_of(&["a", "b"], rough(4));
    let mut config = Config::new(4, ["a", "b"].map(sim::NodeConfig::new));
    rough(4)(&mut config);
    let mut lab = Lab::quiet(config);
    work(&mut lab);
    lab.run(5_000);
    assert_eq!((lab.world.trace_hash(), lab.world.events()), (hash, lines.len() as u64));
}

#[test]
fn a_run_in_steps_is_the_run_in_one_go() {
    let (hash, _) = trace_of(&["a", "b"], rough(4));
    let mut lab = Lab::new(&["a", "b"], rough(4));
    work(&mut lab);
    for until in (0..=5_000).step_by(7).chain([5_000]) {
        assert_eq!(lab.run(until), Stop::Reached);
    }
    assert_eq!(lab.world.trace_hash(), hash);
}

#[test]
fn every_line_is_an_object_that_counts_events_in_order_of_time() {
    let (_, lines) = trace_of(&["a", "b"], rough(4));
    let mut before = 0;
    for (number, line) in lines.iter().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["event"], number as u64);
        let at = line["at"].as_u64().unwrap();
        assert!(at >= before);
        before = at;
    }
}

/// The lines about "a" and "b", without the numbers of events and without group datagrams to others.
fn about_a_and_b(lines: &[String]) -> Vec<String> {
    let about = lines.iter().filter(|line| !line.contains("\"x\""));
    about
        .map(|line| line[..line.find("\"event\"").unwrap()].to_owned() + &line[line.find("\"kind\"").unwrap()..])
        .collect()
}

#[test]
fn an_unrelated_node_changes_no_other_ones_fate() {
    let (_, without) = trace_of(&["a", "b"], rough(4));
    let (_, with) = trace_of(&["a", "b", "x"], rough(4));
    let (_, first_in_order) = trace_of(&["a", "b", "0-x"], rough(4));
    assert_eq!(about_a_and_b(&with), about_a_and_b(&without));
    let first_in_order: Vec<_> = first_in_order.iter().filter(|line| !line.contains("0-x")).cloned().collect();
    assert_eq!(about_a_and_b(&first_in_order), about_a_and_b(&without));
}

#[test]
fn a_reseeded_run_is_the_same_until_then_and_another_after() {
    let fork_at = |other: Option<u64>| {
        move |config: &mut Config| {
            rough(4)(config);
            config.reseed_at = other.map(|seed| (Time::from_millis(1_000), seed));
        }
    };
    let (_, straight) = trace_of(&["a", "b"], fork_at(None));
    let (_, forked) = trace_of(&["a", "b"], fork_at(Some(77)));
    let (_, forked_again) = trace_of(&["a", "b"], fork_at(Some(78)));
    let fork = forked.iter().position(|line| line.contains("Reseed")).unwrap();
    assert!(fork > 300);
    assert_eq!(forked[..fork], straight[..fork]);
    assert_eq!(forked[..fork], forked_again[..fork]);
    assert_ne!(forked[fork + 1..], straight[fork..]);
    assert_ne!(forked[fork + 1..], forked_again[fork + 1..]);
}

#[test]
fn a_new_seed_counts_for_pipes_that_are_open_already() {
    let arrivals = |seed| {
        let mut lab = Lab::new(&["a", "b"], |config| {
            config.link.delay = Delay::Uniform(millis(10), millis(90));
            config.reseed_at = Some((Time::from_millis(1_000), seed));
        });
        lab.open(1, "a", 0, "b");
        lab.write(2_000, "a", OPENED, b"x");
        lab.run(3_000);
        lab.log.all.last().cloned()
    };
    assert_ne!(arrivals(77), arrivals(78));
}

#[test]
fn checkpoints_of_a_longer_run_begin_with_those_of_a_shorter_one() {
    let checkpoints = |until| {
        let mut lab = Lab::new(&["a", "b"], rough(4));
        work(&mut lab);
        lab.run(until);
        lab.world.checkpoints().to_vec()
    };
    let (short, long) = (checkpoints(1_000), checkpoints(5_000));
    assert!(short.len() > 5 && long.len() > short.len());
    assert_eq!(long[..short.len()], short);
}

#[test]
fn a_run_stops_for_each_of_its_reasons() {
    let mut lab = Lab::new(&["a", "b"], |_| ());
    lab.at(100, "a", Do::Nothing);
    lab.send(200, "a", "b", b"ask");
    lab.send(300, "a", "b", b"break");
    let from = lab.addr("a");
    assert_eq!(lab.run(50), Stop::Reached);
    assert_eq!(lab.world.now(), Time::from_millis(50));
    lab.log.stop_on = Some(Saw::Datagram(from, b"ask".to_vec()));
    lab.log.violate_on = Some(Saw::Datagram(from, b"break".to_vec()));
    assert_eq!(lab.run(1_000), Stop::Asked);
    assert_eq!(lab.world.now(), Time::from_millis(210));
    let Stop::Violated(violation) = lab.run(1_000) else { panic!("the promise was not broken") };
    assert_eq!((violation.check.as_str(), lab.world.now()), ("probe", Time::from_millis(310)));
    assert_eq!(lab.world.run(Time::MAX, &mut lab.log), Stop::Idle);
}

#[test]
fn time_does_not_go_back_to_an_earlier_end() {
    let mut lab = Lab::new(&["a"], |_| ());
    lab.run(1_000);
    assert_eq!(lab.run(500), Stop::Reached);
    assert_eq!(lab.world.now(), Time::from_millis(1_000));
}

#[test]
fn a_machine_that_never_lets_time_go_on_is_a_livelock() {
    let mut lab = Lab::new(&["a"], |config| config.events_per_instant_max = 1_000);
    lab.at(100, "a", Do::Spin);
    let Stop::Violated(violation) = lab.run(200) else { panic!("time went on") };
    assert_eq!(violation.check, "livelock");
    assert_eq!(lab.world.now(), Time::from_millis(100));
}

#[test]
fn many_events_at_one_time_that_end_are_no_livelock() {
    let mut lab = Lab::new(&["a", "b"], |config| config.events_per_instant_max = 1_000);
    for _ in 0..900 {
        lab.at(100, "a", Do::Nothing);
        lab.at(101, "a", Do::Nothing);
    }
    assert_eq!(lab.run(200), Stop::Reached);
}

#[test]
fn a_command_to_a_node_that_is_down_is_gone() {
    let mut lab = Lab::new(&["a"], |config| {
        config.plan = vec![during(100, 200, Fault::Crash { node: A, kind: CrashKind::Power })];
    });
    lab.at(150, "a", Do::Nothing);
    lab.at(250, "a", Do::Nothing);
    lab.run(1_000);
    assert_eq!(lab.saw_at("a"), [(250, Saw::Command)]);
}

#[test]
fn an_onlookers_command_is_handed_over_at_that_very_time() {
    let mut lab = Lab::new(&["a", "b"], |_| ());
    lab.log.command_on = Some((Saw::Command, B, Do::WakeAt(Instant::ZERO)));
    lab.at(100, "a", Do::Nothing);
    lab.run(1_000);
    assert_eq!(lab.saw_at("b"), [(100, Saw::Timeout(Instant::from_nanos(100_000_000)))]);
}

#[test]
fn the_last_events_are_the_end_of_the_trace() {
    let mut lab = Lab::new(&["a", "b"], rough(4));
    work(&mut lab);
    lab.run(5_000);
    let last = lab.world.last_events();
    assert_eq!(last.len(), 32);
    let lines = lab.trace();
    for (record, line) in last.iter().zip(&lines[lines.len() - 32..]) {
        assert!(line.contains(&format!("{:016x}", record.digest)) && line.contains(&format!("\"{:?}\"", record.kind)));
    }
}

#[test]
fn a_late_drain_holds_all_that_comes_until_then() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.perturb = Perturb { late_drain: Chance::ALWAYS, ..Perturb::default() };
    });
    lab.send(100, "a", "b", b"1");
    lab.send(100, "a", "b", b"2");
    lab.run(1_000);
    let arrivals: Vec<_> = lab.log.all.iter().filter(|(_, _, saw)| matches!(saw, Saw::Datagram(..))).collect();
    let (first, second) = (arrivals[0].0, arrivals[1].0);
    assert_eq!(first, second, "both left with one drain");
    assert!(first > Time::from_millis(110) && first <= Time::from_millis(112));
    assert_eq!(lab.got("b"), [b"1", b"2"]);
}

#[test]
fn spurious_timeouts_are_handed_in_and_wake_nobody_early() {
    let mut lab = Lab::new(&["a"], |config| {
        config.perturb = Perturb { spurious_timeout: Chance::ALWAYS, ..Perturb::default() };
    });
    lab.at(10, "a", Do::WakeAt(Instant::from_nanos(500_000_000)));
    lab.at(20, "a", Do::Nothing);
    lab.run(1_000);
    let woken = (500, Saw::Timeout(Instant::from_nanos(500_000_000)));
    assert_eq!(lab.saw_at("a"), [(20, Saw::Command), woken]);
}

#[test]
fn a_pipes_fate_is_its_own_however_many_others_there_are() {
    let read_at = |others: u64| {
        let mut lab = Lab::new(&["a", "b", "c"], |config| {
            config.link.delay = Delay::Uniform(millis(1), millis(99));
            config.link.loss = Chance::from_percent(30);
        });
        lab.open(1, "a", 0, "b");
        for other in 1..=others {
            lab.open(1, "a", other, "c");
            lab.write(500, "a", PipeId::opened(other), &[9; 10_000]);
        }
        lab.write(1_000, "a", OPENED, &[1; 10_000]);
        lab.run(60_000);
        lab.saw_at("b")
    };
    assert_eq!(read_at(0), read_at(3));
}
