//! A whole node among others: who finds, dials and admits whom, and how sessions end (wire contract, 2 and 3).

use crate::net::{Net, addr, config, id, local};
use fabric::mux::{Priority, Reject, code};
use fabric::session::HandshakeError;
use fabric::{CallError, Config, Event, SessionEnd, StreamKey};
use machine::{Duration, PipeEnd};

const SECOND: Duration = Duration::from_secs(1);

/// Two nodes that trust each other; the second serves `echo` to the first.
fn pair() -> Net {
    let mut hub = config(&[1]);
    hub.policy.allow(id(1), "echo");
    Net::new([Config { dial_trusted: true, ..config(&[2]) }, hub])
}

fn up(event: &Event) -> Option<bool> {
    if let Event::SessionUp { dialled, .. } = event { Some(*dialled) } else { None }
}

fn down(event: &Event) -> Option<SessionEnd> {
    if let Event::SessionDown { reason, .. } = event { Some(*reason) } else { None }
}

fn failed(event: &Event) -> Option<SessionEnd> {
    if let Event::SessionFailed { reason, .. } = event { Some(*reason) } else { None }
}

fn accepted(event: &Event) -> Option<StreamKey> {
    if let Event::Accepted { stream, .. } = event { Some(*stream) } else { None }
}

#[test]
fn trusted_devices_find_each_other_and_talk() {
    let mut net = pair();
    net.run(SECOND);
    assert_eq!((net.take(0, up), net.take(1, up)), (vec![true], vec![false]));
    let (now, hub) = (net.now, net.id(1));
    let stream = net.nodes[0].open(now, hub, "echo", Priority::NORMAL).unwrap();
    assert_eq!(net.nodes[0].write(now, stream, b"hello", true), Ok(5));
    net.nodes[0].finish(now, stream).unwrap();
    net.settle();
    let [at_hub] = net.take(1, accepted)[..] else { panic!("{:?}", net.events[1]) };
    let chunk = net.nodes[1].read(now, at_hub, 100).unwrap().unwrap();
    assert_eq!((&chunk.bytes[..], chunk.end_of_message), (&b"hello"[..], true));
    net.nodes[1].finish(now, at_hub).unwrap();
    net.settle();
    assert!(net.events[0].contains(&Event::Finished { stream }));
}

#[test]
fn a_service_is_denied_unless_it_is_served_and_allowed() {
    let mut net = pair();
    net.run(SECOND);
    let (now, hub, phone) = (net.now, net.id(1), net.id(0));
    for (from, to, service) in [(0, hub, "admin"), (1, phone, "echo")] {
        let stream = net.nodes[from].open(now, to, service, Priority::NORMAL).unwrap();
        net.settle();
        let denied = Event::Reset { stream, code: Reject::ServiceDenied.code() };
        assert!(net.events[from].contains(&denied), "{service}: {:?}", net.events[from]);
    }
}

#[test]
fn work_without_a_session_is_refused_at_the_call() {
    let mut net = pair();
    let (now, hub) = (net.now, net.id(1));
    let refused = net.nodes[0].open(now, hub, "echo", Priority::NORMAL);
    assert_eq!(refused, Err(CallError::UnauthenticatedSession));
    assert_eq!(CallError::UnauthenticatedSession.to_string(), "mux.reject.unauthenticated_session");
}

#[test]
fn a_stranger_proves_itself_and_learns_that_it_is_not_trusted() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.run(SECOND);
    let (now, hub) = (net.now, net.id(1));
    net.nodes[0].connect(now, hub);
    net.run(Duration::from_millis(100));
    assert_eq!(net.take(0, failed), [SessionEnd::Peer(code::NOT_TRUSTED)]);
    assert_eq!(net.take(1, failed), [SessionEnd::Local(code::NOT_TRUSTED)]);
    assert_eq!((net.take(0, up).len(), net.take(1, up).len()), (0, 0));
    net.run(SECOND);
    assert_eq!(net.pipes(1), 0, "nothing is left of it");
}

#[test]
fn a_device_that_answers_for_another_is_not_it() {
    let mut net = Net::new([config(&[3]), config(&[1])]);
    net.run(SECOND);
    let now = net.now;
    // The address of node 1, its own key even, but said to be device 3.
    net.nodes[0].connect_to(now, id(3), addr(1), local(2).noise.public());
    net.run(Duration::from_millis(100));
    assert_eq!(net.take(0, failed), [SessionEnd::Handshake(HandshakeError::IdentityMismatch)]);
    // And with another key than it has.
    net.nodes[0].connect_to(now, id(3), addr(1), local(9).noise.public());
    net.run(SECOND);
    assert_eq!(net.take(1, failed).last(), Some(&SessionEnd::Handshake(HandshakeError::NoiseFailed)));
    assert!(net.take(0, up).is_empty() && net.take(1, up).is_empty());
}

#[test]
fn two_that_dial_each_other_settle_on_one_session() {
    let dials = |trusted: &[u8]| Config { dial_trusted: true, ..config(trusted) };
    let mut net = Net::new([dials(&[2]), dials(&[1])]);
    net.run(Duration::from_secs(3));
    assert_eq!((net.pipes(0), net.pipes(1)), (1, 1));
    let (a, b) = (net.id(0), net.id(1));
    assert!(net.nodes[0].is_connected(b) && net.nodes[1].is_connected(a));
    net.run(Duration::from_secs(120));
    assert_eq!(net.pipes(0), 1, "and it lasts");
}

#[test]
fn a_peer_that_restarted_gets_in_at_once() {
    let mut net = pair();
    net.run(SECOND);
    net.events[1].clear();
    net.restart(0, Config { dial_trusted: true, ..config(&[2]) });
    net.run(Duration::from_secs(11));
    assert_eq!(net.take(1, up), [false], "long before the old session is found dead");
    net.run(Duration::from_secs(60));
    assert_eq!(net.pipes(1), 1, "the old session is gone");
}

#[test]
fn a_lost_session_is_dialled_again_until_it_is_back() {
    let mut net = pair();
    net.run(SECOND);
    net.events.iter_mut().for_each(Vec::clear);
    net.reset_pipes(0);
    assert_eq!((net.take(0, down), net.take(1, down)), (vec![SessionEnd::Truncated], vec![SessionEnd::Truncated]));
    net.run(Duration::from_secs(2));
    assert_eq!((net.take(0, up), net.take(1, up)), (vec![true], vec![false]));
    net.cut_off = vec![1];
    net.reset_pipes(0);
    net.run(Duration::from_secs(60));
    let refused = net.take(0, failed);
    assert!((6..=30).contains(&refused.len()), "backs off: {}", refused.len());
    assert!(refused.iter().all(|reason| *reason == SessionEnd::Unreachable(PipeEnd::Refused)), "{refused:?}");
    net.cut_off.clear();
    net.run(Duration::from_secs(11));
    assert_eq!(net.take(0, up), [true]);
}

#[test]
fn a_session_that_a_forged_record_ends_is_no_session_of_its_device_any_more() {
    let mut net = pair();
    net.run(SECOND);
    let dialler = net.id(0);
    assert_eq!(net.nodes[1].session_devices().collect::<Vec<_>>(), [dialler]);
    net.forge_records(1);
    assert_eq!(net.take(1, down), [SessionEnd::RecordInvalid]);
    assert_eq!(net.nodes[1].session_devices().count(), 0);
}

#[test]
fn past_its_bounds_a_node_closes_the_oldest_handshake_of_that_source_then_of_all() {
    let mut net = pair();
    net.run(SECOND);
    net.events[1].clear();
    let evicted = SessionEnd::Handshake(HandshakeError::Evicted);
    for _ in 0..4 {
        net.stranger_dials(1, addr(77));
    }
    assert_eq!(net.take(1, failed), []);
    net.stranger_dials(1, addr(77));
    assert_eq!(net.take(1, failed), [evicted], "four of one source");
    for source in 100..160 {
        net.stranger_dials(1, addr(source));
    }
    assert_eq!(net.take(1, failed), [], "sixty-four of all");
    net.stranger_dials(1, addr(200));
    assert_eq!(net.take(1, failed), [evicted]);
    let phone = net.id(0);
    assert!(net.nodes[1].is_connected(phone), "sessions are no handshakes");
    net.run(Duration::from_secs(6));
    let late = net.take(1, failed);
    assert_eq!(late.len(), 64);
    assert!(late.iter().all(|reason| *reason == SessionEnd::Handshake(HandshakeError::HandshakeTimeout)));
}

#[test]
fn garbage_ends_a_handshake_in_silence() {
    let mut net = pair();
    let pipe = net.stranger_dials(1, addr(77));
    net.push_bytes(1, pipe, &[0, 47]);
    assert_eq!(net.take(1, failed), [SessionEnd::Handshake(HandshakeError::HandshakeLength)]);
}

#[test]
fn sessions_past_the_limit_are_sent_away() {
    let mut hub = config(&[1, 3]);
    hub.limits.sessions_max = 1;
    let dials = || Config { dial_trusted: true, ..config(&[2]) };
    let mut net = Net::new([dials(), hub, dials()]);
    net.run(SECOND);
    let ups = net.take(0, up).len() + net.take(2, up).len();
    assert_eq!(ups, 1);
    let reasons = [net.take(0, failed), net.take(2, failed)].concat();
    assert!(reasons.contains(&SessionEnd::Peer(code::GOING_AWAY)), "{reasons:?}");
}

#[test]
fn a_device_that_opens_session_after_session_leaves_places_for_others() {
    let hub = config(&[2, 9]);
    let most = usize::from(hub.limits.sessions_per_device_max);
    let mut net = Net::new([hub]);
    for _ in 0..300 {
        net.stranger_comes_in(0, addr(99), 9);
        assert!(net.nodes[0].load().sessions <= most);
    }
    net.add(Config { dial_trusted: true, ..config(&[1]) });
    net.run(SECOND);
    net.run(Duration::from_secs(20));
    assert_eq!(net.take(1, up), [true]);
}

#[test]
fn strangers_on_their_way_out_take_no_place_and_bounded_memory() {
    let mut hub = config(&[2]);
    hub.limits.sessions_max = 4;
    let mut net = Net::new([hub]);
    for _ in 0..10 {
        net.stranger_comes_in(0, addr(99), 9);
    }
    let load = net.nodes[0].load();
    assert_eq!((load.sessions, load.endings), (0, 4));
    net.add(Config { dial_trusted: true, ..config(&[1]) });
    net.settle();
    net.stranger_comes_in(0, addr(1), 2);
    assert_eq!(net.nodes[0].load().sessions, 1);
}

#[test]
fn a_node_that_shuts_down_lets_its_streams_finish_and_is_quiet() {
    let mut net = pair();
    net.run(SECOND);
    let (now, hub) = (net.now, net.id(1));
    let stream = net.nodes[0].open(now, hub, "echo", Priority::NORMAL).unwrap();
    net.settle();
    let [at_hub] = net.take(1, accepted)[..] else { panic!() };
    net.nodes[0].shut_down(now);
    net.settle();
    assert!(net.nodes[0].open(now, hub, "echo", Priority::NORMAL).is_err());
    assert_eq!(net.nodes[0].write(now, stream, b"last words", true), Ok(10));
    net.nodes[0].finish(now, stream).unwrap();
    net.settle();
    assert!(net.nodes[1].read(now, at_hub, 100).unwrap().is_some());
    net.nodes[1].finish(now, at_hub).unwrap();
    net.settle();
    assert_eq!(net.take(0, down), [SessionEnd::Local(code::GOING_AWAY)]);
    assert_eq!(net.take(1, down), [SessionEnd::Peer(code::GOING_AWAY)]);
    net.run(Duration::from_secs(2));
    assert!(net.nodes[0].is_quiet());
}

#[test]
fn who_is_revoked_is_cut_off_at_once() {
    let mut net = pair();
    net.run(SECOND);
    let (now, phone) = (net.now, net.id(0));
    net.nodes[1].revoke(now, phone);
    net.settle();
    assert_eq!(net.take(1, down), [SessionEnd::Local(code::REVOKED)]);
    assert_eq!(net.take(0, down), [SessionEnd::Peer(code::REVOKED)]);
    net.run(Duration::from_secs(5));
    assert_eq!(net.take(0, failed).first(), Some(&SessionEnd::Peer(code::NOT_TRUSTED)), "and does not get in again");
}

#[test]
fn a_silent_peer_is_found_dead_and_an_idle_one_is_not() {
    let mut net = pair();
    net.run(Duration::from_secs(300));
    assert_eq!((net.take(0, down), net.take(1, down)), (vec![], vec![]), "pings keep an idle session");
}
