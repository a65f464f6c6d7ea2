//! A paused node stands still, and nothing that a pause must keep is lost.

use crate::lab::{A, ACCEPTED, B, Do, Lab, OPENED, Saw, during, millis};
use machine::{Instant, PipeEnd};
use sim::{Begin, Chance, CrashKind, Fault, Perturb, Planned, Time};

#[test]
fn on_resume_ready_inputs_come_before_the_timeout() {
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(50, 500, Fault::Pause(B))]);
    lab.at(1, "b", Do::WakeAt(Instant::from_nanos(100_000_000)));
    lab.open(30, "a", 0, "b");
    lab.write(60, "a", OPENED, b"bytes");
    lab.send(200, "a", "b", b"hi");
    lab.at(300, "b", Do::Nothing);
    lab.run(1_000);
    let from = lab.addr("a");
    let ready = [
        (40, Saw::Accepted(ACCEPTED, from)),
        (500, Saw::Datagram(from, b"hi".to_vec())),
        (500, Saw::Command),
        (500, Saw::Bytes(ACCEPTED, b"bytes".to_vec())),
        (500, Saw::Timeout(Instant::from_nanos(500_000_000))),
    ];
    assert_eq!(lab.saw_at("b"), ready);
}

#[test]
fn a_paused_node_holds_256_datagrams_and_loses_the_rest() {
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(50, 500, Fault::Pause(B))]);
    for number in 0..300_u16 {
        lab.send(100, "a", "b", &number.to_be_bytes());
    }
    lab.run(1_000);
    assert_eq!(lab.got("b"), (0..256_u16).map(|number| number.to_be_bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(lab.counts().unreachable, 44);
}

#[test]
fn pipes_to_a_paused_node_back_up_and_then_flow() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.pipes.buffer = 1_000;
        config.plan = vec![during(50, 5_000, Fault::Pause(B))];
    });
    lab.open(1, "a", 0, "b");
    lab.write(100, "a", OPENED, &[7; 10_000]);
    lab.run(4_000);
    assert_eq!(lab.log.filled[&A], 1_000);
    lab.run(10_000);
    assert_eq!(lab.read("b", ACCEPTED).0, [7; 10_000]);
}

#[test]
fn a_paused_node_drains_nothing() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.perturb = Perturb { late_drain: Chance::ALWAYS, ..Perturb::default() };
        // The drain that the command leads to is due within a millisecond: after this.
        let just_after = Time::from_nanos(100_000_001);
        config.plan = vec![Planned { begin: Begin::At(just_after), lasts: Some(millis(400)), fault: Fault::Pause(A) }];
    });
    lab.send(100, "a", "b", b"hi");
    lab.run(400);
    assert!(lab.got("b").is_empty());
    lab.run(1_000);
    assert_eq!(lab.got("b"), [b"hi"]);
}

#[test]
fn the_end_of_a_pause_leaves_a_node_that_crashed_meanwhile_alone() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan =
            vec![during(50, 300, Fault::Pause(B)), during(100, 500, Fault::Crash { node: B, kind: CrashKind::Power })];
    });
    lab.send(310, "a", "b", b"to nobody");
    lab.send(600, "a", "b", b"to the next start");
    lab.run(1_000);
    assert_eq!(lab.got("b"), [b"to the next start"]);
    assert_eq!(lab.boots("b").len(), 2);
}

#[test]
fn the_end_of_a_pause_does_not_end_the_next_starts_pause() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan = vec![
            during(50, 300, Fault::Pause(B)),
            during(100, 200, Fault::Crash { node: B, kind: CrashKind::Power }),
            during(250, 600, Fault::Pause(B)),
        ];
    });
    lab.at(400, "b", Do::Nothing);
    lab.run(1_000);
    assert_eq!(lab.saw_at("b"), [(600, Saw::Command)]);
}

#[test]
fn an_answer_that_meets_a_paused_dialler_fills_no_other_machines_pipe() {
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(15, 500, Fault::Pause(A))]);
    lab.open(1, "a", 0, "b");
    lab.write(2, "a", OPENED, b"from a"); // before the pipe is open
    lab.open(3, "b", 0, "a");
    lab.write(100, "b", OPENED, b"from b");
    lab.run(1_000);
    assert_eq!(lab.read("b", ACCEPTED).0, b"from a");
    assert_eq!(lab.read("a", ACCEPTED).0, b"from b");
}

#[test]
fn a_node_that_aborts_a_dead_peers_pipe_on_resume_goes_on() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan = vec![
            during(100, 500, Fault::Pause(B)),
            during(200, 300, Fault::Crash { node: A, kind: CrashKind::Power }),
            // What "b" sends when it resumes is lost, and so no event holds the pipe.
            during(400, 600, Fault::Partition { from: vec![A], to: vec![B], one_way: false, flap: None }),
        ];
    });
    lab.at(1, "b", Do::CloseOnBytes);
    lab.open(1, "a", 0, "b");
    lab.write(150, "a", OPENED, b"x");
    lab.run(2_000);
    assert_eq!(lab.read("b", ACCEPTED).0, b"x");
    assert!(lab.ends("b").is_empty(), "it ended the pipe itself");
}

#[test]
fn a_reset_reaches_a_paused_node_when_it_resumes() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan = vec![during(50, 500, Fault::Pause(B)), during(100, 100, Fault::ResetPipes(A, B))];
    });
    lab.open(1, "a", 0, "b");
    lab.run(1_000);
    assert_eq!(lab.saw_at("a").last(), Some(&(100, Saw::Closed(OPENED, PipeEnd::Reset))));
    assert_eq!(lab.saw_at("b").last(), Some(&(500, Saw::Closed(ACCEPTED, PipeEnd::Reset))));
}
