//! When a node announces itself.

use super::*;

fn local() -> LocalAnnounce {
    let Claimed { port, noise_static, services, .. } = claim(0);
    LocalAnnounce { port, noise_static, services }
}

/// When a node with this seed announces within the next `secs` seconds, in nanoseconds since its start.
fn times(seed: u64, limits: &Limits, secs: u64) -> Vec<u64> {
    let mut node = Node { discovery: Discovery::new(own(), seed, limits), now: Instant::ZERO };
    node.discovery.announce(node.now, &local()).unwrap();
    let mut times = Vec::new();
    loop {
        if node.discovery.poll_announce(unsigned).is_some() {
            times.push(node.now.as_nanos());
        }
        node.now = node.discovery.next_timeout().unwrap();
        if node.now > Instant::ZERO + Duration::from_secs(secs) {
            return times;
        }
        node.discovery.handle_timeout(node.now);
    }
}

#[test]
fn a_node_announces_at_once_soon_again_and_then_every_8_to_10_seconds() {
    let times = times(1, &Limits::default(), 615);
    assert_eq!(times[0], 0);
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    let (early, gaps) = gaps.split_at(3);
    assert_eq!(early, [1_000, 2_000, 4_000]);
    assert!(gaps.len() >= 60);
    assert!(gaps.iter().all(|gap| (8_000..=10_000).contains(gap)), "{gaps:?}");
    let third = |low: u64| gaps.iter().filter(|gap| (low..low + 667).contains(gap)).count();
    assert!(third(8_000) > 10 && third(8_667) > 10 && third(9_334) > 10, "evenly: {gaps:?}");
}

#[test]
fn the_seed_alone_decides_the_jitter() {
    assert_eq!(times(1, &Limits::default(), 100), times(1, &Limits::default(), 100));
    assert_ne!(times(1, &Limits::default(), 100), times(2, &Limits::default(), 100));
}

#[test]
fn the_announce_is_what_others_take_in() {
    let mut speaker = Discovery::new(id(1), 1, &Limits::default());
    speaker.announce(Instant::ZERO, &local()).unwrap();
    let bytes = speaker.poll_announce(unsigned).unwrap().to_vec();
    assert_eq!(speaker.poll_announce(unsigned), None, "once");
    let mut node = Node::new(&Limits::default());
    node.hears_bytes(1, &bytes).unwrap();
    assert_eq!(node.events(), [discovered(1)]);
}

#[test]
fn a_node_that_was_paused_announces_once_when_it_wakes() {
    let mut node = Node::new(&Limits::default());
    node.discovery.announce(node.now, &local()).unwrap();
    assert!(node.discovery.poll_announce(unsigned).is_some());
    node.now = node.now + DAY;
    node.discovery.handle_timeout(node.now);
    assert!(node.discovery.poll_announce(unsigned).is_some());
    assert!(node.discovery.poll_announce(unsigned).is_none());
    assert_eq!(node.discovery.next_timeout(), Some(node.now + Duration::from_secs(2)));
}

#[test]
fn a_timeout_before_its_time_changes_nothing() {
    let mut node = Node::new(&Limits::default());
    let mut other = Node::new(&Limits::default());
    for node in [&mut node, &mut other] {
        node.discovery.announce(node.now, &local()).unwrap();
        node.discovery.poll_announce(unsigned).unwrap();
    }
    for millis in 0..999 {
        node.discovery.handle_timeout(node.now + Duration::from_millis(millis));
        assert!(node.discovery.poll_announce(unsigned).is_none());
    }
    for node in [&mut node, &mut other] {
        node.now = node.discovery.next_timeout().unwrap();
        node.discovery.handle_timeout(node.now);
    }
    assert_eq!(node.discovery.next_timeout(), other.discovery.next_timeout(), "not even the next jitter");
}

#[test]
fn a_node_that_only_listens_has_nothing_to_wait_for() {
    let mut node = Node::new(&Limits::default());
    assert_eq!(node.discovery.next_timeout(), None);
    node.discovery.announce(node.now, &local()).unwrap();
    node.discovery.stop_announcing();
    assert_eq!((node.discovery.next_timeout(), node.discovery.poll_announce(unsigned)), (None, None));
}

#[test]
fn an_announce_is_never_answered() {
    let mut node = Node::new(&Limits::default());
    node.discovery.announce(node.now, &local()).unwrap();
    node.discovery.poll_announce(unsigned).unwrap();
    let due = node.discovery.next_timeout();
    for device in 0..20 {
        node.hears(device, device).unwrap();
        assert_eq!((node.discovery.next_timeout(), node.discovery.poll_announce(unsigned)), (due, None));
    }
}

#[test]
fn time_goes_on_between_announces_whatever_the_limits_say() {
    let limits = Limits { announce_every: Duration::ZERO, announce_jitter: Duration::MAX, ..Limits::default() };
    assert_eq!(times(1, &limits, 1).len(), 1001);
}

#[test]
fn a_node_does_not_announce_what_others_would_refuse() {
    let mut discovery = Discovery::new(own(), 1, &Limits::default());
    let mut announce = |local: LocalAnnounce| discovery.announce(Instant::ZERO, &local).unwrap_err();
    assert_eq!(announce(LocalAnnounce { port: 0, ..local() }), Refusal::PortZero);
    let noise_static = NoisePublic::from_bytes([0; 32]);
    assert_eq!(announce(LocalAnnounce { noise_static, ..local() }), Refusal::LowOrderStatic);
    let services = Services::new(["a", "a"]).unwrap();
    assert_eq!(announce(LocalAnnounce { services, ..local() }), Refusal::DuplicateService);
    assert_eq!(discovery.next_timeout(), None);
}

/// The epoch, sequence and time to live of all that is due now; `None` of what is unsigned.
fn signed_and_sent(discovery: &mut Discovery) -> Vec<Option<(u64, u32, u16)>> {
    let mut sent = Vec::new();
    while let Some(bytes) = discovery.poll_announce(|message| key(1).signing_key().sign(message).to_bytes()) {
        sent.push(match Announce::parse(bytes).unwrap() {
            Announce::V1(_) => None,
            Announce::V2(signed) => {
                assert!(verify(&signed.verifying_key, &signed.signed_message().unwrap(), &signed.signature));
                Some((signed.epoch, signed.sequence, signed.ttl))
            }
        });
    }
    sent
}

#[test]
fn a_signed_announce_goes_ahead_of_the_unsigned_one_and_a_goodbye_is_the_last_word() {
    let mut speaker = Discovery::new(id(1), 1, &Limits::default());
    let verifying_key = key(1).verifying_key();
    speaker.announce_signed(Instant::ZERO, &local(), 7, verifying_key).unwrap();
    assert_eq!(signed_and_sent(&mut speaker), [Some((7, 0, 30)), None]);
    speaker.handle_timeout(speaker.next_timeout().unwrap());
    assert_eq!(signed_and_sent(&mut speaker), [Some((7, 1, 30)), None]);
    speaker.handle_timeout(speaker.next_timeout().unwrap());
    speaker.stop_announcing();
    assert_eq!(signed_and_sent(&mut speaker), [Some((7, 2, 0))], "and not what was due");
    assert_eq!((speaker.next_timeout(), speaker.has_announce()), (None, false));
}

#[test]
fn who_has_not_been_heard_needs_no_goodbye() {
    let mut speaker = Discovery::new(id(1), 1, &Limits::default());
    speaker.announce_signed(Instant::ZERO, &local(), 7, key(1).verifying_key()).unwrap();
    speaker.stop_announcing();
    assert_eq!(signed_and_sent(&mut speaker), []);
}

#[test]
fn sixteen_services_can_be_announced_only_unsigned() {
    let names: Vec<_> = (0..16).map(|number| number.to_string()).collect();
    let local = LocalAnnounce { services: Services::new(names.iter().map(|name| &**name)).unwrap(), ..local() };
    let discovery = Discovery::new(own(), 1, &Limits::default());
    assert_eq!(discovery.judge(&local, false), Ok(()));
    let refused = Refusal::Malformed(announce::AnnounceError::InvalidInput("service_count"));
    assert_eq!(discovery.judge(&local, true), Err(refused));
}
