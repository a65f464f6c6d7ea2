//! Every event knows what it follows from, and keeping that changes nothing.

use crate::lab::{A, ACCEPTED, B, Do, Lab, OPENED, during, millis};
use machine::Instant;
use sim::causes::{Happening, Mishap};
use sim::{Begin, Chance, CrashKind, Fault, Kind, LinkProfile, NodeIndex, Planned, Time};

/// All that happens until then.
fn happenings(lab: &mut Lab, until: u64) -> Vec<Happening> {
    let causes = lab.world.keep_causes();
    let log = core::mem::take(&mut lab.log);
    lab.world.run(Time::from_millis(until), &mut (log, causes.clone()));
    causes.take()
}

fn told(it: &Happening) -> String {
    let node = ["a", "b", "c"].get(it.record.node.as_usize()).copied().unwrap_or("-");
    format!("{:?} {node}", it.record.kind)
}

/// The last event of this kind at this node.
fn last(all: &[Happening], kind: Kind, node: NodeIndex) -> &Happening {
    all.iter().rfind(|it| it.record.kind == kind && it.record.node == node).unwrap()
}

/// An event and all that it follows from: `Event b < DatagramIn b < DatagramOut a`.
fn chain(all: &[Happening], it: &Happening) -> String {
    let next = |it: &&Happening| it.cause.map(|event| &all[event as usize]);
    core::iter::successors(Some(it), next).map(told).collect::<Vec<_>>().join(" < ")
}

#[test]
fn what_is_seen_is_followed_back_to_what_was_sent_and_why() {
    let mut lab = Lab::new(&["a", "b"], |_| {});
    lab.send(5, "a", "b", b"hello");
    let all = happenings(&mut lab, 100);
    let seen = last(&all, Kind::Event, B);
    assert_eq!(chain(&all, seen), "Event b < DatagramIn b < DatagramOut a < Command a");
    assert_eq!(told(&all[all[seen.cause.unwrap() as usize].before.unwrap() as usize]), "Boot b", "its program's order");
    assert!(all.iter().zip(0..).all(|(it, number)| it.event == number && it.mishap.is_none()));
}

#[test]
fn a_timer_follows_from_the_input_that_armed_it() {
    let mut lab = Lab::new(&["a", "b"], |_| {});
    lab.at(5, "a", Do::WakeAt(Instant::from_nanos(50_000_000)));
    lab.at(20, "a", Do::Nothing);
    let all = happenings(&mut lab, 100);
    let timer = last(&all, Kind::Timeout, A);
    assert_eq!((told(&all[timer.cause.unwrap() as usize]), timer.cause), ("Command a".to_owned(), Some(4)));
    assert_eq!(all[4].record.at, Time::from_millis(5));
    assert_eq!(all[timer.before.unwrap() as usize].record.at, Time::from_millis(20));
}

/// What became of a datagram from "a" to "b" at 50 ms.
fn fate(change: impl FnOnce(&mut sim::Config)) -> (Option<Mishap>, Option<String>) {
    let mut lab = Lab::new(&["a", "b"], change);
    // The first one occupies a limited rate.
    lab.send(49, "a", "b", &[7; 100]);
    lab.send(50, "a", "b", &[7; 100]);
    let all = happenings(&mut lab, 100);
    let sent = last(&all, Kind::DatagramOut, A);
    let it = all.iter().find(|it| it.record.kind == Kind::Discarded).unwrap_or(sent);
    (it.mishap, it.fault.map(|event| told(&all[event as usize])))
}

#[test]
fn what_does_not_arrive_says_why() {
    let link = |change: fn(&mut LinkProfile)| fate(|config| change(&mut config.link));
    assert_eq!(link(|_| {}), (None, None));
    assert_eq!(link(|link| link.loss = Chance::ALWAYS), (Some(Mishap::Lost), None));
    assert_eq!(link(|link| link.corrupt = Chance::ALWAYS), (Some(Mishap::Damaged), None));
    assert_eq!(link(|link| link.duplicate = Chance::ALWAYS), (Some(Mishap::Duplicated), None));
    assert_eq!(link(|link| link.mtu = 99), (Some(Mishap::TooLong), None));
    assert_eq!(link(|link| (link.rate, link.queue) = (Some(1), 1)), (Some(Mishap::QueueFull), None));
    let faulty = |fault: Fault| fate(|config| config.plan = vec![during(10, 90, fault)]);
    let cut = Fault::Partition { from: vec![A], to: vec![B], one_way: false, flap: None };
    assert_eq!(faulty(cut), (Some(Mishap::Partitioned), Some("FaultBegins -".into())));
    let crash = Fault::Crash { node: B, kind: CrashKind::Power };
    assert_eq!(faulty(crash), (Some(Mishap::Unheard), Some("Crash b".into())));
}

#[test]
fn damaged_and_doubled_datagrams_still_know_their_sending() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        (config.link.corrupt, config.link.duplicate) = (Chance::ALWAYS, Chance::ALWAYS);
    });
    lab.send(5, "a", "b", b"hello");
    let all = happenings(&mut lab, 100);
    let arrivals: Vec<_> = all.iter().filter(|it| it.record.kind == Kind::DatagramIn).collect();
    assert_eq!(arrivals.len(), 2);
    assert!(arrivals.iter().all(|it| chain(&all, it) == "DatagramIn b < DatagramOut a < Command a"));
}

#[test]
fn bytes_follow_from_what_was_written_and_from_the_loss_that_held_them_up() {
    let cut = Fault::Partition { from: vec![A], to: vec![B], one_way: true, flap: None };
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(90, 150, cut)]);
    let pipe = lab.open(5, "a", 0, "b");
    lab.write(100, "a", pipe, b"held up");
    let all = happenings(&mut lab, 2_000);
    let read = last(&all, Kind::PipeBytes, B);
    assert_eq!(chain(&all, read), "PipeBytes b < Fill a < Command a");
    let loss = &all[read.fault.unwrap() as usize];
    assert_eq!((told(loss), loss.mishap), ("SegmentLost a".into(), Some(Mishap::Partitioned)));
    assert_eq!(told(&all[loss.fault.unwrap() as usize]), "FaultBegins -");
    let opened = last(&all, Kind::PipeOpened, A);
    assert_eq!(chain(&all, opened), "PipeOpened a < PipeAccepted b < OpenPipe a < Command a");
}

/// How "a" comes to learn that its pipe is gone.
fn end_of_a_pipe(change: impl FnOnce(&mut Lab), plan: Vec<Planned>) -> String {
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = plan);
    let pipe = lab.open(5, "a", 0, "b");
    lab.write(200, "a", pipe, b"anybody there?");
    change(&mut lab);
    let all = happenings(&mut lab, 10_000);
    chain(&all, last(&all, Kind::PipeClosed, A))
}

#[test]
fn the_end_of_a_pipe_follows_from_who_ended_it() {
    let closed = end_of_a_pipe(|lab| lab.at(100, "b", Do::Close(ACCEPTED)), vec![]);
    assert_eq!(closed, "PipeClosed a < ClosePipe b < Command b");
    let crash = |kind| vec![during(100, 150, Fault::Crash { node: B, kind })];
    for kind in [CrashKind::Power, CrashKind::Process] {
        assert_eq!(end_of_a_pipe(|_| {}, crash(kind)), "PipeClosed a < Crash b < FaultBegins -");
    }
    let reset = Planned { begin: Begin::At(Time::from_millis(100)), lasts: None, fault: Fault::ResetPipes(A, B) };
    assert_eq!(end_of_a_pipe(|_| {}, vec![reset]), "PipeClosed a < FaultBegins -");
}

#[test]
fn a_restart_follows_from_the_fault_and_an_answered_write_from_the_write() {
    let crash = Fault::Crash { node: A, kind: CrashKind::Power };
    let mut lab = Lab::new(&["a", "b"], |config| config.plan = vec![during(100, 150, crash)]);
    lab.at(200, "a", Do::Store("key", vec![1]));
    let all = happenings(&mut lab, 300);
    assert_eq!(chain(&all, last(&all, Kind::Boot, A)), "Boot a < FaultEnds - < FaultBegins -");
    assert_eq!(chain(&all, last(&all, Kind::Stored, A)), "Stored a < Store a < Command a");
}

#[test]
fn a_run_that_keeps_its_causes_is_the_same_run() {
    let hash = |keeps: bool| {
        let mut lab = Lab::new(&["a", "b", "c"], |config| {
            config.link.loss = Chance::from_percent(20);
            (config.link.corrupt, config.link.duplicate) = (Chance::from_percent(10), Chance::from_percent(10));
            config.plan = vec![during(300, 700, Fault::Crash { node: B, kind: CrashKind::Power })];
        });
        let pipe = lab.open(5, "a", 0, "b");
        for number in 1..100 {
            lab.send(number * 10, "a", "b", &[number as u8; 50]);
            lab.at(number * 10, "c", Do::SendGroup(vec![number as u8]));
            lab.write(number * 10, "a", pipe, &[number as u8; 500]);
        }
        let run = if keeps { happenings(&mut lab, 3_000).len() as u64 } else { 0 };
        lab.run(3_000);
        assert!(!keeps || run == lab.world.events());
        (lab.world.trace_hash(), lab.world.events())
    };
    assert_eq!(hash(true), hash(false));
}

#[test]
fn a_dial_that_nobody_answers_says_why() {
    let cut = Fault::Partition { from: vec![A], to: vec![B], one_way: false, flap: None };
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.plan = vec![during(1, 900_000, cut)];
        config.pipes.patience = millis(5_000);
    });
    lab.open(5, "a", 0, "b");
    let all = happenings(&mut lab, 20_000);
    let dial = last(&all, Kind::OpenPipe, A);
    assert_eq!(
        (dial.mishap, dial.fault.map(|event| told(&all[event as usize]))),
        (Some(Mishap::Partitioned), Some("FaultBegins -".into()))
    );
    let closed = last(&all, Kind::PipeClosed, A);
    assert_eq!(
        (chain(&all, closed), closed.record.number),
        ("PipeClosed a < OpenPipe a < Command a".into(), OPENED.as_u64())
    );
}
