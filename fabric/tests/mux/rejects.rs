//! Every reject, fired by the least offence there is, and not by what is one step less.

use crate::wire::*;
use fabric::mux::{Admission, Ended, Event, Limits, Mux, Priority, Reject, Role, code};
use machine::{Duration, Instant};

const NOW: Instant = Instant::ZERO;

/// A responder whose peer says these records.
struct Victim(Mux);

impl Victim {
    fn new() -> Self {
        Self::with(&Limits::default())
    }

    fn with(limits: &Limits) -> Self {
        Self(Mux::new(NOW, Role::Responder, limits))
    }

    fn hears(&mut self, record: &[u8]) -> Result<(), Reject> {
        self.hears_at(NOW, record)
    }

    fn hears_at(&mut self, now: Instant, record: &[u8]) -> Result<(), Reject> {
        self.0.receive(now, record, &mut |service| {
            if service == "admin" { Admission::Deny } else { Admission::Admit }
        })
    }

    /// Hears the same record until it is too much, sending as much as it wants; how often it was well.
    fn endures(&mut self, mut record: impl FnMut(u32) -> Vec<u8>) -> (u32, Reject) {
        for count in 0..100_000 {
            if let Err(reject) = self.hears(&record(count)) {
                return (count, reject);
            }
            said(&mut self.0, NOW);
        }
        panic!("it endures all");
    }

    fn opened(service: &str) -> Self {
        let mut victim = Self::new();
        victim.hears(&open(1, service)).unwrap();
        said(&mut victim.0, NOW);
        victim
    }

    fn closed() -> Self {
        let mut victim = Self::opened("echo");
        victim.hears(&rst(1)).unwrap();
        victim
    }

    fn last_event(&mut self) -> Event {
        std::iter::from_fn(|| self.0.poll()).last().unwrap()
    }
}

#[test]
fn each_offence_has_its_reject() {
    use Reject::*;
    let long = frame(3, 0, 1, &vec![0; 32_769]);
    let cases: &[(&str, Vec<u8>, Reject)] = &[
        ("an empty record", vec![], FrameInvalid),
        ("kind 0", frame(0, 0, 1, &[]), FrameInvalid),
        ("kind 9", frame(9, 0, 1, &[]), FrameInvalid),
        ("a flag of RST", frame(5, 1, 1, &[0; 4]), FrameInvalid),
        ("an unknown flag of DATA", frame(3, 2, 1, b"x"), FrameInvalid),
        ("priority 8", frame(1, 8, 3, &[0, 0, 0, 0, b'x']), FrameInvalid),
        ("OPEN without a credit", frame(1, 0, 3, &[0; 3]), FrameInvalid),
        ("a long RST", frame(5, 0, 1, &[0; 5]), FrameInvalid),
        ("a short PING", frame(6, 0, 0, &[0; 7]), FrameInvalid),
        ("empty DATA without EOM", frame(3, 0, 1, &[]), FrameInvalid),
        ("OPEN of stream 0", open(0, "echo"), FrameInvalid),
        ("OPEN_ACK of stream 0", open_ack(0), FrameInvalid),
        ("DATA of stream 0", data(0, b"x"), FrameInvalid),
        ("RST of stream 0", rst(0), FrameInvalid),
        ("PING of a stream", frame(6, 0, 1, &[0; 8]), FrameInvalid),
        ("PONG of a stream", frame(7, 0, 1, &[0; 8]), FrameInvalid),
        ("long DATA", long, FrameOversize),
        ("half a header", ping(1)[..7].to_vec(), FrameOversize),
        ("a payload past the end", ping(1)[..15].to_vec(), FrameOversize),
        ("OPEN_ACK of an open stream", open_ack(1), InvalidStreamStateTransition),
        ("OPEN of this side's parity", open(4, "echo"), InvalidStreamStateTransition),
        ("OPEN that does not rise", open(1, "echo"), InvalidStreamStateTransition),
        ("DATA of a stream never opened", data(3, b"x"), UnknownStreamFrame),
        ("RST of a stream never opened", rst(3), UnknownStreamFrame),
        ("OPEN_ACK of a stream never opened", open_ack(2), UnknownStreamFrame),
        ("DATA past its credit", data(1, &[0; 8185]), WindowCreditOverflowOrUnderflow),
        ("a delta of 0", window_update(1, 0), WindowCreditOverflowOrUnderflow),
        ("a session's delta of 0", window_update(0, 0), WindowCreditOverflowOrUnderflow),
        ("a window of 2^31", window_update(1, (1 << 31) - 8192), WindowCreditOverflowOrUnderflow),
        ("a session's of 2^31", window_update(0, (1 << 31) - (1 << 20)), WindowCreditOverflowOrUnderflow),
        ("a first window of 2^31", open_with(3, 1 << 31, "echo"), WindowCreditOverflowOrUnderflow),
        ("two PINGs in one record", [ping(1), ping(2)].concat(), Flood),
    ];
    for (offence, record, reject) in cases {
        let mut victim = Victim::opened("echo");
        assert_eq!(victim.hears(record), Err(*reject), "{offence}");
        assert_eq!(victim.last_event(), Event::Ended { reason: Ended::Rejected(*reject) }, "{offence}");
        let last = said(&mut victim.0, NOW);
        assert_eq!(last.len(), 1, "{offence}");
        assert_eq!((last[0].kind, last[0].stream, last[0].number()), (8, 0, reject.code()), "{offence}");
        assert_eq!(victim.hears(record), Ok(()), "after the end nothing counts");
        assert_eq!((victim.0.poll(), victim.0.wants_fill(), victim.0.next_timeout()), (None, false, None));
    }
}

#[test]
fn the_largest_of_everything_is_fine() {
    let cases = [
        data(1, &[0; 8184]),
        window_update(1, (1 << 31) - 1 - 8192),
        window_update(0, (1 << 31) - 1 - (1 << 20)),
        open_with(3, (1 << 31) - 1, &"s".repeat(64)),
        open_with(u32::MAX, 0, "s"),
        frame(1, 7, 3, &[0, 0, 0, 0, b'x']),
        ping(u64::MAX),
    ];
    for record in cases {
        assert_eq!(Victim::opened("echo").hears(&record), Ok(()), "{record:?}");
    }
}

#[test]
fn frames_before_the_offence_act_and_those_after_it_do_not() {
    let mut victim = Victim::opened("echo");
    while victim.0.poll().is_some() {}
    let record = [open(3, "first"), frame(9, 0, 0, &[]), open(5, "second")].concat();
    assert_eq!(victim.hears(&record), Err(Reject::FrameInvalid));
    assert!(matches!(victim.0.poll(), Some(Event::Accepted { service, .. }) if service == "first"));
    assert_eq!(victim.0.poll(), Some(Event::Ended { reason: Ended::Rejected(Reject::FrameInvalid) }));
}

#[test]
fn a_refused_open_ends_its_stream_only() {
    let full = Limits { streams_max: 1, ..Limits::default() };
    let cases = [
        ("admin", Reject::ServiceDenied),
        ("", Reject::InvalidStreamName),
        (&"s".repeat(65), Reject::InvalidStreamName),
        ("a\nb", Reject::InvalidStreamName),
        ("a\u{85}b", Reject::InvalidStreamName),
    ];
    for (service, reject) in cases {
        let mut victim = Victim::with(&full);
        assert_eq!(victim.hears(&open(1, service)), Ok(()));
        assert_eq!(victim.0.poll(), None);
        let said = said(&mut victim.0, NOW);
        assert_eq!((said[0].kind, said[0].stream, said[0].number()), (5, 1, reject.code()));
    }
    let mut victim = Victim::with(&full);
    victim.hears(&[open(1, "echo"), open(3, "echo"), frame(1, 0, 5, &[0, 0, 0, 0, 0xff])].concat()).unwrap();
    let refusals: Vec<_> = said(&mut victim.0, NOW).into_iter().filter(|frame| frame.kind == 5).collect();
    assert_eq!((refusals[0].stream, refusals[0].number()), (3, Reject::StreamLimitExceeded.code()));
    assert_eq!((refusals[1].stream, refusals[1].number()), (5, Reject::InvalidStreamName.code()));
}

#[test]
fn a_spent_budget_is_a_flood() {
    let flood = |count| (count, Reject::Flood);
    assert_eq!(Victim::new().endures(|_| ping(1)), flood(1024));
    assert_eq!(Victim::new().endures(|_| pong(1)), flood(1024));
    assert_eq!(Victim::new().endures(|_| window_update(0, 1)), flood(1024));
    assert_eq!(Victim::new().endures(|count| open(2 * count + 1, "admin")), flood(1024));
    assert_eq!(Victim::new().endures(|count| [open(2 * count + 1, "echo"), rst(2 * count + 1)].concat()), flood(1024));
    assert_eq!(Victim::opened("echo").endures(|_| window_update(1, 1)), flood(1024));
    // The RST that closed the stream took one.
    assert_eq!(Victim::closed().endures(|_| rst(1)), flood(1023));
    assert_eq!(Victim::closed().endures(|_| close(1, 0)), flood(1023));
    assert_eq!(Victim::closed().endures(|_| open_ack(1)), flood(1023));
    assert_eq!(Victim::closed().endures(|_| window_update(1, 1)), flood(1023));
    assert_eq!(Victim::closed().endures(|_| data(1, b"x")), flood(1023));
}

#[test]
fn data_buys_frames_back_and_so_does_time() {
    let mut victim = Victim::opened("echo");
    for _ in 0..1024 {
        victim.hears(&pong(99)).unwrap();
    }
    victim.hears(&data(1, &[0; 4 * 1024 - 8])).unwrap();
    let stream = match victim.0.poll() {
        Some(Event::Accepted { stream, .. }) => stream,
        other => panic!("{other:?}"),
    };
    victim.0.read(NOW, stream, usize::MAX).unwrap();
    assert_eq!(victim.endures(|_| pong(99)), (4, Reject::Flood));

    let mut victim = Victim::new();
    for _ in 0..1024 {
        victim.hears(&pong(99)).unwrap();
    }
    for _ in 0..64 {
        victim.hears_at(NOW + Duration::from_secs(1), &pong(99)).unwrap();
    }
    assert_eq!(victim.hears_at(NOW + Duration::from_secs(1), &pong(99)), Err(Reject::Flood));
}

#[test]
fn replies_are_owed_up_to_256() {
    let mut victim = Victim::new();
    let results: Vec<_> = (0..257).map(|count| victim.hears(&open(2 * count + 1, "admin"))).collect();
    assert!(results[..256].iter().all(Result::is_ok));
    assert_eq!(results[256], Err(Reject::Flood));
}

#[test]
fn late_data_gives_its_session_credit_back() {
    let mut victim = Victim::closed();
    let mut granted = 0;
    for _ in 0..60 {
        victim.hears(&data(1, &vec![0; 30_000])).unwrap();
        let said = said(&mut victim.0, NOW);
        granted += said.iter().filter(|frame| frame.kind == 4).map(super::wire::Seen::number).sum::<u32>();
    }
    assert!(granted > 60 * 30_008 - (1 << 20) / 4, "{granted}");
}

#[test]
fn session_credit_bounds_all_streams_together() {
    let limits = Limits { stream_window: 1 << 20, session_window_max: 1 << 20, ..Limits::default() };
    let mut victim = Victim::with(&Limits { streams_max: 2, ..limits });
    victim.hears(&[open(1, "a"), open(3, "b")].concat()).unwrap();
    let grants: u32 = said(&mut victim.0, NOW).iter().filter(|frame| frame.kind == 2).map(Seen::number).sum();
    assert!(grants <= 1 << 20, "{grants}");
    victim.hears(&rst(3)).unwrap();
    for _ in 0..31 {
        victim.hears(&data(1, &vec![0; 32_000])).unwrap();
    }
    // What is left of the session is less than a frame on a closed stream.
    assert_eq!(
        victim.hears(&frame(3, 0, 3, &vec![0; 32_768])).and_then(|()| victim.hears(&frame(3, 0, 3, &vec![0; 32_768]))),
        Err(Reject::WindowCreditOverflowOrUnderflow)
    );
}

#[test]
fn all_streams_that_wait_for_the_session_go_on_when_it_grants() {
    let mut victim = Victim::new();
    for stream in [1, 3, 5] {
        victim.hears(&open_with(stream, 1 << 20, "bulk")).unwrap();
    }
    let streams: Vec<_> = std::iter::from_fn(|| victim.0.poll())
        .filter_map(|event| if let Event::Accepted { stream, .. } = event { Some(stream) } else { None })
        .collect();
    let mut sent = 0;
    while sent < (1 << 20) - 3 * 8 {
        for stream in &streams {
            victim.0.write(*stream, &[0; 1000], false).unwrap();
        }
        let said = said(&mut victim.0, NOW);
        sent += said.iter().filter(|frame| frame.kind == 3).map(|frame| frame.payload.len() + 8).sum::<usize>();
    }
    assert!(!victim.0.wants_fill() && sent <= 1 << 20);
    victim.hears(&window_update(0, 10_000)).unwrap();
    for stream in &streams {
        victim.0.write(*stream, b"and more", false).unwrap();
    }
    let mut go_on = data_streams(&mut victim.0, NOW);
    go_on.sort_unstable();
    assert_eq!(go_on, [1, 3, 5]);
}

#[test]
fn after_its_own_close_a_peer_opens_nothing() {
    let mut victim = Victim::opened("echo");
    victim.hears(&close(0, code::GOING_AWAY)).unwrap();
    assert_eq!(victim.hears(&open(3, "echo")), Err(Reject::InvalidStreamStateTransition));
}

#[test]
fn an_open_that_has_not_left_is_not_there_for_the_peer() {
    let mut victim = Victim::new();
    victim.0.open(NOW, "echo", Priority::NORMAL).unwrap();
    assert_eq!(victim.hears(&open_ack(2)), Err(Reject::UnknownStreamFrame));
}

#[test]
fn ids_end_at_their_last() {
    let mut victim = Victim::new();
    victim.hears(&open(u32::MAX, "echo")).unwrap();
    assert_eq!(victim.hears(&open(u32::MAX, "echo")), Err(Reject::InvalidStreamStateTransition));
}

#[test]
fn labels_are_those_of_the_contract() {
    assert_eq!(Reject::Flood.label(), "mux.reject.flood");
    assert_eq!(Reject::Flood.code(), 21);
    assert_eq!(Reject::ServiceDenied.to_string(), "mux.reject.service_denied");
}
