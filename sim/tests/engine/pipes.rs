//! Pipes have TCP's meaning, whatever the network does to their segments.

use crate::lab::{A, ACCEPTED, B, Do, Lab, OPENED, Saw, during, millis};
use machine::{PipeEnd, PipeId};
use sim::{Chance, Config, CrashKind, Delay, Fault, LinkProfile, PipeProfile};

fn cut(from: u64, to: u64, one_way: bool) -> sim::Planned {
    during(from, to, Fault::Partition { from: vec![A], to: vec![B], one_way, flap: None })
}

fn crash(from: u64, to: u64, kind: CrashKind) -> sim::Planned {
    during(from, to, Fault::Crash { node: B, kind })
}

/// "a" opens a pipe to "b" at 1 ms; unhindered, it is open at 21 ms.
fn dialled(change: impl FnOnce(&mut Config)) -> Lab {
    let mut lab = Lab::new(&["a", "b"], change);
    lab.open(1, "a", 0, "b");
    lab
}

fn rough() -> LinkProfile {
    LinkProfile {
        delay: Delay::Uniform(millis(1), millis(30)),
        loss: Chance::from_percent(20),
        duplicate: Chance::from_percent(20),
        reorder: Chance::from_percent(20),
        corrupt: Chance::from_percent(5),
        truncate: Chance::from_percent(5),
        ..LinkProfile::default()
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 % 251) as u8).collect()
}

#[test]
fn bytes_arrive_in_order_and_once_over_the_worst_link() {
    for seed in 0..20 {
        let mut lab = dialled(|config| {
            config.seed = seed;
            config.link = rough();
            config.pipes = PipeProfile { segment: 100, chunk_max: Some(30), room_max: 500, ..PipeProfile::default() };
        });
        lab.write(2, "a", OPENED, &pattern(20_000));
        lab.at(3, "a", Do::Finish(OPENED));
        lab.run(600_000);
        let (read, pieces) = lab.read("b", ACCEPTED);
        assert_eq!(read, pattern(20_000), "seed {seed}");
        assert!(pieces > 1_000);
        assert!(lab.counts().segments_lost > 20, "seed {seed}");
        assert_eq!(lab.saw("b").last(), Some(&Saw::Finished(ACCEPTED)), "seed {seed}");
    }
}

#[test]
fn a_pipe_ends_as_finished_on_each_side_once_both_halves_are() {
    let mut lab = dialled(|_| ());
    lab.write(100, "a", OPENED, b"request");
    lab.at(100, "a", Do::Finish(OPENED));
    lab.run(1_000);
    assert!(lab.ends("a").is_empty() && lab.ends("b").is_empty(), "one half is still open");
    lab.write(1_000, "b", ACCEPTED, b"answer after the end of the request");
    lab.at(1_000, "b", Do::Finish(ACCEPTED));
    lab.run(2_000);
    assert_eq!(lab.read("a", OPENED).0, b"answer after the end of the request");
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::Finished)]);
    assert_eq!(lab.ends("b"), [(ACCEPTED, PipeEnd::Finished)]);
}

#[test]
fn a_finish_before_the_pipe_is_open_still_sends_what_was_written() {
    let mut lab = dialled(|_| ());
    lab.write(2, "a", OPENED, b"early");
    lab.at(2, "a", Do::Finish(OPENED));
    lab.run(1_000);
    assert_eq!(lab.saw("b")[1..], [Saw::Bytes(ACCEPTED, b"early".to_vec()), Saw::Finished(ACCEPTED)]);
}

#[test]
fn unread_bytes_are_bounded_by_the_buffer_and_one_byte_of_it_is_enough() {
    let mut lab = dialled(|config| {
        config.pipes.buffer = 1;
        config.plan = vec![cut(50, 1_000, false)];
    });
    lab.write(60, "a", OPENED, b"slow");
    lab.run(900);
    assert_eq!(lab.log.filled[&A], 1);
    lab.run(3_000);
    assert_eq!(lab.read("b", ACCEPTED), (b"slow".to_vec(), 4));
}

#[test]
fn no_news_travels_faster_than_the_link() {
    let mut lab = dialled(|config| config.pipes.buffer = 10);
    lab.write(100, "a", OPENED, &[1; 10]);
    lab.run(100);
    // Each 10 bytes need a round trip of 20 ms, whatever else is acknowledged meanwhile.
    lab.write(101, "a", OPENED, &[2; 1_000]);
    lab.run(300);
    assert_eq!(lab.log.filled[&A], 110);
}

#[test]
fn an_acknowledgement_says_what_was_read_when_it_left() {
    // "b" reads a byte at 110 ms and another at 115 ms. The first acknowledgement arrives at 120 ms and speaks of one.
    let mut lab = dialled(|config| config.pipes.buffer = 2);
    lab.write(100, "a", OPENED, &[1]);
    lab.write(105, "a", OPENED, &[2]);
    lab.write(106, "a", OPENED, &[3; 100]);
    lab.run(119);
    assert_eq!(lab.log.filled[&A], 2);
    lab.run(121);
    assert_eq!(lab.log.filled[&A], 3);
}

#[test]
fn each_way_for_a_dial_to_fail_is_told_once() {
    let mut refused = dialled(|config| config.pipes.refuse = Chance::ALWAYS);
    refused.run(10_000);
    assert_eq!(refused.saw_at("a"), [(21, Saw::Closed(OPENED, PipeEnd::Refused))]);
    let patience = millis(10_000);
    let mut silent = dialled(|config| {
        config.pipes = PipeProfile { silent: Chance::ALWAYS, patience, ..PipeProfile::default() };
    });
    silent.run(20_000);
    assert_eq!(silent.saw_at("a"), [(10_001, Saw::Closed(OPENED, PipeEnd::TimedOut))]);
    assert!(silent.saw("b").is_empty());
    let mut reset = dialled(|config| config.plan = vec![during(50, 50, Fault::ResetPipes(B, A))]);
    reset.run(10_000);
    assert_eq!(reset.ends("a"), [(OPENED, PipeEnd::Reset)]);
    assert_eq!(reset.ends("b"), [(ACCEPTED, PipeEnd::Reset)]);
}

#[test]
fn a_dial_to_a_wrong_port_or_to_nobody_is_refused() {
    let mut lab = Lab::new(&["a", "b"], |_| ());
    let wrong_port = lab.addr("b").with_port(1);
    let nobody = machine::Addr::new(machine::Host::new([9; 16]), 7_000);
    lab.at(1, "a", Do::Open(0, wrong_port));
    lab.at(1, "a", Do::Open(1, nobody));
    lab.run(1_000);
    let mut ends = lab.ends("a");
    ends.sort_by_key(|(pipe, _)| *pipe);
    assert_eq!(ends, [(OPENED, PipeEnd::Refused), (PipeId::opened(1), PipeEnd::Refused)]);
}

#[test]
fn a_dial_is_repeated_until_its_answer_gets_through() {
    // The dial arrives; its answer meets the partition until 2 s.
    let back = during(5, 2_000, Fault::Partition { from: vec![B], to: vec![A], one_way: true, flap: None });
    let mut lab = dialled(|config| config.plan = vec![back]);
    lab.run(10_000);
    let from = lab.addr("a");
    assert_eq!(lab.saw_at("b"), [(11, Saw::Accepted(ACCEPTED, from))], "accepted once, however often it is dialled");
    let (opened_at, opened) = lab.saw_at("a").remove(0);
    assert_eq!(opened, Saw::Opened(OPENED));
    assert!((2_000..4_000).contains(&opened_at), "{opened_at}");
}

#[test]
fn a_dial_whose_answers_never_come_times_out() {
    let back = Fault::Partition { from: vec![B], to: vec![A], one_way: true, flap: None };
    let mut lab = dialled(|config| {
        config.pipes.patience = millis(10_000);
        config.plan = vec![during(5, 600_000, back)];
    });
    lab.run(100_000);
    assert_eq!(lab.saw_at("a"), [(10_001, Saw::Closed(OPENED, PipeEnd::TimedOut))]);
}

#[test]
fn no_refusal_crosses_a_partition() {
    let back = Fault::Partition { from: vec![B], to: vec![A], one_way: true, flap: None };
    let mut lab = dialled(|config| {
        config.pipes = PipeProfile { refuse: Chance::ALWAYS, patience: millis(10_000), ..PipeProfile::default() };
        config.plan = vec![during(5, 600_000, back)];
    });
    lab.run(100_000);
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::TimedOut)]);
}

#[test]
fn a_dead_acceptor_answers_no_dial() {
    // It has accepted, its answer is lost, it dies for good, and only then could it be heard.
    let back = during(5, 2_000, Fault::Partition { from: vec![B], to: vec![A], one_way: true, flap: None });
    let mut lab = dialled(|config| {
        config.pipes.patience = millis(10_000);
        config.plan = vec![back, crash(100, 600_000, CrashKind::Power)];
    });
    lab.run(100_000);
    assert_eq!(lab.saw("a"), [Saw::Closed(OPENED, PipeEnd::TimedOut)]);
}

#[test]
fn a_dial_that_its_acceptor_has_forgotten_is_refused() {
    let back = during(5, 2_000, Fault::Partition { from: vec![B], to: vec![A], one_way: true, flap: None });
    let mut lab = dialled(|config| config.plan = vec![back, crash(100, 500, CrashKind::Power)]);
    lab.run(100_000);
    assert_eq!(lab.saw("a"), [Saw::Closed(OPENED, PipeEnd::Refused)]);
}

#[test]
fn a_power_failure_is_silent_until_the_node_is_back() {
    let mut lab = dialled(|config| config.plan = vec![crash(100, 5_000, CrashKind::Power)]);
    lab.write(200, "a", OPENED, b"anyone there?");
    lab.run(4_900);
    assert!(lab.ends("a").is_empty());
    lab.run(20_000);
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::Reset)]);
    assert!(lab.ends("b").is_empty(), "the new start knows nothing of the pipe");
}

#[test]
fn a_power_failure_for_good_lets_the_writer_time_out_and_the_reader_wait() {
    let mut writer = dialled(|config| {
        config.pipes.patience = millis(10_000);
        config.plan = vec![crash(100, 900_000, CrashKind::Power)];
    });
    let mut reader = dialled(|config| config.plan = vec![crash(100, 900_000, CrashKind::Power)]);
    writer.write(200, "a", OPENED, b"anyone there?");
    writer.run(60_000);
    reader.run(800_000);
    assert_eq!(writer.ends("a"), [(OPENED, PipeEnd::TimedOut)]);
    assert!(reader.ends("a").is_empty(), "half-open silence");
}

#[test]
fn a_dead_process_resets_its_pipes_at_once_and_refuses_dials() {
    let mut lab = dialled(|config| config.plan = vec![crash(100, 5_000, CrashKind::Process)]);
    lab.open(1_000, "a", 1, "b");
    lab.open(6_000, "a", 2, "b");
    lab.run(10_000);
    let ends = [
        (21, Saw::Opened(OPENED)),
        (110, Saw::Closed(OPENED, PipeEnd::Reset)),
        (1_020, Saw::Closed(PipeId::opened(1), PipeEnd::Refused)),
        (6_020, Saw::Opened(PipeId::opened(2))),
    ];
    assert_eq!(lab.saw_at("a"), ends);
}

#[test]
fn a_dead_process_resets_again_what_its_first_reset_did_not_reach() {
    let mut lab = dialled(|config| {
        config.plan = vec![crash(100, 900_000, CrashKind::Process), cut(90, 200, false)];
    });
    lab.write(300, "a", OPENED, b"still there?");
    lab.run(1_000);
    assert_eq!(lab.saw_at("a").last(), Some(&(320, Saw::Closed(OPENED, PipeEnd::Reset))));
}

#[test]
fn a_writer_always_learns_of_a_restart_however_many_resets_are_lost() {
    for seed in 0..50 {
        let mut lab = dialled(|config| {
            config.seed = seed;
            config.link.loss = Chance::from_percent(40);
            config.plan = vec![crash(30_000, 31_000, CrashKind::Power)];
        });
        lab.write(40_000, "a", OPENED, b"hello again");
        lab.run(400_000);
        assert_eq!(lab.ends("a").len(), 1, "seed {seed}: {:?}", lab.saw("a"));
    }
}

#[test]
fn bytes_that_a_paused_node_takes_to_its_grave_are_sent_again_and_reset() {
    let mut lab = dialled(|config| {
        config.pipes.buffer = 10;
        config.plan = vec![during(100, 400, Fault::Pause(B)), crash(300, 500, CrashKind::Power)];
    });
    lab.write(200, "a", OPENED, &[1; 100]); // fills the buffer, and so the writer cannot try any more
    lab.run(10_000);
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::Reset)]);
}

#[test]
fn a_closed_pipe_resets_its_peer_and_hears_no_more() {
    let mut lab = dialled(|_| ());
    lab.write(100, "b", ACCEPTED, b"under way");
    lab.at(105, "a", Do::Close(OPENED));
    lab.run(1_000);
    assert_eq!(lab.saw("a"), [Saw::Opened(OPENED)]);
    assert_eq!(lab.ends("b"), [(ACCEPTED, PipeEnd::Reset)]);
}

#[test]
fn closing_an_ended_pipe_and_both_ends_at_once_are_harmless() {
    let mut lab = dialled(|_| ());
    lab.at(100, "a", Do::Close(OPENED));
    lab.at(100, "b", Do::Close(ACCEPTED));
    lab.at(200, "a", Do::Close(OPENED));
    lab.write(201, "a", OPENED, b"x");
    lab.at(202, "a", Do::Finish(OPENED));
    lab.run(1_000);
    assert!(lab.ends("a").is_empty() && lab.ends("b").is_empty());
}

#[test]
fn a_reset_drawn_for_a_segment_ends_both_sides() {
    let mut lab = dialled(|config| config.pipes.reset = Chance::ALWAYS);
    lab.write(100, "a", OPENED, b"fatal");
    lab.run(1_000);
    assert_eq!(lab.saw_at("a")[1..], [(110, Saw::Closed(OPENED, PipeEnd::Reset))]);
    assert_eq!(lab.saw_at("b")[1..], [(110, Saw::Closed(ACCEPTED, PipeEnd::Reset))]);
}

#[test]
fn a_node_can_dial_itself() {
    let mut lab = Lab::new(&["a"], |_| ());
    lab.open(1, "a", 0, "a");
    lab.write(100, "a", OPENED, b"echo");
    lab.at(200, "a", Do::Close(ACCEPTED));
    lab.run(1_000);
    assert_eq!(lab.read("a", ACCEPTED).0, b"echo");
    assert_eq!(lab.ends("a"), [(OPENED, PipeEnd::Reset)]);
}

#[test]
fn a_partition_delays_a_pipe_and_loses_nothing() {
    let mut lab = dialled(|config| config.plan = vec![cut(100, 3_000, false)]);
    lab.write(200, "a", OPENED, b"patience");
    lab.run(2_900);
    assert!(lab.read("b", ACCEPTED).0.is_empty());
    lab.run(10_000);
    assert_eq!(lab.read("b", ACCEPTED).0, b"patience");
}
